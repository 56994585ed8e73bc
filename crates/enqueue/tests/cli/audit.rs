//! Every change that a command makes is in the audit log, with the user who ran it.

use std::process::Command;

use jobs::Clock;
use store::{AuditEntry, Store};

use super::Cli;

fn entries(cli: &Cli) -> Vec<AuditEntry> {
    let url = format!("sqlite://{}", cli.path("reveal.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::connect_existing(&url, false, Clock::system()).await.unwrap();
        let mut entries = store.audit().entries(None, 100).await.unwrap();
        store.close().await;
        entries.reverse();
        entries
    })
}

#[test]
fn each_command_that_changes_or_exports_is_written_down() {
    let cli = Cli::new();
    let id = cli.small();
    cli.ok(&["status"]);
    cli.ok(&["submit", "people-small.csv", "--dry-run"]);
    assert_eq!(entries(&cli), [], "submits and looking are no entries");

    cli.ok(&["pause", "ocean"]);
    cli.ok(&["resume", "ocean"]);
    cli.ok(&["resume", "--batch", &id, "--max-credits", "ocean=7"]);
    cli.ok(&["export", &id]);
    cli.ok(&["cancel", &id]);
    cli.ok(&["retry", &id, "--states", "cancelled"]);
    cli.ok(&["erase", "--person", "ocean:secret"]);
    cli.ok(&["purge", "--older-than", "180d"]);
    let entries = entries(&cli);
    let actions: Vec<&str> = entries.iter().map(|entry| entry.action.as_str()).collect();
    let wanted = ["pause", "resume", "ceiling", "export", "cancel", "retry", "erase", "purge"];
    assert_eq!(actions, wanted);
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let user = String::from_utf8(user).unwrap();
    for entry in &entries {
        assert_eq!((entry.origin.as_str(), entry.role.as_deref()), ("enqueue", None));
        assert!(entry.actor.ends_with(user.trim()), "{entry:?}");
    }
    let batches = entries.iter().filter(|entry| entry.batch_id.as_deref() == Some(id.as_str()));
    assert_eq!(batches.count(), 4);
    assert!(!format!("{entries:?}").contains("secret"), "a person is named");
}
