//! A page that keeps itself up to date leaves its reader alone.

use crate::webdriver::Browser;
use crate::worker::Worker;
use crate::{left_out, until};

const FOUND: &str = ".tiles > div:nth-child(3) dd.big";

/// Waits until the number of those found is another one.
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
    updates_can_be_paused(&browser).await;
    a_worker_that_is_gone_is_missed(&browser, &mut worker).await;
    browser.close().await;
}

async fn focus_and_scroll_stay(browser: &Browser, worker: &Worker) {
    browser
        .run(
            "window.link = document.querySelector('.batch a'); link.focus(); \
             scrollTo(0, document.body.scrollHeight); window.at = scrollY",
        )
        .await;
    until_it_moves(browser).await;
    // A batch that comes in stands before the one that has the focus.
    worker.submit("Summer campaign", 500).await;
    until(browser, ".batches", |text| text.contains("Summer campaign")).await;
    until_it_moves(browser).await;
    let kept = "return [document.activeElement === window.link, link.isConnected, link.innerText, scrollY > 0 && scrollY >= window.at]";
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

async fn updates_can_be_paused(browser: &Browser) {
    browser.click("#live-pause").await;
    assert_eq!(browser.text("#live-status").await, "Paused");
    let still = browser.text(FOUND).await;
    browser.run("window.asked = 0; const f = window.fetch; window.fetch = (...a) => { asked += 1; return f(...a); }").await;
    // Longer than two updates would take: what is to be seen is that nothing happens.
    let waited = browser.run_to_its_end("setTimeout(arguments[0], 3500, 'waited')").await;
    assert_eq!((waited, browser.text(FOUND).await), ("waited".into(), still.clone()));
    assert_eq!(browser.run("return asked").await, 0);
    browser.click("#live-pause").await;
    until(browser, FOUND, |n| n != still).await;
    assert_eq!(browser.text("#live-status").await, "Live");
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
