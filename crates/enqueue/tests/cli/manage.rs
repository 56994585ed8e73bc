use super::Cli;

#[test]
fn a_cancelled_batch_can_be_taken_up_again() {
    let cli = Cli::new();
    let id = cli.small();
    let ran = cli.ok(&["cancel", &id]);
    assert_eq!(ran.err, format!("Batch {id}: 10 rows cancelled\n"));
    let batch = &cli.status()[0];
    assert_eq!((batch["cancelled"].as_i64(), batch["finished_at"].is_string()), (Some(10), true));
    assert_eq!(cli.ok(&["retry", &id]).err, format!("Batch {id}: 0 rows to be tried again\n"));
    let ran = cli.ok(&["retry", &id, "--states", "failed,cancelled"]);
    assert_eq!(ran.err, format!("Batch {id}: 10 rows to be tried again\n"));
    let batch = &cli.status()[0];
    assert_eq!((batch["queued"].as_i64(), batch["finished_at"].is_null()), (Some(10), true));
}

#[test]
fn a_wait_ends_with_the_batch() {
    let cli = Cli::new();
    cli.example("people-small.csv");
    let id = cli.small();
    cli.ok(&["cancel", &id]);
    // Every person on the batch is erased, so that it is finished without a worker.
    cli.ok(&["erase", "--person", "ocean:o1"]);
    cli.write("one.csv", "ocean_person_id\no1\n");
    let ran = cli.ok(&["submit", "one.csv", "--wait"]);
    assert!(ran.err.ends_with("Finished: 1 row: 0 found, 1 cancelled\n"), "{ran:?}");
}

#[test]
fn providers_are_paused_and_resumed() {
    let cli = Cli::new();
    assert!(cli.ok(&["pause", "ocean"]).err.starts_with("ocean is paused"));
    assert!(cli.ok(&["pause", "ocean"]).err.starts_with("ocean was paused already"));
    assert_eq!(cli.ok(&["resume", "ocean"]).err, "ocean was paused; it is open now\n");
    assert_eq!(
        cli.ok(&["resume", "ocean"]).err,
        "ocean is open already; there was nothing to resume\n"
    );
    let ran = cli.run(&["pause", "apollo"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("known are ocean and clodura"), "{ran:?}");
}

#[test]
fn a_ceiling_is_raised() {
    let cli = Cli::new();
    let id = cli.small();
    assert_eq!(cli.run(&["resume", "--batch", &id]).code, 2);
    assert_eq!(cli.run(&["resume", "--batch", &id, "--max-credits", "7"]).code, 2);
    let ran = cli.ok(&["resume", "--batch", &id, "--max-credits", "ocean=7"]);
    assert_eq!(ran.err, format!("Batch {id} may use 7 ocean credits\n"));
    assert!(cli.ok(&["status", &id]).out.contains("ceiling 7"));
    let ran = cli.ok(&["resume", "--batch", &id, "--max-credits", "ocean=unlimited"]);
    assert_eq!(ran.err, format!("Batch {id} may use any number of ocean credits\n"));
    assert!(!cli.ok(&["status", &id]).out.contains("ceiling"));
}

#[test]
fn nothing_expired_costs_nothing() {
    let cli = Cli::new();
    let id = cli.small();
    let ran = cli.ok(&["retry", &id, "--states", "expired"]);
    assert_eq!(ran.err, format!("Batch {id}: 0 rows to be tried again\n"));
}
