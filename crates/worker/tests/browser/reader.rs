//! A page that keeps itself up to date leaves its reader alone.

use std::time::{Duration, Instant};

use crate::webdriver::Browser;
use crate::worker::Worker;
use crate::{PATIENCE, left_out, until};

const FOUND: &str = ".tiles > div:nth-child(3) dd.big";

/// Waits until the number of rows found changes.
async fn until_it_moves(browser: &Browser) {
    let before = browser.text(FOUND).await;
    until(browser, FOUND, |n| n != before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reader_does_is_left_alone() {
    if left_out() {
        eprintln!("left out: TEST_BROWSER=0");
        return;
    }
    let mut worker = Worker::start().await;
    let browser = Browser::start().await;
    worker.submit("Spring campaign", 2_000).await;
    browser.size(1180, 500, false).await;
    browser.open(&worker.url).await;
    until(&browser, ".batches", |text| text.contains("Spring campaign")).await;
    focus_and_scroll_stay(&browser, &worker).await;
    a_selection_stays(&browser).await;
    updates_can_be_paused(&browser, &worker).await;
    an_unreadable_ledger_is_not_live(&browser, &worker).await;
    a_worker_that_is_gone_is_missed(&browser, &mut worker).await;
    browser.close().await;
}

async fn focus_and_scroll_stay(browser: &Browser, worker: &Worker) {
    browser
        .run(
            "window.link = document.querySelector('.batch a'); link.focus(); \
             scrollTo(0, 150)",
        )
        .await;
    until_it_moves(browser).await;
    // A new batch is before the one that has the focus.
    worker.submit("Summer campaign", 500).await;
    until(browser, ".batches", |text| text.contains("Summer campaign")).await;
    until_it_moves(browser).await;
    let kept = "return [document.activeElement === window.link, link.isConnected, link.innerText, scrollY >= 100]";
    let kept = browser.run(kept).await;
    assert_eq!(kept, serde_json::json!([true, true, "Spring campaign", true]));
}

async fn a_selection_stays(browser: &Browser) {
    browser
        .run("getSelection().selectAllChildren(document.querySelector('#provider-ocean h3'))")
        .await;
    until_it_moves(browser).await;
    assert_eq!(browser.run("return String(getSelection())").await, "Ocean.io");
    browser.run("getSelection().removeAllRanges()").await;
}

async fn updates_can_be_paused(browser: &Browser, worker: &Worker) {
    browser.click("#live-pause").await;
    assert_eq!(browser.text("#live-status").await, "Paused");
    let still = browser.text(FOUND).await;
    browser
        .run("window.asked = 0; const f = window.fetch; window.fetch = (...a) => { asked += 1; return f(...a); }")
        .await;
    // This many results take several seconds, in which the page would have asked more than once.
    let enough = still.replace(',', "").parse::<i64>().expect("a number") + 60;
    let started = Instant::now();
    while worker.found().await < enough {
        assert!(started.elapsed() < PATIENCE, "the worker finds no more");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    browser.run("document.dispatchEvent(new Event('visibilitychange'))").await;
    assert_eq!(
        (browser.run("return asked").await, browser.text(FOUND).await),
        (0.into(), still.clone())
    );
    browser.click("#live-pause").await;
    until(browser, FOUND, |n| n != still).await;
    assert_eq!(browser.text("#live-status").await, "Live");
}

async fn an_unreadable_ledger_is_not_live(browser: &Browser, worker: &Worker) {
    let table = |from: &str, to: &str| worker.sql(&format!("ALTER TABLE {from} RENAME TO {to}"));
    table("settings", "elsewhere");
    let said = until(browser, "#live-stale", |text| !text.is_empty()).await;
    assert!(said.starts_with("The ledger has not been readable since "), "{said}");
    assert_eq!(browser.text("#live-status").await, "Trying again");
    browser.open(&worker.url).await;
    assert_eq!(browser.text("h1").await, "The ledger can't be read");
    assert_eq!(browser.text("#live-status").await, "Trying again");
    table("elsewhere", "settings");
    until(browser, "#live-status", |text| text == "Live").await;
    until(browser, ".batches", |text| text.contains("Spring campaign")).await;
}

async fn a_worker_that_is_gone_is_missed(browser: &Browser, worker: &mut Worker) {
    assert_eq!(browser.text("#live-stale").await, "");
    worker.kill();
    let said = until(browser, "#live-stale", |text| !text.is_empty()).await;
    assert!(
        said.starts_with("This worker has not answered since ") && said.contains(" UTC."),
        "{said}"
    );
    assert_eq!(browser.text("#live-status").await, "Trying again");
    assert_eq!(browser.run("return document.body.className").await, "stale");
}
