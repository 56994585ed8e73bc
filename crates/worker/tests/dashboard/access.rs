//! Who may see the dashboard, and whose forms it takes.

use std::process::Command;

use axum::http::StatusCode;
use end_to_end::Kind;

use crate::site::{Site, TOKEN, request};

#[tokio::test]
async fn other_names_for_this_machine_are_not_served() {
    let site = Site::open(Kind::Sqlite).await;
    for foreign in ["evil.example", "evil.example:8788", "127.0.0.1.evil.example", "192.0.2.7:8788"]
    {
        for path in ["/", "/metrics", "/batches/x/export.csv"] {
            let reply = site.get_with(path, &[("host", foreign)]).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{foreign} {path}");
        }
        assert_eq!(site.get_with("/healthz", &[("host", foreign)]).await.status, StatusCode::OK);
    }
    for own in ["localhost:8788", "127.0.0.1:8788", "[::1]:8788", "127.0.0.1"] {
        assert_eq!(site.get_with("/", &[("host", own)]).await.status, StatusCode::OK, "{own}");
    }
}

#[tokio::test]
async fn forms_of_other_sites_change_nothing() {
    let site = Site::open(Kind::Sqlite).await;
    let foreign: [&[(&str, &str)]; 7] = [
        &[],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:9999")],
        &[("origin", "http://127.0.0.1:8788.evil.example")],
        &[("origin", "http://127.0.0.1:8788"), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ];
    for headers in foreign {
        let reply = site.send(request("POST", "/providers/ocean/pause", headers, "")).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    let paused = "SELECT paused FROM provider_gates WHERE provider = 'ocean'";
    assert_eq!(site.database.int(paused).await, 0);
    let reply = site.post("/providers/ocean/pause", "").await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    assert_eq!(site.database.int(paused).await, 1);
    assert_eq!(site.get("/providers/ocean/pause").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn nothing_but_health_is_served_without_the_token() {
    let site = Site::locked().await;
    assert_eq!(site.get("/healthz").await.text, "ok\n");
    assert_eq!(site.get("/readyz").await.text, "ready\n");
    for path in ["/", "/metrics", "/batches/x", "/batches/x/export.csv", "/nothing"] {
        let reply = site.get(path).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"reveal-queue\"");
        let page = site.get_with(path, &[("accept", "text/html")]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
        assert!(page.header("location").starts_with("/login?next=%2F"), "{path}");
    }
    let reply = site.post("/providers/ocean/pause", "").await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_scrape_brings_the_token_along() {
    let site = Site::locked().await;
    let bearer = format!("Bearer {TOKEN}");
    let scrape =
        async |value: &str| site.get_with("/metrics", &[("authorization", value)]).await.status;
    assert_eq!(scrape(&bearer).await, StatusCode::OK);
    for wrong in ["Bearer 0123456789abcdef0123456789abcdeF", "Bearer ", "Basic eA==", TOKEN] {
        assert_eq!(scrape(wrong).await, StatusCode::UNAUTHORIZED, "{wrong}");
    }
}

#[tokio::test]
async fn a_login_gives_a_cookie_that_scripts_and_other_sites_never_see() {
    let site = Site::locked().await;
    let wrong = site.post("/login", "token=guess&next=%2F").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.text.contains("That is not the token.") && wrong.header("set-cookie").is_empty());

    let form = "token=0123456789abcdef0123456789abcdef&next=%2F%2Fevil.example";
    let reply = site.post("/login", form).await;
    assert_eq!((reply.status, reply.header("location")), (StatusCode::SEE_OTHER, "/"));
    let cookie = reply.header("set-cookie").to_owned();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict;"), "{cookie}");
    assert!(!cookie.contains(TOKEN), "the cookie tells the token");

    let session = cookie.split(';').next().expect("a pair");
    let page = site.get_with("/", &[("cookie", session)]).await;
    assert!(page.status == StatusCode::OK && page.text.contains("Log out"));
    let tampered = format!("{}0", &session[..session.len() - 1]);
    let other = site.get_with("/", &[("cookie", &tampered), ("accept", "text/html")]).await;
    assert!(tampered == session || other.status == StatusCode::SEE_OTHER);
}

#[test]
fn a_worker_does_not_start_open_to_others() {
    let directory = tempfile::tempdir().expect("a directory");
    let ended = Command::new(env!("CARGO_BIN_EXE_worker"))
        .args(["--sandbox", "--until-idle", "--admin-addr=0.0.0.0:0", "--listen-addr=127.0.0.1:0"])
        .current_dir(directory.path())
        .env_remove("ADMIN_TOKEN")
        .env_remove("DATABASE_URL")
        .output()
        .expect("worker runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("ADMIN_TOKEN"), "{said}");
    assert!(!directory.path().join("sandbox.db").exists(), "it made a database before");
}
