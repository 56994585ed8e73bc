//! The sandbox over real HTTP: every documented status and body, every fault, the accounts, the admin endpoints.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests say what they expect by panicking, too"
)]

mod admin;
mod clodura;
mod credits;
mod faults;
mod limits;
mod ocean;
mod program;
mod speed;
mod support;
mod webhooks;
