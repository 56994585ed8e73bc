//! Promises that hold for any input from outside. Each target takes bytes that a fuzzer made up, and panics if a
//! promise is broken. `fuzz/` runs the targets with libFuzzer; `tests/replay.rs` runs them on the seeds.

#![allow(clippy::panic, clippy::expect_used, reason = "a broken promise is shown by a panic")]

/// Balances of both providers.
mod balance;
/// Bytes as a series of decisions.
mod choices;
/// People's files: CSV, JSON Lines and workbooks.
mod input;
/// LinkedIn addresses and providers' ids.
mod linkedin;
/// No number that was paid for vanishes.
mod paid_numbers;
/// Phone numbers.
mod phone;
/// How long an answer asks to wait.
mod retry_after;
/// Answers to polls.
mod track;
/// What webhooks and polls say.
mod webhook;
/// The signed path of a webhook.
mod webhook_path;
/// Workbooks made of parts.
mod workbook;

/// A fuzz target, and the promise that it checks.
#[derive(Clone, Copy)]
pub struct Target {
    /// The target's name in `fuzz/fuzz_targets` and in `fuzz/seeds`.
    pub name: &'static str,
    /// Panics if a promise is broken by this input.
    pub holds: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 12] = [
    Target { name: "webhook_ocean", holds: webhook::ocean },
    Target { name: "webhook_clodura", holds: webhook::clodura },
    Target { name: "paid_numbers", holds: paid_numbers::holds },
    Target { name: "track", holds: track::holds },
    Target { name: "balance", holds: balance::holds },
    Target { name: "retry_after", holds: retry_after::holds },
    Target { name: "csv", holds: input::csv },
    Target { name: "jsonl", holds: input::jsonl },
    Target { name: "xlsx", holds: workbook::holds },
    Target { name: "linkedin", holds: linkedin::holds },
    Target { name: "phone", holds: phone::holds },
    Target { name: "webhook_path", holds: webhook_path::holds },
];

/// Runs the target of this name.
///
/// # Panics
/// A promise is broken, or there is no such target.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target of this name").holds)(data);
}
