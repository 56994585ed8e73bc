//! Random operations on the real programs, on both databases: overlapping submits, cancelled and retried
//! batches, erasures, workers that die or are stopped for a while, and providers with every kind of fault.
//! Then everything is driven to its end, and the ledger is compared with the sandbox's books.
//!
//! RANDOM_SECONDS     how long stories are played on each database; 30 by default
//! RANDOM_SEED        the first story's seed, 1; with RANDOM_STORIES=1 it repeats one story's decisions
//! RANDOM_STORIES     the largest number of stories
//! RANDOM_OPERATIONS  plays only this many first operations of a story, to find the one that matters
//! RANDOM_WITHOUT     features that are left out, as in erasures,purges; see plan.rs
//! RANDOM_GO_ON       if set, goes on after a story that failed
//!
//! A story that fails leaves a folder with its operations, the ledger and all logs, and prints its path.
//! The timing of the processes is not part of the seed, so a repeated story may pass.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what they expect by panicking"
)]

mod books; // compares the sandbox's books with the ledger
mod evidence; // the evidence that a failed story leaves behind
mod faults; // faults of the providers
mod model; // the operations so far, and the charges that they allow
mod operation; // the possible operations
mod people; // the people of a story
mod plan; // a story, from its seed
mod queries; // the ledger's own checks
mod story; // a story, played

use std::sync::Arc;
use std::time::{Duration, Instant};

use end_to_end::{Kind, Scene};

use crate::plan::{Plan, number};
use crate::story::Story;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite() {
    stories(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres() {
    stories(Kind::Postgres).await;
}

/// How many faults a failure prints; the folder has all of them.
const MOST_SHOWN: usize = 10;

async fn stories(kind: Kind) {
    let (started, seconds) = (Instant::now(), number("RANDOM_SECONDS").unwrap_or(30));
    let most = number("RANDOM_STORIES").unwrap_or(u64::MAX);
    let first = number("RANDOM_SEED").unwrap_or(1);
    let mut failed = Vec::new();
    for seed in (first..).take(usize::try_from(most).unwrap_or(usize::MAX)) {
        if started.elapsed() > Duration::from_secs(seconds) {
            break;
        }
        failed.extend(play(kind, seed).await);
        assert!(
            failed.is_empty() || std::env::var_os("RANDOM_GO_ON").is_some(),
            "{}",
            failed.join("\n")
        );
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Plays one story; returns a message if it had faults.
async fn play(kind: Kind, seed: u64) -> Option<String> {
    let (started, plan) = (Instant::now(), Plan::new(seed));
    let mut scene = Scene::new(kind, plan.config.clone()).await;
    for (name, value) in &plan.settings {
        scene.set(name, value);
    }
    let (scene, plan) = (Arc::new(scene), Arc::new(plan));
    let (in_scene, in_plan) = (Arc::clone(&scene), Arc::clone(&plan));
    // In a separate task, so that a panic leaves evidence, too.
    let played = tokio::spawn(async move {
        let mut story = Story::new(in_scene, in_plan.features);
        for operation in &in_plan.operations {
            story.play(operation).await;
        }
        story.end().await;
        story.faults
    });
    let faults = played.await.unwrap_or_else(|panic| vec![panic.to_string()]);
    let stats = scene.sandbox.stats();
    println!(
        "{kind:?} RANDOM_SEED={seed}: {} operations in {:.1?}; {} requests to Ocean, {} to Clodura; {} faults",
        plan.operations.len(),
        started.elapsed(),
        stats.ocean.requests,
        stats.clodura.requests,
        faults.len(),
    );
    if faults.is_empty() {
        return None;
    }
    let folder = evidence::keep(&scene, &plan, &faults).await;
    let shown: Vec<&str> = faults.iter().take(MOST_SHOWN).map(String::as_str).collect();
    Some(format!(
        "RANDOM_SEED={seed} on {kind:?} has {} faults; the evidence is in {}:\n  {}",
        faults.len(),
        folder.display(),
        shown.join("\n  ")
    ))
}
