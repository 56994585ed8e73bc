//! The harness of the end-to-end tests: the real binaries as processes, a database of each kind, the
//! sandbox in this process, and queries of the SQL views. Nothing here knows the code under test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness says what it expects by panicking, as tests do"
)]

mod binaries; // where the programs under test are
mod database; // a SQLite file, or a separate Postgres database
mod http; // requests as a provider or an attacker would send them
mod leaks; // checks that logs show no secrets
mod people; // files of people, and their results by the sandbox
mod pgbouncer; // a pooler before the server
mod ports; // free ports that no other test takes
mod process; // children: output, signals, end
mod proxy; // a wire that can be cut and listened to
mod scene; // database, sandbox and processes together
mod wait; // conditions with a bound
mod worker; // workers as processes

pub use binaries::{binary, repository};
pub use database::{Database, Kind};
pub use http::{Reply, get, open, post};
pub use people::{Row, csv_of, expected, read_csv};
pub use pgbouncer::PgBouncer;
pub use ports::free_port;
pub use process::{Ended, Process};
pub use proxy::Proxy;
pub use scene::{CLODURA_KEY, OCEAN_KEY, Scene, Submitted};
pub use wait::{LONG, eventually};
pub use worker::{Worker, WorkerSetup};
