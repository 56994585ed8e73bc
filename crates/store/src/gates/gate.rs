//! One gate a provider, shared by all workers and outliving them: whether requests may be sent.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::str::FromStr;

use db::{Conn, record};
use jobs::gate::{Breaker, Outage};
use jobs::learned_rate::{self, Learned};
use jobs::{Credits, GateReason, OffReason, PerPerson, Price, Provider, Tariff, Timestamp};

use crate::decode::optional_credits;
use crate::error::{Result, StoreError};
use crate::gates::good_answers::GoodAnswers;

/// The columns of a [`GateRow`], by their names: a newer version may add columns while this one runs, and Postgres refuses
/// a prepared statement whose `*` has grown.
macro_rules! gate_columns {
    () => {
        "off_reason, paused, state, reason, closed_at, closed_until, closed_step, outage_reason, outage_step, \
         broken_streak, broken_free_requests, probe_call, key_fingerprint, accepted_at, refused_singles, \
         orders_taken, not_found_known, not_found_run, not_found_first, doubted_to, tat_us, poll_tat_us, \
         rate_limit, found_rate, found_rate_at, rate_searching, limited_at, limited_for, passed_since_limit, \
         requests_day, isolation_today, daily_left, daily_resets_at, balance_credits, tariff, most_phones, \
         purged_spent, balance_spent, balance_at, balance_due_at, balance_step, canary_url, canary_proved_at, \
         canary_since, webhook_at, unread_since"
    };
}
pub(crate) use gate_columns;

/// The gate of the provider `$1`. Nearly every transaction updates it, and while an old transaction is open, Postgres keeps
/// all of its versions. Its epoch grows with every few updates. The highest epoch is found at the end of the index, so only
/// the versions since then are read. `>=`, because another transaction may raise the epoch while this one waits for its lock.
macro_rules! this_gate {
    () => {
        "provider = $1
            AND epoch >= (SELECT epoch FROM provider_gates WHERE provider = $1 ORDER BY epoch DESC LIMIT 1)"
    };
}

#[cfg(test)]
pub(crate) use this_gate;

record! {
    /// A gate as stored. Only [`Gate`] parses its words.
    #[derive(Debug, Clone)]
    #[cfg_attr(test, derive(Default))]
    pub(crate) struct GateRow {
        off_reason: Option<String>,
        paused: i64,
        state: String,
        reason: Option<String>,
        closed_at: Option<i64>,
        closed_until: Option<i64>,
        closed_step: i64,
        outage_reason: Option<String>,
        outage_step: i64,
        broken_streak: i64,
        broken_free_requests: i64,
        pub(crate) probe_call: Option<i64>,
        pub(crate) key_fingerprint: Option<String>,
        pub(crate) accepted_at: Option<i64>,
        pub(crate) refused_singles: i64,
        pub(super) orders_taken: i64,
        pub(super) not_found_known: i64,
        pub(super) not_found_run: i64,
        pub(super) not_found_first: Option<i64>,
        pub(super) doubted_to: Option<i64>,
        pub(crate) tat_us: i64,
        pub(crate) poll_tat_us: i64,
        pub(crate) rate_limit: Option<f64>,
        pub(crate) found_rate: Option<f64>,
        pub(crate) found_rate_at: Option<i64>,
        pub(crate) rate_searching: i64,
        pub(crate) limited_at: Option<i64>,
        pub(crate) limited_for: i64,
        pub(crate) passed_since_limit: i64,
        pub(crate) requests_day: i64,
        pub(crate) isolation_today: i64,
        pub(crate) daily_left: Option<i64>,
        pub(crate) daily_resets_at: Option<i64>,
        pub(crate) balance_credits: Option<Credits> = optional_credits,
        tariff: Option<String>,
        pub(crate) most_phones: i64,
        pub(crate) purged_spent: Credits = Credits::from_thousandths,
        pub(crate) balance_spent: Credits = Credits::from_thousandths,
        pub(crate) balance_at: Option<i64>,
        pub(crate) balance_due_at: Option<i64>,
        pub(crate) balance_step: i64,
        pub(crate) canary_url: Option<String>,
        pub(crate) canary_proved_at: Option<i64>,
        pub(crate) canary_since: i64,
        pub(crate) webhook_at: Option<i64>,
        pub(crate) unread_since: Option<i64>,
    }
}

/// A gate: the circuit breaker that decides, and everything that is kept with it.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) breaker: Breaker,
    /// Why no running worker can use the provider.
    pub(crate) off_reason: Option<OffReason>,
    /// The plan that its account pays for, if a balance or a setting has shown it.
    pub(crate) tariff: Option<Tariff>,
    row: GateRow,
}

impl Deref for Gate {
    type Target = GateRow;
    fn deref(&self) -> &GateRow {
        &self.row
    }
}

/// Parses a word of a gate; an error if this version doesn't know it.
fn word<T: FromStr>(provider: Provider, column: &'static str, text: &str) -> Result<T> {
    text.parse().map_err(|_| StoreError::Corrupt {
        table: "provider_gates",
        column,
        row: provider.to_string(),
        value: text.to_owned(),
    })
}

#[cfg(test)]
impl GateRow {
    /// The row of an open gate, for tests of rules.
    pub(crate) fn open() -> GateRow {
        GateRow { state: jobs::GateState::Open.to_string(), ..GateRow::default() }
    }
}

impl Gate {
    pub(crate) fn of(row: GateRow, provider: Provider) -> Result<Gate> {
        let reason = |text: &String| word::<GateReason>(provider, "reason", text);
        let off = |text: &String| word::<OffReason>(provider, "off_reason", text);
        let tariff = |text: &String| word::<Tariff>(provider, "tariff", text);
        let outage = |text: &String| word::<GateReason>(provider, "outage_reason", text);
        let step = row.outage_step;
        let outage = row.outage_reason.as_ref().map(outage).transpose()?;
        Ok(Gate {
            breaker: Breaker {
                state: word(provider, "state", &row.state)?,
                reason: row.reason.as_ref().map(reason).transpose()?,
                paused: row.paused == 1,
                closed_at: row.closed_at.map(Timestamp),
                until: row.closed_until.map(Timestamp),
                step: row.closed_step,
                probe_out: row.probe_call.is_some(),
                broken_streak: row.broken_streak,
                broken_free_requests: row.broken_free_requests,
                outage: outage.map(|reason| Outage { reason, step }),
            },
            off_reason: row.off_reason.as_ref().map(off).transpose()?,
            tariff: row.tariff.as_ref().map(tariff).transpose()?,
            row,
        })
    }

    /// Reads the gate and locks it: every transaction that sends or answers takes it first.
    pub(crate) async fn lock(conn: &mut Conn, provider: Provider) -> Result<Gate> {
        let answers = GoodAnswers::of(conn.attached()).take(provider).unwrap_or_default();
        let row: Option<GateRow> = match answers.requests {
            0 => conn.fetch_optional(
                concat!("SELECT ", gate_columns!(), " FROM provider_gates WHERE ", this_gate!(), " FOR UPDATE"),
                &[&provider.as_str()],
            )
            .await?,
            requests => conn.fetch_optional(
                concat!(
                    "UPDATE provider_gates SET passed_since_limit = passed_since_limit + $2, broken_free_requests = 0,
                        broken_streak = CASE WHEN $4 = 0 THEN broken_streak ELSE 0 END,
                        accepted_at = COALESCE(CAST($3 AS BIGINT), accepted_at), orders_taken = orders_taken + $4,
                        refused_singles = CASE WHEN $4 = 0 THEN refused_singles ELSE 0 END,
                        not_found_known = not_found_known + CASE WHEN $4 = 0 THEN 0 ELSE not_found_run END,
                        not_found_first = CASE WHEN $4 = 0 THEN not_found_first END,
                        not_found_run = CASE WHEN $4 = 0 THEN not_found_run ELSE 0 END,
                        updates = updates + 1
                     WHERE ",
                    this_gate!(),
                    " RETURNING ",
                    gate_columns!(),
                ),
                &[&provider.as_str(), &requests, &answers.accepted_at, &answers.accepted],
            )
            .await?,
        };
        Gate::of(row.ok_or_else(|| missing(provider))?, provider)
    }

    /// Reads the gate without locking it.
    pub(crate) async fn read(conn: &mut Conn, provider: Provider) -> Result<Gate> {
        let row: Option<GateRow> = conn
            .fetch_optional(
                concat!("SELECT ", gate_columns!(), " FROM provider_gates WHERE ", this_gate!()),
                &[&provider.as_str()],
            )
            .await?;
        Gate::of(row.ok_or_else(|| missing(provider))?, provider)
    }

    /// Locks several gates, in the order in which all transactions lock them.
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

    /// What a person may cost.
    pub(crate) fn price(&self, provider: Provider, set: PerPerson) -> Price {
        set.price(provider, self.tariff, self.most_phones)
    }

    /// The requests a second that may be sent: the user's limit, or less if a 429 taught a lower rate.
    pub(crate) fn rate(&self, limit: f64, now: Timestamp) -> f64 {
        match (self.found_rate, self.found_rate_at) {
            (Some(found), Some(at)) => {
                let found = Learned { per_second: found, searching: self.rate_searching == 1 };
                learned_rate::recovered(found, now.since(Timestamp(at)), limit)
            }
            _ => limit,
        }
    }
}

fn missing(provider: Provider) -> StoreError {
    StoreError::NotFound(format!("provider_gates has no row for {provider}"))
}

/// The day (UTC), counted since 1970.
pub(crate) fn day(now: Timestamp) -> i64 {
    now.0.div_euclid(86_400_000)
}

/// Requests that are about to be sent.
pub(crate) struct Going {
    pub(crate) requests: usize,
    /// How many of `requests` search for a bad id.
    pub(crate) isolating: usize,
    /// The new value of the gate's `tat_us`.
    pub(crate) tat_us: i64,
    /// For polls: the new value of the gate's `poll_tat_us`.
    pub(crate) poll_tat_us: Option<i64>,
    /// The user's limit, requests a second.
    pub(crate) rate_limit: f64,
}

/// Takes requests off the rate, and adds them to the day's count.
pub(crate) async fn count_requests(
    conn: &mut Conn,
    provider: Provider,
    gate: &Gate,
    going: Going,
    now: Timestamp,
) -> Result<()> {
    let today = day(now);
    let fresh = i64::from(gate.requests_day != today);
    conn.execute(
        concat!(
            "UPDATE provider_gates SET requests_day = $2,
                requests_today = CASE WHEN $3 = 1 THEN 0 ELSE requests_today END + $4,
                isolation_today = CASE WHEN $3 = 1 THEN 0 ELSE isolation_today END + $5,
                daily_left = daily_left - $4, tat_us = $6,
                poll_tat_us = COALESCE(CAST($7 AS BIGINT), poll_tat_us), rate_limit = $8,
                updates = updates + 1
             WHERE ",
            this_gate!(),
        ),
        &[
            &provider.as_str(),
            &today,
            &fresh,
            &(going.requests as i64),
            &(going.isolating as i64),
            &going.tat_us,
            &going.poll_tat_us,
            &going.rate_limit,
        ],
    )
    .await?;
    Ok(())
}
