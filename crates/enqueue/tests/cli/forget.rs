use super::Cli;

#[test]
fn an_erased_person_is_gone_from_the_export() {
    let cli = Cli::new();
    cli.write(
        "people.csv",
        "name,linkedin_url,ocean_person_id\nJane,linkedin.com/in/jane,o1\nJoe,linkedin.com/in/joe,o2\n",
    );
    let id = cli.ok(&["submit", "people.csv"]).out;
    let ran = cli.ok(&["erase", "--linkedin", "https://uk.linkedin.com/in/Jane/"]);
    assert!(ran.err.starts_with("Erased: 2 reveals at providers, 1 row, 0 numbers, "), "{ran:?}");
    let export = cli.ok(&["export", id.trim()]).out;
    assert!(!export.contains("Jane") && !export.contains("jane"), "{export}");
    assert!(export.contains("\n,,,cancelled,ocean,,,0,erased,\n"), "{export}");
    assert!(export.contains("Joe,linkedin.com/in/joe,o2,queued"), "{export}");
    let again = cli.ok(&["submit", "people.csv"]);
    assert!(again.err.contains("1 of erased people"), "{again:?}");
}

#[test]
fn says_what_is_wrong_with_the_target() {
    let cli = Cli::new();
    for (arguments, code) in [
        (&["erase"][..], 2),
        (&["erase", "--person", "a", "--phone", "+45"], 2),
        (&["erase", "--linkedin", "https://example.com/"], 2),
        (&["erase", "--phone", "+1"], 2),
        (&["erase", "--phone", "+4512345678"], 1),
    ] {
        let ran = cli.run(arguments);
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(!ran.err.contains("12345678"), "a number is repeated: {ran:?}");
    }
}

#[test]
fn purging_forgets_finished_batches() {
    let cli = Cli::new();
    let id = cli.small();
    assert_eq!(cli.run(&["purge"]).code, 2);
    let ran = cli.ok(&["purge", "--older-than", "0s"]);
    assert!(ran.err.starts_with("Purged: 0 batches, "), "{ran:?}");
    cli.ok(&["cancel", &id]);
    let ran = cli.ok(&["purge", "--older-than", "0s"]);
    assert!(ran.err.starts_with("Purged: 1 batch, "), "{ran:?}");
    assert!(cli.status().is_empty());
}
