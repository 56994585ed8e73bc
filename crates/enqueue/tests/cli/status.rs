use super::Cli;

#[test]
fn shows_batches_and_what_holds_them_up() {
    let cli = Cli::new();
    let id = cli.small();
    let batch = &cli.status()[0];
    assert_eq!((batch["total"].as_i64(), batch["queued"].as_i64()), (Some(10), Some(10)));
    assert_eq!(batch["held_up_by"][0], "no worker is running; start worker");
    let keys: Vec<&str> = batch.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys.len(), 19);
    assert_eq!(batch["credits"]["ocean"]["spent"], 0);
    cli.ok(&["pause", "ocean"]);
    let table = cli.ok(&["status", &id[..20]]).out;
    assert!(table.contains(&format!("{id}: ocean: ")), "{table}");
    assert!(table.contains("held: paused; enqueue resume ocean"), "{table}");
    assert!(!table.contains('\u{1b}'), "no colour in a pipe: {table:?}");
}

#[test]
fn finds_batches_by_name() {
    let cli = Cli::new();
    cli.example("people-small.csv");
    let id = cli.ok(&["submit", "people-small.csv", "--name", "Spring \u{1b}[31m"]).out;
    let table = cli.ok(&["status", "Spring \u{1b}[31m"]).out;
    assert!(table.contains(id.trim()));
    assert!(!table.contains('\u{1b}'), "a name must not steer the terminal");
    let ran = cli.run(&["status", "Autumn"]);
    assert_eq!(ran.code, 1);
    let file = cli.path("reveal.db");
    let wanted = format!(
        "enqueue: there is no batch \"Autumn\" in {}; enqueue status lists them\n",
        file.display()
    );
    assert_eq!(ran.err, wanted);
}

#[test]
fn nothing_yet_is_no_failure() {
    let cli = Cli::new();
    let ran = cli.ok(&["status"]);
    assert_eq!(ran.out, "");
    assert!(ran.err.contains("enqueue submit FILE"), "{ran:?}");
    assert!(ran.err.contains(cli.path("reveal.db").to_str().unwrap()), "{ran:?}");
    assert_eq!(cli.ok(&["status", "--json"]).out, "[]\n");
    assert!(!cli.path("reveal.db").exists(), "a look makes no database");
}

#[test]
fn a_long_name_is_cut_and_an_empty_one_is_none() {
    let cli = Cli::new();
    cli.example("people-small.csv");
    let long = "x".repeat(2_000);
    cli.ok(&["submit", "people-small.csv", "--name", &long]);
    cli.ok(&["submit", "people-small.csv", "--name", " "]);
    let text = cli.ok(&["status"]).out;
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let names: Vec<_> = cli.status().iter().map(|batch| batch["name"].clone()).collect();
    assert_eq!(names, [serde_json::Value::Null, long.into()]);
}
