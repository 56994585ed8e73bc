//! What each role may do, as the addresses enforce it; the table itself is `admin/access/roles.rs`.

use axum::http::StatusCode;
use end_to_end::Kind;

use crate::site::{Site, request};

const TOKENS: &str = "\
# name role token
screen viewer   viewer-0123456789abcdef
ada    operator operator-0123456789abcdef
root   admin    admin-0123456789abcdef
";

async fn status(site: &Site, role: &str, method: &str, path: &str) -> StatusCode {
    let bearer = format!("Bearer {role}-0123456789abcdef");
    site.send(request(method, path, &[("authorization", &bearer)], "")).await.status
}

#[tokio::test]
async fn every_address_asks_for_a_role() {
    let site = Site::with_tokens(Kind::Sqlite, TOKENS).await;
    let batch = site.submit("Spring", 3, Some(2)).await;
    let path = |rest: &str| format!("/batches/{batch}{rest}");
    for (method, path, least) in [
        ("GET", "/".to_owned(), 0),
        ("GET", "/metrics".to_owned(), 0),
        ("GET", "/batches".to_owned(), 0),
        ("GET", path(""), 0),
        ("GET", path("/export.csv"), 1),
        ("GET", path("/export.jsonl"), 1),
        ("GET", path("/cancel"), 1),
        ("POST", "/providers/ocean/pause".to_owned(), 1),
        ("POST", "/providers/ocean/resume".to_owned(), 1),
        ("POST", path("/retry"), 1),
        ("POST", path("/cancel"), 1),
        ("POST", path("/ceiling"), 2),
        ("GET", "/audit".to_owned(), 2),
    ] {
        for (rank, role) in ["viewer", "operator", "admin"].into_iter().enumerate() {
            let answered = status(&site, role, method, &path).await;
            let refused = answered == StatusCode::FORBIDDEN;
            assert_eq!(refused, rank < least, "{role} {method} {path}: {answered}");
        }
    }
}

#[tokio::test]
async fn a_viewer_sees_no_people_and_nothing_to_press() {
    let site = Site::with_tokens(Kind::Sqlite, TOKENS).await;
    let batch = site.submit("Spring", 3, Some(2)).await;
    site.reveal(1, 1).await;
    let page = async |role: &str, path: &str| {
        let bearer = format!("Bearer {role}-0123456789abcdef");
        site.get_with(path, &[("authorization", &bearer)]).await.text
    };
    let path = format!("/batches/{batch}");
    let (seen, whole) = (page("viewer", &path).await, page("operator", &path).await);
    for hidden in [">o1<", "••••••••78", "export.csv", "/cancel"] {
        assert!(whole.contains(hidden) && !seen.contains(hidden), "{hidden}: {seen}");
    }
    assert!(seen.contains("The role viewer sees no people.") && seen.contains("Found"), "{seen}");
    assert!(!page("viewer", "/").await.contains("<form method=\"post\" action=\"/providers"));
    let (operators, admins) = (page("operator", &path).await, page("admin", &path).await);
    assert!(!operators.contains("/ceiling") && admins.contains("/ceiling"));
    assert!(!operators.contains("/audit") && admins.contains("/audit"));
}
