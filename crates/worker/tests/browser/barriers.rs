//! No page has a barrier that axe-core finds, in light and in dark, on a wide screen and on a phone.

use std::process::Command;

use serde_json::Value;

use crate::webdriver::Browser;
use crate::worker::Worker;
use crate::{left_out, until};

const TOKEN: &str = "admin-0123456789abcdef";

/// axe-core, which `scripts/axe` brings.
fn axe() -> String {
    let root = end_to_end::repository();
    let brought = Command::new(root.join("scripts/axe")).status().expect("scripts/axe runs");
    assert!(brought.success(), "scripts/axe failed");
    std::fs::read_to_string(root.join("target/axe/axe.min.js")).expect("axe-core")
}

/// What axe finds on the page: each rule that is broken, with the elements that break it.
async fn barriers(browser: &Browser, axe: &str) -> Vec<String> {
    browser.run(axe).await;
    let found = browser
        .run_to_its_end(
            "const done = arguments[arguments.length - 1]; \
             axe.run().then(found => done(found.violations.map(rule => \
               rule.id + ': ' + rule.nodes.map(node => node.html.slice(0, 160) + ' ' + node.failureSummary).join(' | '))), \
               error => done([String(error)]))",
        )
        .await;
    let found = found.as_array().cloned().expect("a list");
    found.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

async fn assert_none(browser: &Browser, axe: &str, page: &str) {
    let mut problems = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        for (width, height, phone) in [(1180, 900, false), (390, 844, true)] {
            browser.size(width, height, phone).await;
            let found = barriers(browser, axe).await;
            problems
                .extend(found.into_iter().map(|rule| format!("{page}, {scheme}, {width}: {rule}")));
            if phone {
                crate::no_scrolling_sideways(browser).await;
            }
        }
    }
    crate::keep(browser, &format!("{page}-phone-dark.png")).await;
    browser.prefer("light").await;
    browser.size(1180, 900, false).await;
    crate::keep(browser, &format!("{page}-light.png")).await;
    assert!(problems.is_empty(), "{problems:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_has_a_barrier() {
    if left_out() {
        eprintln!("left out: TEST_BROWSER=0");
        return;
    }
    let axe = axe();
    let mut worker = Worker::start_with(&["--admin-token", TOKEN]).await;
    let browser = Browser::start().await;
    browser.open(&worker.url).await;
    assert_none(&browser, &axe, "login").await;
    browser.run(&format!("document.getElementById('token').value = '{TOKEN}'")).await;
    browser.click("button[type=submit]").await;
    until(&browser, "#live-status", |text| text == "Live").await;
    assert_none(&browser, &axe, "empty").await;

    let batch = worker.submit("Spring campaign", 300).await;
    for n in 1..=26 {
        worker.submit(&format!("Batch number {n} of a longer list of them"), 3).await;
    }
    let found = ".tiles > div:nth-child(3) dd.big";
    until(&browser, found, |n| n != "0" && !n.is_empty()).await;
    browser.click("#pause-clodura").await;
    until(&browser, "main .notice", |text| text.contains("Clodura is paused")).await;
    until(&browser, ".stuck", |text| text.contains("paused by hand")).await;
    assert_none(&browser, &axe, "home").await;
    assert_a_list_is_short(&browser, &worker).await;
    for (page, path) in [
        ("batches", "/batches".to_owned()),
        ("batch", format!("/batches/{batch}")),
        ("cancel", format!("/batches/{batch}/cancel")),
        ("audit", "/audit".to_owned()),
        ("nothing", "/nothing".to_owned()),
    ] {
        browser.open(&format!("{}{path}", worker.url)).await;
        assert_none(&browser, &axe, page).await;
    }
    browser.open(&worker.url).await;
    worker.kill();
    until(&browser, "#live-stale", |text| text.contains("has not answered since")).await;
    assert_none(&browser, &axe, "gone").await;
    browser.close().await;
}

/// 25 batches, and everything above them, fit on two screens; the list alone does on a phone.
async fn assert_a_list_is_short(browser: &Browser, worker: &Worker) {
    for (path, width, height, phone) in
        [("", 1180, 900, false), ("/batches", 1180, 900, false), ("/batches", 390, 844, true)]
    {
        browser.open(&format!("{}{path}", worker.url)).await;
        browser.size(width, height, phone).await;
        let lines = browser.run("return document.querySelectorAll('.batch').length").await;
        assert_eq!(lines, 25, "{path}");
        let end =
            "return document.querySelector('.batches').getBoundingClientRect().bottom + scrollY";
        let end = browser.run(end).await.as_f64().expect("a number");
        assert!(end <= f64::from(2 * height), "{path} at {width}: the list ends at {end}");
    }
    browser.size(1180, 900, false).await;
}
