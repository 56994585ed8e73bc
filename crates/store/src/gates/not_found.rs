//! Runs of 404s: as long as a run may be chance, each 404 is about its person; after that the provider is at fault.

use db::Conn;
use jobs::not_found::NotFoundRun;
use jobs::{Provider, Timestamp};

use crate::error::Result;
use crate::gates::gate::Gate;

impl Gate {
    /// The 404s so far.
    pub(crate) fn not_found(&self) -> NotFoundRun {
        NotFoundRun {
            taken: self.orders_taken,
            known: self.not_found_known,
            run: self.not_found_run,
        }
    }

    /// Whether a call was under way when 404s were doubted last, and may have been answered like those 404s.
    pub(crate) fn was_out_when_doubted(&self, call: i64) -> bool {
        self.doubted_to.is_some_and(|last| call <= last)
    }

    /// The lowest id among the calls of the run, unless its people are asked again already.
    pub(crate) fn run_began_with(&self) -> Option<i64> {
        self.not_found_first
    }
}

/// Counts calls that were answered with a 404 which was believed.
pub(crate) async fn count(
    conn: &mut Conn,
    provider: Provider,
    calls: &[i64],
    now: Timestamp,
) -> Result<()> {
    conn.execute(
        "UPDATE provider_gates SET passed_since_limit = passed_since_limit + $2, broken_streak = 0, not_found_run = not_found_run + $2,
            not_found_first = CASE WHEN not_found_first < $3 THEN not_found_first ELSE $3 END,
            refused_singles = 0, accepted_at = $4
         WHERE provider = $1",
        &[
            &provider.as_str(),
            &i64::try_from(calls.len()).unwrap_or(i64::MAX),
            &calls.iter().min().copied(),
            &now.0,
        ],
    )
    .await?;
    Ok(())
}

/// Counts 404s of a run that were not believed; the run's people are asked again. The run grows by them: a few 404s that
/// follow many are no run of their own. Calls that are out now may be answered like these 404s.
pub(crate) async fn count_doubted(
    conn: &mut Conn,
    provider: Provider,
    people: usize,
) -> Result<()> {
    conn.execute(
        "UPDATE provider_gates SET not_found_run = not_found_run + $2, not_found_first = NULL,
            doubted_to = (SELECT MAX(c.id) FROM calls c)
         WHERE provider = $1",
        &[&provider.as_str(), &i64::try_from(people).unwrap_or(i64::MAX)],
    )
    .await?;
    Ok(())
}
