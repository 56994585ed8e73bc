//! The effects of `enqueue`'s commands on the ledger, with the same expectations on SQLite and
//! Postgres: `scripts/postgres -- cargo test -p store --test managing`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests say what they expect by panicking, and are described by their names"
)]

mod audit;
mod bench;
mod cancel;
mod erase;
mod export;
#[allow(
    dead_code,
    unused_macros,
    reason = "shared with the conformance suite, which uses the rest"
)]
#[path = "../conformance/harness/mod.rs"]
mod harness;
mod looking;
mod purge;
mod retry;
