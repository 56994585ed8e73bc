//! Every operation of the ledger, held to the same expectations on SQLite and Postgres.
//!
//! `scripts/postgres -- cargo test -p store` runs all tests. No test sleeps: the clock is turned by hand,
//! and waits for other tasks are bounded.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "tests say what they expect by panicking, and are described by their names"
)]

mod accounts;
mod addresses;
mod all_not_found;
mod answers;
mod balance;
mod basics;
mod ceilings;
mod claims;
mod crosswise;
mod fairness;
mod harness;
mod identity;
mod inbox;
mod isolation;
mod lookups;
mod overdue;
mod paying;
mod phones;
mod plans;
mod polls;
mod ready_queries;
mod rejected;
mod settle;
mod sharing;
mod spared;
mod steps;
mod submits;
mod suppressed;
mod unclaimed_ranges;
mod unread;
mod walk;
mod wanted;
mod waterfall;
mod workers;
mod writers;
