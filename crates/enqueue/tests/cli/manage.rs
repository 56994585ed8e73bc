use super::Desk;

#[test]
fn a_cancelled_batch_can_be_taken_up_again() {
    let desk = Desk::new();
    let id = desk.small();
    let ran = desk.ok(&["cancel", &id]);
    assert_eq!(ran.err, format!("Batch {id}: 10 rows cancelled\n"));
    let batch = &desk.status()[0];
    assert_eq!((batch["cancelled"].as_i64(), batch["finished_at"].is_string()), (Some(10), true));
    assert_eq!(desk.ok(&["retry", &id]).err, format!("Batch {id}: 0 rows to be tried again\n"));
    let ran = desk.ok(&["retry", &id, "--states", "failed,cancelled"]);
    assert_eq!(ran.err, format!("Batch {id}: 10 rows to be tried again\n"));
    let batch = &desk.status()[0];
    assert_eq!((batch["queued"].as_i64(), batch["finished_at"].is_null()), (Some(10), true));
}

#[test]
fn a_wait_ends_with_the_batch() {
    let desk = Desk::new();
    desk.example("people-small.csv");
    let id = desk.small();
    desk.ok(&["cancel", &id]);
    // Every person on the batch is erased, so that it is finished without a worker.
    desk.ok(&["erase", "--person", "ocean:o1"]);
    desk.write("one.csv", "ocean_person_id\no1\n");
    let ran = desk.ok(&["submit", "one.csv", "--wait"]);
    assert!(ran.err.ends_with("Finished: 1 row: 0 found, 1 cancelled\n"), "{ran:?}");
}

#[test]
fn providers_are_paused_and_resumed() {
    let desk = Desk::new();
    assert!(desk.ok(&["pause", "ocean"]).err.starts_with("ocean is paused"));
    assert!(desk.ok(&["pause", "ocean"]).err.starts_with("ocean was paused already"));
    assert_eq!(desk.ok(&["resume", "ocean"]).err, "ocean was paused; it is open now\n");
    assert_eq!(
        desk.ok(&["resume", "ocean"]).err,
        "ocean is open already; there was nothing to resume\n"
    );
    let ran = desk.run(&["pause", "apollo"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("known are ocean and clodura"), "{ran:?}");
}

#[test]
fn a_ceiling_is_raised() {
    let desk = Desk::new();
    let id = desk.small();
    assert_eq!(desk.run(&["resume", "--batch", &id]).code, 2);
    assert_eq!(desk.run(&["resume", "--batch", &id, "--max-credits", "7"]).code, 2);
    let ran = desk.ok(&["resume", "--batch", &id, "--max-credits", "ocean=7"]);
    assert_eq!(ran.err, format!("Batch {id} may use 7 ocean credits\n"));
    assert!(desk.ok(&["status", &id]).out.contains("ceiling 7"));
    let ran = desk.ok(&["resume", "--batch", &id, "--max-credits", "ocean=unlimited"]);
    assert_eq!(ran.err, format!("Batch {id} may use any number of ocean credits\n"));
    assert!(!desk.ok(&["status", &id]).out.contains("ceiling"));
}

#[test]
fn nothing_expired_costs_nothing() {
    let desk = Desk::new();
    let id = desk.small();
    let ran = desk.ok(&["retry", &id, "--states", "expired"]);
    assert_eq!(ran.err, format!("Batch {id}: 0 rows to be tried again\n"));
}
