//! The real binaries against the sandbox, each scenario on SQLite and on Postgres.
//!
//! Needs `worker` and `enqueue` of this build, and a server in TEST_POSTGRES_URL; scripts/test provides
//! both. One scenario: `scripts/postgres -- cargo test -p end-to-end gate::`. With E2E_KEEP=1 the
//! Postgres databases stay.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what they expect by panicking"
)]

/// Each scenario as a module of its own with a test for each database.
macro_rules! on_both {
    ($($(#[$attribute:meta])* $scenario:ident),+ $(,)?) => {
        $(
            $(#[$attribute])*
            mod $scenario {
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    super::$scenario(end_to_end::Kind::Sqlite).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    super::$scenario(end_to_end::Kind::Postgres).await;
                }
            }
        )+
    };
}

mod addresses; // webhook addresses that have leaked
mod available; // one key
mod away; // databases that are away, workers that are gone
mod canary; // few people out until a webhook has come
mod chaos; // kill -9 anywhere
mod checks; // checks at the end of every story
mod crashes; // a crash at each boundary
mod credits; // ceilings, cancelled batches
mod crm; // from a CRM and back
mod erased; // people who are forgotten
mod exits; // exit codes and their messages
mod fairness; // batches that share a rate
mod files; // files as users have them
mod gate; // providers that refuse
mod identity; // identifiers that mean one person
mod in_flight; // requests that are open at once
mod isolation; // bad ids among good ones
mod large; // a hundred thousand rows
mod logs; // the log of a worker
mod lookup;
mod main_job; // files in, numbers out
mod odd; // bodies that are not as published
mod outage; // providers that are broken in part
mod postgres; // poolers, roles
mod rejected; // bad rows
mod suppress; // opt-outs
mod unknown; // requests of unknown outcome
mod upgrade; // old programs on a new schema
mod wanted; // numbers of a type
mod webhooks; // the listener that the public reaches
