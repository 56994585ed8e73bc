use std::io::Write;
use std::process::Stdio;

use super::Cli;
use serde_json::json;

const MAPPED: [&str; 4] =
    ["--column", "linkedin_url=LinkedIn URL", "--column", "ocean_person_id=Ocean Person ID"];

fn with<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [first, more].concat()
}

#[test]
fn prints_the_batch_id_alone() {
    let cli = Cli::new();
    cli.example("people-small.csv");
    let ran = cli.ok(&["submit", "people-small.csv"]);
    assert_eq!(ran.out.len(), 27, "{ran:?}");
    assert!(ran.err.starts_with("10 rows: "), "{ran:?}");
    assert_eq!(cli.status()[0]["batch_id"], ran.out.trim());
}

#[test]
fn a_bad_row_refuses_all_and_leaves_nothing() {
    let cli = Cli::new();
    cli.example("messy.csv");
    let ran = cli.run(&with(&["submit", "messy.csv"], &MAPPED));
    assert_eq!((ran.code, ran.out.as_str()), (3, ""));
    let expected = include_str!("../input/messy.expected.txt");
    let last = "enqueue: 9 bad rows of 14: nothing was enqueued; fix the input, or leave bad rows out by \
                --skip-invalid\n";
    assert_eq!(ran.err, format!("{expected}{last}"));
    assert!(cli.status().is_empty());
    assert!(!cli.path("messy.rejected.csv").exists());
}

#[test]
fn good_rows_go_without_the_bad() {
    let cli = Cli::new();
    cli.example("messy.csv");
    let report = cli.json(&with(&["submit", "messy.csv", "--skip-invalid", "--json"], &MAPPED));
    assert_eq!(
        (report["rows"].as_i64(), report["queued"].as_i64(), report["rejected"].as_i64()),
        (Some(5), Some(5), Some(9))
    );
    let rejected = cli.read("messy.rejected.csv");
    assert!(rejected.starts_with("\u{feff}reveal_reason;Name;"), "{rejected:?}");
    assert_eq!(cli.status()[0]["total"], 5);
}

#[test]
fn nothing_but_bad_rows_is_refused_even_so() {
    let cli = Cli::new();
    cli.write("people.csv", "linkedin_url\nhttps://example.com/\n");
    let ran = cli.run(&["submit", "people.csv", "--skip-invalid"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("people.csv:2: linkedin_url: "), "{ran:?}");
    assert!(!cli.path("people.rejected.csv").exists());
}

#[test]
fn a_header_without_rows_is_refused() {
    let cli = Cli::new();
    cli.write("people.csv", "linkedin_url\n");
    let ran = cli.run(&["submit", "people.csv"]);
    assert_eq!(ran.code, 3);
    assert_eq!(ran.err, "enqueue: there is no row in the input; nothing was enqueued\n");
    assert!(cli.status().is_empty());
}

#[test]
fn many_rows_with_one_fault_are_one_line() {
    let cli = Cli::new();
    cli.write("people.csv", &format!("linkedin_url\n{}", "nonsense\n".repeat(1_234)));
    let ran = cli.run(&["submit", "people.csv"]);
    assert_eq!(ran.code, 3);
    assert_eq!(ran.err.lines().count(), 2);
    assert!(ran.err.starts_with("people.csv: 1,234 rows: linkedin_url: is no"), "{ran:?}");
    assert!(ran.err.contains(", first at line 2\n"), "{ran:?}");
}

#[test]
fn a_dry_run_says_what_a_submit_will() {
    let cli = Cli::new();
    cli.example("people.csv");
    let submit = with(&["submit", "people.csv", "--json"], &MAPPED);
    let dry = cli.json(&with(&submit, &["--dry-run"]));
    assert!(!cli.path("reveal.db").exists());
    let mut real = cli.json(&submit);
    assert!(real["batch_id"].is_string());
    real["batch_id"] = json!(null);
    assert_eq!(dry, real);
    let again = cli.json(&with(&submit, &["--dry-run"]));
    assert_eq!((again["queued"].as_i64(), again["shared"].as_i64()), (Some(0), Some(1_000)));
    assert_eq!(again["max_credits_needed"], json!({}));
    assert_eq!(cli.status().len(), 1);
}

#[test]
fn the_same_key_and_content_is_the_same_batch() {
    let cli = Cli::new();
    cli.example("people-small.csv");
    let submit = ["submit", "people-small.csv", "--idempotency-key", "monday"];
    let first = cli.ok(&submit);
    let second = cli.ok(&submit);
    assert_eq!(first.out, second.out);
    assert!(second.err.contains("was enqueued before"), "{second:?}");
    let other = cli.run(&with(&submit, &["--name", "another"]));
    assert_eq!((other.code, other.out.as_str()), (3, ""));
    assert!(other.err.contains("other content or options"), "{other:?}");
    assert_eq!(cli.status().len(), 1);
}

#[test]
fn people_on_stdin_and_json_lines() {
    let cli = Cli::new();
    let mut child = cli
        .command(&["submit", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = b"{\"ocean_person_id\": \"o1\", \"n\": 1.50}\n{\"ocean_person_id\": \"o1\"}\n";
    child.stdin.take().unwrap().write_all(lines).unwrap();
    let output = child.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["queued"].as_i64(), report["shared"].as_i64()), (Some(1), Some(1)));
    assert_eq!(report["max_credits_needed"], json!({"ocean": 30}));
}

#[test]
fn what_people_may_cost_follows_the_price() {
    let cli = Cli::new();
    cli.write("people.csv", "linkedin_url\nlinkedin.com/in/a\nlinkedin.com/in/b\n");
    let dry = ["submit", "people.csv", "--dry-run", "--json"];
    assert_eq!(cli.json(&dry)["max_credits_needed"], json!({"clodura": 40}));
    let cheap = with(&dry, &["--clodura-credits-per-person", "1"]);
    assert_eq!(cli.json(&cheap)["max_credits_needed"], json!({"clodura": 2}));
    cli.write("people.csv", "ocean_person_id\na\nb\n");
    // Three numbers each, at the dearer plan's price as long as no balance has shown the plan.
    assert_eq!(cli.json(&dry)["max_credits_needed"], json!({"ocean": 60}));
    let legacy = with(&dry, &["--ocean-plan", "legacy"]);
    assert_eq!(cli.json(&legacy)["max_credits_needed"], json!({"ocean": 6}));
}

#[test]
fn says_what_each_provider_will_come_to() {
    let cli = Cli::new();
    cli.write("people.csv", "ocean_person_id,linkedin_url\na,\nb,\n,linkedin.com/in/c\n");
    let dry = ["submit", "people.csv", "--dry-run", "--max-credits", "ocean=50,clodura=unlimited"];
    let ran = cli.ok(&dry);
    for line in [
        "ocean: 2 people, at most 60 credits\n",
        "ocean: the ceiling of 50 credits is enough for 1 person at the worst\n",
        "ocean: the account's balance is not known yet; requests take 1 second\n",
        "ocean: the dearest price counts until a worker has read the balance, unless one is set\n",
        "ocean: not ready: start the worker with OCEAN_API_TOKEN\n",
        "clodura: 1 person, at most 20 credits\n",
    ] {
        assert!(ran.out.contains(line), "{line}{ran:?}");
    }
    let json = cli.json(&with(&dry, &["--json"]));
    let ocean = json!({
        "people": 2, "worst_case": 60, "expected": null, "ceiling": 50, "ceiling_covers": 1,
        "balance": null, "seconds": 1, "ready": false,
    });
    assert_eq!(json["providers"]["ocean"], ocean);
    assert_eq!(json["providers"]["clodura"]["ceiling"], json!(null));
    cli.write(
        "people.csv",
        "linkedin_url\nlinkedin.com/in/a\nlinkedin.com/in/b\nlinkedin.com/in/c\n",
    );
    let slow = ["submit", "people.csv", "--dry-run", "--json", "--clodura-rate", "1/m"];
    assert_eq!(cli.json(&slow)["providers"]["clodura"]["seconds"], 180, "one request for each");
}

#[test]
fn a_ceiling_for_some_of_the_providers_is_wrong_usage() {
    let cli = Cli::new();
    cli.example("people-small.csv");
    let ran = cli.run(&["submit", "people-small.csv", "--max-credits", "ocean=5"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("write --max-credits ocean=5,clodura=N"), "{ran:?}");
    assert!(cli.status().is_empty());
    cli.ok(&["submit", "people-small.csv", "--max-credits", "ocean=5,clodura=unlimited"]);
}

#[test]
fn a_bare_ceiling_is_for_one_provider() {
    let cli = Cli::new();
    cli.example("people-small.csv");
    let ran = cli.run(&["submit", "people-small.csv", "--max-credits", "5"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("the batch has ocean and clodura"), "{ran:?}");
    assert!(cli.status().is_empty());
    cli.write("people.csv", "linkedin_url\nlinkedin.com/in/a\n");
    cli.ok(&["submit", "people.csv", "--max-credits", "5"]);
    cli.ok(&["submit", "people-small.csv", "--max-credits", "ocean=5,clodura=10"]);
}

#[test]
fn unreadable_files_fail() {
    let cli = Cli::new();
    let ran = cli.run(&["submit", "absent.csv"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("enqueue: /") && ran.err.contains("/absent.csv: "), "{ran:?}");
}
