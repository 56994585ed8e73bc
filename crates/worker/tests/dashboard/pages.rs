//! What the pages show, on both databases.

use axum::http::StatusCode;
use end_to_end::Kind;
use jobs::outcome::Refusal;

use crate::site::Site;

const HOSTILE: &str = r#"</script><script>alert(1)</script><img src=x onerror=alert(2)> "'&"#;

/// Nothing that came from outside may be markup.
fn assert_harmless(text: &str) {
    assert!(!text.contains("<script>alert") && !text.contains("<img src=x"), "{text}");
    assert!(!text.contains(" onerror=") || text.contains("&lt;img src=x onerror="), "{text}");
}

macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(end_to_end::Kind::Sqlite).await; })* }
        mod postgres { $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(end_to_end::Kind::Postgres).await; })* }
    };
}
on_both!(
    an_empty_ledger_says_what_to_do,
    a_batch_is_shown_and_exported,
    every_batch_and_every_row_can_be_paged_to,
    what_is_stuck_is_said,
    a_batch_is_changed_by_hand,
    a_worker_that_is_gone_is_missed,
);

async fn an_empty_ledger_says_what_to_do(kind: Kind) {
    let site = Site::open(kind).await;
    let page = site.get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    for text in
        ["Nothing submitted yet", "enqueue submit people.csv", "No results in the last hour"]
    {
        assert!(page.text.contains(text), "{text}");
    }
    assert_eq!(site.get("/batches/01J").await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.get("/nothing").await.status, StatusCode::NOT_FOUND);
}

async fn a_batch_is_shown_and_exported(kind: Kind) {
    let site = Site::open(kind).await;
    let batch = site.submit("Spring", 120, None).await;
    site.reveal(30, 10).await;
    let home = site.get("/").await.text;
    for text in ["Spring", "30 Found", "10 Not found", "80 Queued", "40 of 120 rows (33 %)"] {
        assert!(home.contains(text), "{text}: {home}");
    }
    assert!(home.contains("30 found, 10 not found"), "this minute's bar");

    let page = site.get(&format!("/batches/{batch}")).await.text;
    assert!(page.contains("••••••••78") && !page.contains("12345678"), "numbers are masked");
    assert_eq!(page.matches("<td class=\"no").count(), 50);
    assert!(
        page.contains("<th scope=\"col\">name</th>") && page.contains(">Person 7</td>"),
        "{page}"
    );
    let next = site.get(&format!("/batches/{batch}?after=100")).await.text;
    assert_eq!(next.matches("<td class=\"no").count(), 20);
    let none = site.get(&format!("/batches/{batch}?state=not_found")).await.text;
    assert_eq!(none.matches("<td class=\"no").count(), 10);
    let odd = site.get(&format!("/batches/{batch}?state=%3Cscript%3E&after=-5")).await;
    assert_eq!(odd.status, StatusCode::OK);

    let csv = site.get(&format!("/batches/{batch}/export.csv")).await;
    assert_eq!(csv.text.lines().count(), 121);
    assert!(csv.text.starts_with("name,reveal_state,reveal_provider,reveal_phones"));
    assert!(csv.text.contains("+4512345678"), "the export has the numbers");
    let file = "attachment; filename=\"Spring.csv\"; filename*=UTF-8''Spring.csv";
    assert_eq!(csv.header("content-disposition"), file);
    let lines = site.get(&format!("/batches/{batch}/export.jsonl")).await;
    assert_eq!(lines.text.lines().count(), 120);
    assert!(lines.text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

async fn every_batch_and_every_row_can_be_paged_to(kind: Kind) {
    let site = Site::open(kind).await;
    let batch = site.submit("The first", 120, None).await;
    for n in 2..=35 {
        site.submit(&format!("Batch {n}"), 1, None).await;
    }
    let home = site.get("/").await.text;
    assert!(home.contains("1 to 25 of 35") && home.contains("href=\"/batches?page=2\""), "{home}");
    assert!(!home.contains("The first"));
    let older = site.get("/batches?page=2").await.text;
    assert!(older.contains("26 to 35 of 35") && older.contains("The first"), "{older}");
    assert!(older.contains("href=\"/batches\"") && !older.contains("id=\"older\""), "{older}");
    for odd in ["/batches", "/batches?page=-1", "/batches?page=x"] {
        assert!(site.get(odd).await.text.contains("1 to 25 of 35"), "{odd}");
    }
    assert!(site.get("/batches?page=99999999999999").await.text.contains("26 to 35 of 35"));

    let mut address = format!("/batches/{batch}");
    for (link, rows) in [
        ("next", "Rows 1 to 50"),
        ("next", "Rows 51 to 100"),
        ("previous", "Rows 101 to 120"),
        ("previous", "Rows 51 to 100"),
        ("next", "Rows 1 to 50"),
    ] {
        let page = site.get(&address).await.text;
        assert!(page.contains(rows), "{address} doesn't show {rows}");
        let at = page.find(&format!("id=\"{link}\" href=\"")).expect("the link");
        let href = page[at..].split('"').nth(3).expect("its address");
        address = href.replace("&amp;", "&");
    }
}

async fn what_is_stuck_is_said(kind: Kind) {
    let site = Site::open(kind).await;
    let batch = site.submit(HOSTILE, 5, Some(2)).await;
    site.refuse(Refusal::Misconfigured { message: HOSTILE.into() }).await;
    let page = site.get("/").await.text;
    assert_harmless(&page);
    assert!(page.contains("the provider refuses this set-up"), "{page}");
    assert!(page.contains("Try now"));
    assert_harmless(&site.get(&format!("/batches/{batch}")).await.text);
    assert_harmless(&site.get(&format!("/batches/{batch}/cancel")).await.text);

    assert_eq!(site.post("/providers/ocean/resume", "").await.status, StatusCode::SEE_OTHER);
    site.refuse(Refusal::Unavailable { message: HOSTILE.into(), retry_after: None }).await;
    assert_harmless(&site.until("/", "Retrying</span>").await);
}

async fn a_worker_that_is_gone_is_missed(kind: Kind) {
    let site = Site::open(kind).await;
    site.submit("Spring", 3, None).await;
    assert!(!site.get("/").await.text.contains("No worker has sent requests"));
    site.stop_worker().await;
    let page = site.until("/", "No worker has sent requests since 20").await;
    assert!(page.contains("start worker"), "{page}");
}

/// A button on the page does the same as the command.
#[tokio::test]
async fn no_command_stands_next_to_a_button() {
    let site = Site::open(Kind::Sqlite).await;
    let batch = site.submit("Spring", 5, Some(2)).await;
    site.claim(3).await;
    let pages = async || {
        let batch = site.get(&format!("/batches/{batch}")).await.text;
        site.get("/").await.text + &site.get("/batches").await.text + &batch
    };
    let at_ceiling = pages().await;
    assert!(at_ceiling.contains("its ceiling of 2 credits is reached"), "{at_ceiling}");
    site.post("/providers/ocean/pause", "").await;
    let paused = pages().await;
    assert!(paused.contains("held: paused"), "{paused}");
    for text in [at_ceiling, paused] {
        assert!(!text.contains("enqueue resume"), "{text}");
    }
}

#[tokio::test]
async fn every_batch_has_a_name_to_click() {
    let site = Site::open(Kind::Sqlite).await;
    let batch = site.submit(" ", 1, None).await;
    let link = format!("href=\"/batches/{batch}\">{batch}</a>");
    assert!(site.get("/").await.text.contains(&link));
}

/// Headings begin at 1, once, and none is skipped on the way down.
#[tokio::test]
async fn headings_are_an_outline() {
    let site = Site::open(Kind::Sqlite).await;
    let batch = site.submit("Spring", 5, Some(2)).await;
    site.claim(3).await;
    let of_batch = format!("/batches/{batch}");
    let cancel = format!("{of_batch}/cancel");
    for path in ["/", "/batches", "/audit", "/nothing", &of_batch, &cancel] {
        let page = site.get(path).await.text;
        let levels = page
            .match_indices("<h")
            .filter_map(|(at, _)| page[at + 2..].chars().next()?.to_digit(10));
        let levels: Vec<u32> = levels.collect();
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1, "{path}: {levels:?}");
        let mut above = 0;
        for level in levels {
            assert!(level <= above + 1, "{path}: a heading of level {level} below {above}");
            above = level;
        }
    }
}

/// A row that is held up by two causes is counted once.
#[tokio::test]
async fn a_row_is_stuck_for_one_cause() {
    let site = Site::open(Kind::Sqlite).await;
    site.submit("Spring", 5, Some(2)).await;
    site.claim(3).await;
    let page = site.get("/").await.text;
    assert!(page.contains("Spring is at its ceiling"), "{page}");
    site.post("/providers/ocean/pause", "").await;
    let page = site.get("/").await.text;
    assert!(
        page.contains("Ocean.io: paused by hand") && !page.contains("at its ceiling"),
        "{page}"
    );
}

async fn a_batch_is_changed_by_hand(kind: Kind) {
    let site = Site::open(kind).await;
    let batch = site.submit("Spring", 5, Some(2)).await;
    site.reveal(1, 1).await;
    let path = format!("/batches/{batch}");

    let reply = site.post(&format!("{path}/ceiling"), "provider=ocean&max_credits=4").await;
    assert_eq!(reply.header("location"), path);
    assert!(site.next(&reply).await.text.contains("The ceiling at Ocean.io is set."));
    let ceiling = "SELECT max_credits / 1000 FROM batch_totals WHERE provider = 'ocean'";
    assert_eq!(site.database.int(ceiling).await, 4);
    let wrong = site.post(&format!("{path}/ceiling"), "provider=ocean&max_credits=-1").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);

    let asked = site.get(&format!("{path}/cancel")).await.text;
    assert!(
        asked.contains("Cancel this batch?") && asked.contains("3 rows will end as cancelled"),
        "{asked}"
    );
    let reply = site.post(&format!("{path}/cancel"), "").await;
    let page = site.next(&reply).await.text;
    assert!(page.contains("Cancelled: 3 rows ended.") && page.contains("<b>3</b> Cancelled"));
    let reply = site.post(&format!("{path}/retry"), "").await;
    assert!(site.next(&reply).await.text.contains("0 rows will be asked once more."));
    assert_eq!(site.post("/batches/nobody/cancel", "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(site.post("/providers/nobody/pause", "").await.status, StatusCode::NOT_FOUND);
}

/// A notice is shown once to the browser that acted, and not to a browser that follows a link.
#[tokio::test]
async fn a_notice_is_for_those_who_acted() {
    let site = Site::open(Kind::Sqlite).await;
    for link in ["/?said=paused&of=ocean", "/?said=cancelled&rows=7"] {
        assert!(!site.get(link).await.text.contains("class=\"notice\" role=\"status\""), "{link}");
    }
    let reply = site.post("/providers/ocean/pause", "").await;
    assert_eq!(reply.header("location"), "/");
    let page = site.next(&reply).await;
    assert!(page.text.contains("Ocean.io is paused. What is paid for is still received."));
    assert!(
        page.header("set-cookie").contains("=; ")
            && page.header("set-cookie").contains("Max-Age=0")
    );
    assert!(!site.get("/").await.text.contains("class=\"notice\" role=\"status\""));
}

#[tokio::test]
async fn only_the_pages_own_script_and_style_run() {
    let site = Site::open(Kind::Sqlite).await;
    for path in ["/", "/nothing", "/batches/x", "/healthz", "/metrics", "/login"] {
        let reply = site.get(path).await;
        let policy = reply.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{path}: {policy}");
        assert!(
            !policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("cache-control"), "no-store");
        assert!(!reply.text.contains(" style=\"") && !reply.text.contains(" onclick="), "{path}");
    }
}

#[tokio::test]
async fn the_script_gets_the_parts_alone() {
    let site = Site::open(Kind::Sqlite).await;
    let whole = site.get("/").await.text;
    let parts = site.get_with("/", &[("x-live", "1")]).await.text;
    assert!(
        parts.starts_with("<title>") && !parts.contains("<style>") && !parts.contains("<script>")
    );
    assert!(parts.len() * 2 < whole.len(), "{} of {}", parts.len(), whole.len());
    for part in ["summary", "providers", "batches", "workers"] {
        let marker = format!("data-live=\"{part}\"");
        assert!(whole.contains(&marker) && parts.contains(&marker), "{part}");
    }
    assert!(whole.contains("<noscript><a href=\"\">Refresh</a></noscript>"), "{whole}");
    assert!(!whole.contains("http-equiv"), "a page that loads itself again can't be paused");
}
