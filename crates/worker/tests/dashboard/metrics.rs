//! `/metrics`, as a scraper and a linter see it.

use std::io::Write;
use std::process::{Command, Stdio};

use end_to_end::Kind;

use crate::site::Site;

#[tokio::test]
async fn the_ledger_is_reported_in_numbers() {
    let site = Site::open(Kind::Sqlite).await;
    site.submit("Spring", 10, None).await;
    site.reveal(3, 1).await;
    let reply = site.get("/metrics").await;
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "reveal_queue_ledger_up{} 1.0",
        r#"reveal_queue_rows{provider="ocean",state="found"} 3.0"#,
        r#"reveal_queue_rows{provider="ocean",state="queued"} 6.0"#,
        r#"reveal_queue_gate{provider="ocean",state="open"} 1.0"#,
        r#"reveal_queue_credits_spent{provider="ocean"} 3.0"#,
        "# TYPE reveal_queue_requests_total counter",
        r#"reveal_queue_requests_total{provider="ocean",kind="reveal",outcome="accepted"} 0"#,
    ] {
        assert!(reply.text.lines().any(|l| l == line), "{line}\n{}", reply.text);
    }
    assert!(!reply.text.contains("Spring") && !reply.text.contains("o1"), "no names in labels");
    site.post("/providers/ocean/pause", "").await;
    let text = site.get("/metrics").await.text;
    assert!(
        text.contains(r#"reveal_queue_gate_shut{provider="ocean",reason="paused"} 1.0"#),
        "{text}"
    );
}

#[tokio::test]
async fn a_scraper_gets_the_format_it_asks_for() {
    let site = Site::open(Kind::Sqlite).await;
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let reply = site.get_with("/metrics", &[("accept", accept)]).await;
    assert!(reply.header("content-type").starts_with("application/openmetrics-text"));
    assert!(reply.text.ends_with("# EOF\n"));
    assert!(reply.text.contains("# TYPE reveal_queue_requests counter"));
}

/// Prometheus' own linter, where it is installed (Debian's package `prometheus` has it).
#[tokio::test]
async fn the_linter_has_nothing_to_say() {
    let site = Site::open(Kind::Sqlite).await;
    let text = site.get("/metrics").await.text;
    let linter = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut linter) = linter else {
        return every_family_is_described(&text);
    };
    linter.stdin.take().expect("its stdin").write_all(text.as_bytes()).expect("it reads");
    let said = linter.wait_with_output().expect("it ends");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    every_family_is_described(&text);
}

fn every_family_is_described(text: &str) {
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let described = |name: &str| {
            text.contains(&format!("# HELP {name} ")) && text.contains(&format!("# TYPE {name} "))
        };
        assert!(described(name) || family.is_some_and(described), "{line}");
        assert!(name.starts_with("reveal_queue_") || name.starts_with("process_"), "{line}");
    }
}
