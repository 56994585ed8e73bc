//! The queues that a Rust program could use in place of the product: each is given the same people, sends the same
//! requests and stores the same results, and gets the settings that suit it best.

use anyhow::Result;
use jobs::Provider;

use crate::bench::Bench;
use crate::kind::Kind;
use crate::measurement::Measurement;

mod awa; // awa, on Postgres
mod listener; // receives the webhooks
mod order; // the work of one task
mod results; // stores results durably
mod river; // riverqueue, on both databases

use order::Load;

/// How many tasks run at the same time. Each is tried, and the best rate counts.
const AT_ONCE: [u16; 3] = [32, 128, 256];

/// Adds the rates of all queues that run on this database.
pub async fn add(
    bench: &Bench,
    kind: Kind,
    measurement: Measurement,
    provider: Provider,
    people: usize,
) -> Result<Measurement> {
    if !bench.with_reference {
        return Ok(measurement);
    }
    let load = Load { provider, people };
    let (mut river, mut awa) = (0.0_f64, 0.0_f64);
    for at_once in AT_ONCE {
        river = river.max(shown("river", at_once, river::run(bench, kind, load, at_once).await?));
        if kind == Kind::Postgres {
            awa = awa.max(shown("awa", at_once, awa::run(bench, load, at_once).await?));
        }
    }
    let measurement = measurement.with_reference("river", river);
    Ok(if kind == Kind::Postgres { measurement.with_reference("awa", awa) } else { measurement })
}

/// Prints the rate of one run: which number of tasks was best differs between machines.
fn shown(queue: &str, at_once: u16, per_second: f64) -> f64 {
    eprintln!("  {queue}, {at_once} tasks at once: {per_second:.0} people a second");
    per_second
}
