//! One gate a provider, shared by all workers and surviving them: whether requests may go.

mod closing;

use std::collections::BTreeMap;

use jobs::learned_rate::{self, Learned};
use jobs::verdict::GateReason;
use jobs::{Provider, Timestamp};

pub(crate) use self::closing::{broken, close};
use crate::conn::{Conn, exec, row, rows};
use crate::record::record;
use crate::transition::parse_provider;
use crate::{Result, StoreError, Topic};

/// People refused on their own, each for the first time, before the fault is taken not to be theirs.
const REFUSED_SINGLES: i64 = 5;

record! {
    /// A gate as stored.
    #[derive(Debug, Clone)]
    pub(crate) struct Gate {
        pub(crate) off_reason: Option<String>,
        pub(crate) paused: i64,
        pub(crate) state: String,
        pub(crate) reason: Option<String>,
        pub(crate) blocks_all: i64,
        pub(crate) closed_until: Option<i64>,
        pub(crate) closed_step: i64,
        pub(crate) probe_call: Option<i64>,
        pub(crate) key_fingerprint: Option<String>,
        pub(crate) broken_streak: i64,
        pub(crate) accepted_at: Option<i64>,
        pub(crate) refused_singles: i64,
        pub(crate) tat_us: i64,
        pub(crate) poll_tat_us: i64,
        pub(crate) rate_limit: Option<f64>,
        pub(crate) found_rate: Option<f64>,
        pub(crate) found_rate_at: Option<i64>,
        pub(crate) rate_searching: i64,
        pub(crate) limited_at: Option<i64>,
        pub(crate) limited_for: i64,
        pub(crate) passed: i64,
        pub(crate) requests_day: i64,
        pub(crate) isolation_today: i64,
        pub(crate) daily_left: Option<i64>,
        pub(crate) daily_resets_at: Option<i64>,
        pub(crate) balance_credits: Option<i64>,
        pub(crate) balance_direct: i64,
        pub(crate) balance_spent: i64,
        pub(crate) balance_at: Option<i64>,
        pub(crate) balance_due_at: Option<i64>,
        pub(crate) balance_step: i64,
        pub(crate) canary_url: Option<String>,
        pub(crate) canary_proved_at: Option<i64>,
    }
}

/// Whether a reveal may be sent just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// As many as the rate allows.
    Open,
    /// One, to see whether the gate may open; a small one where credits are the matter.
    Probe { small: bool },
    /// None, until then or until something happens.
    Shut(Option<Timestamp>),
}

impl Gate {
    /// Reads the gate and locks it: every transaction that sends or answers takes it first.
    pub(crate) async fn lock(conn: &mut Conn, provider: Provider) -> Result<Gate> {
        let passed = conn.passed().take(provider).unwrap_or_default();
        let gate: Option<Gate> = match passed.requests {
            0 => row!(
                conn,
                "SELECT * FROM provider_gates WHERE provider = $1 FOR UPDATE",
                provider.as_str(),
            )?,
            requests => row!(
                conn,
                "UPDATE provider_gates SET passed = passed + $2, broken_streak = 0,
                    accepted_at = COALESCE(CAST($3 AS BIGINT), accepted_at),
                    refused_singles = CASE WHEN CAST($3 AS BIGINT) IS NULL THEN refused_singles ELSE 0 END
                 WHERE provider = $1 RETURNING *",
                provider.as_str(),
                requests,
                passed.accepted_at,
            )?,
        };
        gate.ok_or_else(|| missing(provider))
    }

    /// Reads the gate as it is at this moment.
    pub(crate) async fn read(conn: &mut Conn, provider: Provider) -> Result<Gate> {
        let gate: Option<Gate> =
            row!(conn, "SELECT * FROM provider_gates WHERE provider = $1", provider.as_str())?;
        gate.ok_or_else(|| missing(provider))
    }

    /// Locks several gates, in the one order in which all do.
    pub(crate) async fn lock_all(
        conn: &mut Conn,
        providers: impl Iterator<Item = Provider>,
    ) -> Result<BTreeMap<Provider, Gate>> {
        let by_name: BTreeMap<&str, Provider> = providers.map(|p| (p.as_str(), p)).collect();
        let mut gates = BTreeMap::new();
        for provider in by_name.into_values() {
            gates.insert(provider, Gate::lock(conn, provider).await?);
        }
        Ok(gates)
    }

    /// What a reveal finds at this gate.
    pub(crate) fn door(&self, now: Timestamp) -> Door {
        if self.off_reason.is_some() || self.paused == 1 {
            return Door::Shut(None);
        }
        match self.state.as_str() {
            "open" => Door::Open,
            "closed" => match self.closed_until {
                // Whether a broken provider is back is seen by a balance request, which is free.
                _ if self.is_closed_for(GateReason::ProviderBroken) => Door::Shut(None),
                Some(until) if until <= now.0 => {
                    Door::Probe { small: !self.is_closed_for(GateReason::RateLimited) }
                }
                until => Door::Shut(until.map(Timestamp)),
            },
            _ => Door::Shut(None),
        }
    }

    /// Until when requests that cost nothing must wait; `None` if they need not.
    pub(crate) fn lookups_wait(&self, now: Timestamp) -> Option<Option<Timestamp>> {
        if self.off_reason.as_deref() == Some("no_key") {
            return Some(None);
        }
        let shut = self.state != "open" && self.blocks_all == 1;
        match self.closed_until {
            _ if !shut => None,
            Some(until) if until <= now.0 => None,
            until => Some(until.map(Timestamp)),
        }
    }

    pub(crate) fn is_closed_for(&self, reason: GateReason) -> bool {
        self.state != "open" && self.reason.as_deref() == Some(reason.as_str())
    }

    /// Requests a second that may go: what the user allows, or less if a 429 taught us so.
    pub(crate) fn rate(&self, limit: f64, now: Timestamp) -> f64 {
        match (self.found_rate, self.found_rate_at) {
            (Some(found), Some(at)) => {
                let found = Learned { per_second: found, searching: self.rate_searching == 1 };
                learned_rate::recovered(found, now.since(Timestamp(at)), limit)
            }
            _ => limit,
        }
    }

    /// Whether nothing was ever taken while people are refused one by one.
    pub(crate) fn everything_is_refused(&self) -> bool {
        self.accepted_at.is_none() && self.refused_singles + 1 >= REFUSED_SINGLES
    }
}

fn missing(provider: Provider) -> StoreError {
    StoreError::NotFound(format!("provider_gates has no row for {provider}"))
}

/// Opens a gate.
pub(crate) async fn open(conn: &mut Conn, provider: Provider) -> Result<()> {
    exec!(
        conn,
        "UPDATE provider_gates SET state = 'open', reason = NULL, message = NULL, blocks_all = 0,
            closed_until = NULL, closed_step = 0, probe_call = NULL, broken_streak = 0
         WHERE provider = $1",
        provider.as_str(),
    )?;
    conn.announce(Topic::Queue);
    Ok(())
}

/// The provider answered sensibly: counted for the rate, and whatever was broken is mended.
pub(crate) async fn passed(conn: &mut Conn, provider: Provider) -> Result<()> {
    exec!(
        conn,
        "UPDATE provider_gates SET passed = passed + 1, broken_streak = 0 WHERE provider = $1",
        provider.as_str(),
    )?;
    Ok(())
}

/// Opens the gates that are probed by any of `calls`: it was taken.
pub(crate) async fn open_probed(conn: &mut Conn, calls: &[i64]) -> Result<()> {
    if calls.is_empty() {
        return Ok(());
    }
    let probes: Vec<(String, i64)> = rows!(
        conn,
        "SELECT provider, probe_call FROM provider_gates WHERE probe_call IS NOT NULL ORDER BY provider",
    )?;
    for (provider, call) in probes {
        if calls.contains(&call) {
            open(conn, parse_provider(&provider, call)?).await?;
        }
    }
    Ok(())
}

/// The day (UTC), counted since 1970.
pub(crate) fn day(now: Timestamp) -> i64 {
    now.0.div_euclid(86_400_000)
}

/// Requests that go now.
pub(crate) struct Going {
    pub(crate) requests: usize,
    /// Of these, those that search for a bad id.
    pub(crate) isolating: usize,
    /// What the rate's cell stands at then.
    pub(crate) tat_us: i64,
    /// Where they are polls: what the cell of polls stands at.
    pub(crate) poll_tat_us: Option<i64>,
    /// The user's limit, requests a second.
    pub(crate) rate_limit: f64,
}

/// Takes requests off the rate, and counts them among those of the day.
pub(crate) async fn count_requests(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    going: Going,
    now: Timestamp,
) -> Result<()> {
    let today = day(now);
    let fresh = i64::from(gate.requests_day != today);
    exec!(
        conn,
        "UPDATE provider_gates SET requests_day = $2,
            requests_today = CASE WHEN $3 = 1 THEN 0 ELSE requests_today END + $4,
            isolation_today = CASE WHEN $3 = 1 THEN 0 ELSE isolation_today END + $5,
            daily_left = daily_left - $4, tat_us = $6, poll_tat_us = COALESCE(CAST($7 AS BIGINT), poll_tat_us),
            rate_limit = $8
         WHERE provider = $1",
        provider.as_str(),
        today,
        fresh,
        going.requests as i64,
        going.isolating as i64,
        going.tat_us,
        going.poll_tat_us,
        going.rate_limit,
    )?;
    Ok(())
}
