use super::Cli;

/// Long lists of options are in groups, and commands that take many show how they are used.
#[test]
fn help_has_groups_and_examples() {
    let cli = Cli::new();
    for command in ["submit", "export", "retry"] {
        let help = cli.ok(&[command, "--help"]).out;
        let examples = help.split("Examples:").nth(1).unwrap_or_default();
        assert!(examples.contains(&format!("enqueue {command} ")), "{help}");
    }
    let help = cli.ok(&["submit", "--help"]).out;
    for group in
        ["Reading the input:", "Which providers, and when:", "Cost and time:", "The batch:"]
    {
        assert!(help.contains(group), "no {group}");
    }
    let plain = help.split("Options:").nth(1).and_then(|rest| rest.split("Reading").next());
    assert!(plain.is_some_and(|plain| !plain.contains("--") || plain.contains("--help")), "{help}");
}

#[test]
fn help_and_version_are_data() {
    let cli = Cli::new();
    let help = cli.ok(&["--help"]);
    assert!(help.out.contains("submit") && help.err.is_empty(), "{help:?}");
    assert!(cli.ok(&["--version"]).out.starts_with("enqueue "));
    let submit = cli.ok(&["submit", "--help"]).out;
    for flag in ["--max-credits", "--idempotency-key", "OCEAN_CREDITS_PER_PERSON", "DATABASE_URL"] {
        assert!(submit.contains(flag), "{flag} is not explained");
    }
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    let cli = Cli::new();
    for arguments in [
        &["submit"][..],
        &["nonsense"],
        &["submit", "x.csv", "--max-credits", "many"],
        &["submit", "x.csv", "--column", "x"],
        &["submit", "x.csv", "--refresh-after", "soon"],
        &["submit", "x.csv", "--dry-run", "--wait"],
        &["status", "--database-url", "mysql://localhost"],
    ] {
        let ran = cli.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_password_is_not_repeated() {
    let cli = Cli::new();
    let ran = cli.run(&["status", "--database-url", "mysql://me:secret@localhost/x"]);
    assert!(!ran.err.contains("secret"), "{ran:?}");
}

#[test]
fn a_postgres_that_is_not_there_is_said_at_once() {
    let cli = Cli::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let started = std::time::Instant::now();
    let url = format!("postgres://me:geheim@{free}/x?passwort=geheim");
    let ran = cli.run(&["status", "--database-url", &url]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains(&format!("nothing listens at {free}")), "{ran:?}");
    assert!(!ran.err.contains("geheim") && started.elapsed().as_secs() < 5, "{ran:?}");
}

#[test]
fn completions_and_manual_pages() {
    let cli = Cli::new();
    assert!(cli.ok(&["completions", "bash"]).out.contains("enqueue"));
    cli.ok(&["man", "pages"]);
    assert!(cli.read("pages/enqueue-submit.1").contains("max\\-credits"));
}

#[test]
fn migrating_makes_the_database() {
    let cli = Cli::new();
    let ran = cli.run(&["status", "--no-migrate"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    cli.ok(&["migrate"]);
    cli.ok(&["status", "--no-migrate"]);
}
