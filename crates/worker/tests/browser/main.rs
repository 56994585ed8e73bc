//! The dashboard of a real worker in a real browser. The pictures are left in `target/screenshots`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests say what they expect by panicking, as tests do"
)]

mod barriers; // what keeps people out
mod reader; // what the page leaves alone
mod webdriver; // a browser
mod worker; // what it looks at

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use webdriver::Browser;
use worker::Worker;

/// No condition takes longer on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// `scripts/test` sets it on machines without a browser.
fn left_out() -> bool {
    std::env::var("TEST_BROWSER").is_ok_and(|value| value == "0")
}

/// Waits until a text of the page is as it should be.
async fn until(browser: &Browser, selector: &str, wanted: impl Fn(&str) -> bool) -> String {
    let started = Instant::now();
    loop {
        let text = browser.text(selector).await;
        if wanted(&text) {
            return text;
        }
        assert!(started.elapsed() < PATIENCE, "{selector} is still {text:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn keep(browser: &Browser, name: &str) {
    let directory = end_to_end::repository().join("target/screenshots");
    std::fs::create_dir_all(&directory).expect("a directory");
    let picture = BASE64_STANDARD.decode(browser.picture().await).expect("base64");
    std::fs::write(directory.join(name), picture).expect("a file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_follows_a_batch_and_steps_in() {
    if left_out() {
        eprintln!("left out: TEST_BROWSER=0");
        return;
    }
    let worker = Worker::start().await;
    let browser = Browser::start().await;
    browser.open(&worker.url).await;
    assert_eq!(browser.text(".batches").await, "", "nothing is submitted yet");
    browser.run("window.sameDocument = true").await;

    let batch = worker.submit("Spring campaign", 400).await;
    numbers_change_by_themselves(&browser).await;
    a_provider_is_paused_and_resumed(&browser).await;
    pictures_of_the_front_page(&browser).await;
    rows_are_filtered(&browser, &worker, &batch).await;
    the_export_is_downloaded(&browser, &worker).await;
    nothing_was_refused_by_the_policy(&browser, &worker).await;
    browser.close().await;
    one_id_leads_through_the_logs(&worker);
}

async fn numbers_change_by_themselves(browser: &Browser) {
    until(browser, ".batches", |text| text.contains("Spring campaign")).await;
    let found = ".tiles > div:nth-child(3) dd.big";
    let first = until(browser, found, |n| n != "0" && !n.is_empty()).await;
    until(browser, found, |n| n != first).await;
    assert_eq!(browser.run("return window.sameDocument").await, true, "the page was loaded again");
    assert_eq!(browser.text("#live-status").await, "Live");
}

async fn a_provider_is_paused_and_resumed(browser: &Browser) {
    browser.click("#pause-clodura").await;
    until(browser, "main .notice", |text| text.contains("Clodura is paused")).await;
    until(browser, "#provider-clodura .gate", |text| text == "Paused").await;
    until(browser, ".stuck", |text| text.contains("paused by hand")).await;
    browser.prefer("light").await;
    browser.size(1180, 900, false).await;
    keep(browser, "paused.png").await;
    browser.click("#resume-clodura").await;
    until(browser, "#provider-clodura .gate", |text| text == "Open").await;
}

async fn pictures_of_the_front_page(browser: &Browser) {
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        browser.size(1180, 900, false).await;
        keep(browser, &format!("dashboard-{scheme}.png")).await;
        browser.size(390, 844, true).await;
        keep(browser, &format!("dashboard-phone-{scheme}.png")).await;
        no_scrolling_sideways(browser).await;
    }
    browser.prefer("light").await;
    browser.size(1180, 900, false).await;
}

async fn no_scrolling_sideways(browser: &Browser) {
    let wide = browser.run("return document.documentElement.scrollWidth - window.innerWidth").await;
    assert!(wide.as_i64().is_some_and(|n| n <= 0), "wider than the window by {wide}");
}

async fn rows_are_filtered(browser: &Browser, worker: &Worker, batch: &str) {
    browser.open(&format!("{}/batches/{batch}", worker.url)).await;
    keep(browser, "batch-light.png").await;
    browser.click("#next").await;
    until(browser, ".pager", |text| text.starts_with("Rows 51 to 100")).await;
    browser.click("#previous").await;
    until(browser, ".pager", |text| text.starts_with("Rows 1 to 50")).await;
    browser.click(".chips a[href*='state=found']").await;
    until(browser, ".chips a[aria-current]", |text| text.starts_with("Found")).await;
    let states =
        "return [...document.querySelectorAll('.rows .state .pill')].map(pill => pill.innerText)";
    let states = browser.run(states).await;
    let states = states.as_array().expect("a list");
    assert!(!states.is_empty() && states.iter().all(|state| state == "Found"), "{states:?}");
    let masked = browser.text(".rows .phones").await;
    assert!(masked.starts_with('•') && masked.trim_start_matches('•').len() < 3, "{masked}");
    browser.prefer("dark").await;
    browser.size(390, 844, true).await;
    no_scrolling_sideways(browser).await;
    keep(browser, "batch-phone-dark.png").await;
    browser.prefer("light").await;
    browser.size(1180, 900, false).await;
}

async fn the_export_is_downloaded(browser: &Browser, worker: &Worker) {
    let directory = worker.directory().join("downloads");
    std::fs::create_dir(&directory).expect("a directory");
    browser.download_to(&directory).await;
    browser.click("#csv").await;
    let file = directory.join("Spring campaign.csv");
    let text = whole(&file).await;
    assert!(text.starts_with("name,reveal_state,"), "{text}");
    assert_eq!(text.lines().count(), 401);
}

async fn whole(file: &PathBuf) -> String {
    let started = Instant::now();
    while !Path::new(file).is_file() {
        assert!(started.elapsed() < PATIENCE, "{} was not downloaded", file.display());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    std::fs::read_to_string(file).expect("a file")
}

/// One id leads from the answer to a request to its results, and every line is JSON.
fn one_id_leads_through_the_logs(worker: &Worker) {
    let logs = worker.logs();
    assert!(logs.iter().all(|line| line.is_object()), "a line is no JSON");
    let said =
        |what: &'static str| logs.iter().filter(move |line| line["fields"]["message"] == what);
    let answered: Vec<_> = said("answered").map(|line| &line["span"]["call_id"]).collect();
    assert!(!answered.is_empty() && answered.iter().all(|id| id.is_string()));
    let mut applied = said("results applied").map(|line| &line["fields"]["call_id"]);
    assert!(applied.any(|id| answered.contains(&id)), "no call can be followed to its results");
}

/// Style and script of the page itself must pass its own content policy.
async fn nothing_was_refused_by_the_policy(browser: &Browser, worker: &Worker) {
    browser.open(&worker.url).await;
    let font =
        browser.run("return getComputedStyle(document.querySelector('.tiles')).display").await;
    assert_eq!(font, "grid", "the style does not apply");
    let smuggled = "const s = document.createElement('script'); s.textContent = 'window.smuggled = 1'; \
                    document.body.append(s); return window.smuggled ?? 'refused'";
    assert_eq!(browser.run(smuggled).await, "refused");
}
