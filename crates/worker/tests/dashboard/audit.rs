//! Every action on the dashboard is in the audit log, with the name of the token.

use axum::http::StatusCode;
use end_to_end::Kind;

use crate::site::{HOST, Site, TOKEN, request};

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(end_to_end::Kind::Sqlite).await; })* }
        mod postgres { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(end_to_end::Kind::Postgres).await; })* }
    };
}
on_both!(each_action_is_written_down);

async fn each_action_is_written_down(kind: Kind) {
    let site = Site::with_tokens(kind, "ada operator operator-0123456789abcdef\n").await;
    let batch = site.submit("Spring of Ada Lovelace", 5, Some(2)).await;
    site.reveal(1, 1).await;
    let ada = site.log_in("operator-0123456789abcdef").await;
    let admin = site.log_in(TOKEN).await;
    let origin = format!("http://{HOST}");
    let post = async |cookie: &str, path: &str, form: &'static str| {
        let headers = [("origin", origin.as_str()), ("cookie", cookie)];
        let reply = site.send(request("POST", path, &headers, form)).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER, "{path}: {}", reply.text);
    };
    let path = format!("/batches/{batch}");
    post(&ada, "/providers/ocean/pause", "").await;
    post(&ada, "/providers/ocean/resume", "").await;
    post(&admin, &format!("{path}/ceiling"), "provider=ocean&max_credits=4").await;
    post(&ada, &format!("{path}/cancel"), "").await;
    let csv = site.get_with(&format!("{path}/export.csv"), &[("cookie", &ada)]).await;
    assert_eq!(csv.status, StatusCode::OK);

    let mut entries = site.store.audit().entries(None, 10).await.expect("is read");
    entries.reverse();
    let logged: Vec<(&str, &str, &str)> = entries
        .iter()
        .map(|e| (e.actor.as_str(), e.role.as_deref().unwrap_or_default(), e.action.as_str()))
        .collect();
    assert_eq!(
        logged,
        [
            ("ada", "operator", "pause"),
            ("ada", "operator", "resume"),
            ("admin", "admin", "ceiling"),
            ("ada", "operator", "cancel"),
            ("ada", "operator", "export"),
        ]
    );
    assert!(entries.iter().all(|entry| entry.origin == "dashboard"));
    assert!(!format!("{entries:?}").contains("Lovelace"), "a name is in it");

    let page = site.get_with("/audit", &[("cookie", &admin)]).await;
    for text in ["ada", "Set a ceiling", "max_credits=4", "Exported", &batch.to_string()] {
        assert!(page.text.contains(text), "{text}: {}", page.text);
    }
    let refused = site.get_with("/audit", &[("cookie", &ada)]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_audit_log_is_paged_through() {
    let site = Site::open(Kind::Sqlite).await;
    assert!(site.get("/audit").await.text.contains("No entries"));
    for _ in 0..26 {
        site.post("/providers/ocean/pause", "").await;
        site.post("/providers/ocean/resume", "").await;
    }
    let page = site.get("/audit").await.text;
    assert_eq!(page.matches("<tr>").count(), 51);
    assert!(page.contains("local") && page.contains("href=\"/audit?before=3\""), "{page}");
    let older = site.get("/audit?before=3").await.text;
    assert_eq!(older.matches("<tr>").count(), 3);
    assert!(older.contains("Newest") && !older.contains("Older"));
    assert_eq!(site.get("/audit?before=x").await.status, StatusCode::OK);
}
