//! What a worker sends by OTLP: the real binary, with a collector in this process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests say what they expect by panicking, as tests do"
)]

mod away; // endpoints that are away, slow or off
mod people; // people, submitted without the command
mod receiver; // a collector
mod sent; // what is sent, and what never is
