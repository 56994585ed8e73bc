//! The sandbox over real HTTP: every documented status and body, every fault, the accounts, the admin endpoints.

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
