//! Who may see the dashboard, and which forms it accepts.

use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use end_to_end::Kind;
use jobs::Clock;
use worker::admin::access::sessions::LIFE;
use worker::server::Peer;

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
async fn a_logout_ends_the_session_on_the_server() {
    let site = Site::locked().await;
    let (one, other) = (site.log_in(TOKEN).await, site.log_in(TOKEN).await);
    let own = [("origin", "http://127.0.0.1:8788"), ("sec-fetch-site", "same-origin")];
    let headers = [own[0], own[1], ("cookie", one.as_str())];
    let reply = site.send(request("POST", "/logout", &headers, "")).await;
    assert_eq!(reply.header("location"), "/login");
    assert!(reply.header("set-cookie").contains("reveal_queue_session=; "), "the cookie stays");
    assert_eq!(site.get_with("/", &[("cookie", &one)]).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(site.get_with("/", &[("cookie", &other)]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_ends_by_time_on_the_server() {
    let clock = Clock::manual(Clock::system().now());
    let site = Site::locked_at(clock.clone()).await;
    let cookie = site.log_in(TOKEN).await;
    let status = async || site.get_with("/", &[("cookie", &cookie)]).await.status;
    clock.advance(LIFE - Duration::from_secs(1));
    assert_eq!(status().await, StatusCode::OK);
    clock.advance(Duration::from_secs(1));
    assert_eq!(status().await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn guesses_are_slowed_and_counted() {
    let clock = Clock::manual(Clock::system().now());
    let site = Site::locked_at(clock.clone()).await;
    let bearer = |token: &str, peer: &str| {
        let value = format!("Bearer {token}");
        let mut request = request("GET", "/metrics", &[("authorization", &value)], "");
        request.extensions_mut().insert(Peer(peer.parse().expect("an address")));
        request
    };
    let guess = |n: usize| site.send(bearer(&format!("guess-number-{n:04}"), "192.0.2.1:99"));
    let started = Instant::now();
    let replies = futures::future::join_all((0..50).map(guess)).await;
    assert!(started.elapsed() >= Duration::from_millis(500), "they are answered at once");
    let with = |status| replies.iter().filter(|reply| reply.status == status).count();
    assert_eq!((with(StatusCode::UNAUTHORIZED), with(StatusCode::TOO_MANY_REQUESTS)), (10, 40));
    let last = replies.last().expect("a reply");
    assert_eq!(last.header("retry-after"), "6");

    // That address has to wait, even with the right token; other addresses and logged-in browsers don't.
    let status = async |peer: &str| site.send(bearer(TOKEN, peer)).await.status;
    assert_eq!(status("192.0.2.1:100").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(status("192.0.2.2:99").await, StatusCode::OK);
    clock.advance(Duration::from_secs(5));
    assert_eq!(status("192.0.2.1:101").await, StatusCode::OK);
    let metrics = site.send(bearer(TOKEN, "192.0.2.2:99")).await.text;
    for line in [
        "reveal_queue_admin_tokens_tried_total{from=\"bearer\",outcome=\"wrong\"} 10",
        "reveal_queue_admin_tokens_tried_total{from=\"bearer\",outcome=\"too_fast\"} 41",
        "reveal_queue_admin_tokens_tried_total{from=\"form\",outcome=\"wrong\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_logged_without_it() {
    let site = Site::locked().await;
    let logs = Logs::default();
    let writer = logs.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let logging = tracing::subscriber::set_default(subscriber);
    site.post("/login", "token=a-guess-by-form&next=%2F").await;
    site.get_with("/metrics", &[("authorization", "Bearer a-guess-by-bearer")]).await;
    drop(logging);
    let said = logs.text();
    assert_eq!(said.matches("wrong token").count(), 2, "{said}");
    assert!(
        said.contains("form") && said.contains("bearer") && !said.contains("a-guess"),
        "{said}"
    );
}

/// The captured log.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("nobody panics with it").clone()).expect("text")
    }
}

impl Write for Logs {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics with it").extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_cookie_is_for_tls_alone_where_tls_is() {
    let site = Site::locked().await;
    let form = "token=0123456789abcdef0123456789abcdef&next=%2F";
    let cookie = async |headers: &[(&str, &str)]| {
        let reply = site.send(request("POST", "/login", headers, form)).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER);
        reply.header("set-cookie").to_owned()
    };
    let same = ("sec-fetch-site", "same-origin");
    assert!(cookie(&[("origin", "https://127.0.0.1:8788"), same]).await.ends_with("; Secure"));
    assert!(cookie(&[("x-forwarded-proto", "https"), same]).await.ends_with("; Secure"));
    assert!(!cookie(&[("origin", "http://127.0.0.1:8788"), same]).await.contains("Secure"));
}

#[test]
fn a_list_of_tokens_that_is_wrong_is_refused_without_a_secret() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("tokens");
    std::fs::write(&file, "ada root 0123456789abcdef-secret\n").expect("a file");
    let ended = Command::new(env!("CARGO_BIN_EXE_worker"))
        .args(["--sandbox", "--until-idle", "--admin-tokens-file"])
        .arg(&file)
        .current_dir(directory.path())
        .output()
        .expect("worker runs");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("line 1: a role is viewer, operator or admin"), "{said}");
    assert!(!said.contains("0123456789abcdef-secret"), "{said}");
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
