//! The reasons that hold batches up, in words: closed gates, ceilings, credits that are tied up, a missing worker.

use std::collections::BTreeMap;
use std::time::Duration;

use db::{Conn, record};
use jobs::duration::display;
use jobs::fairness::until_done;
use jobs::{Credits, PerPerson, Provider};

use crate::calls::claim::admission::anything_out;
use crate::decode::{optional_credits, parse_provider};
use crate::error::Result;
use crate::gates::account::Account;
use crate::reports::Reports;
use crate::reports::blocked_reasons::{ShownGate, Why, ceiling, count, read_gates, shut_by};

/// A worker that was silent for this long is not counted any more.
const WORKER_SILENCE_MS: i64 = 60_000;

record! {
    /// The open rows of a batch at a provider.
    struct Waiting {
        batch_id: String,
        priority: i64,
        provider: String,
        queued: i64,
        retrying: i64,
        at_ceiling: i64,
        max_credits: Option<Credits> = optional_credits,
    }
}

impl Reports<'_> {
    /// Returns the reasons that hold unfinished batches up, by batch id, with the commands that help. A batch that nothing
    /// holds up is left out.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn blocked_by(self) -> Result<BTreeMap<String, Vec<String>>> {
        let held = self.blocked_reasons().await?.into_iter();
        Ok(held.map(|(batch, lines)| (batch, lines.iter().map(Why::to_string).collect())).collect())
    }

    /// Returns the reasons of [`Reports::blocked_by`], with the commands in a separate field.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn blocked_reasons(self) -> Result<BTreeMap<String, Vec<Why>>> {
        let now = self.store.now();
        let mut conn = self.store.db.read().await?;
        let waiting: Vec<Waiting> = conn.fetch_all(
            "SELECT b.batch_id, b.priority, t.provider, t.queued, t.retrying, t.at_ceiling, t.max_credits
             FROM batches b JOIN batch_totals t ON t.batch_id = b.id
             WHERE b.published_at IS NOT NULL AND b.cancelled_at IS NULL AND b.finished_at IS NULL
               AND t.queued + t.retrying > 0
             ORDER BY b.id, t.provider DESC",
            &[],
        )
        .await?;
        let mut held: BTreeMap<String, Vec<Why>> = BTreeMap::new();
        if waiting.is_empty() {
            return Ok(held);
        }
        let no_worker = workers(&mut conn, now.0 - WORKER_SILENCE_MS).await? == 0;
        let mut queues: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
        for w in waiting.iter().filter(|w| w.queued > 0 && w.at_ceiling == 0) {
            queues.entry(w.provider.clone()).or_default().push((w.priority, w.queued));
        }
        let mut rates = read_rates(&mut conn).await?;
        let mut gates = BTreeMap::new();
        for shown in read_gates(&mut conn).await? {
            let shut = shut_by(&shown, now);
            let short = if shut.is_none() { short_of(&mut conn, &shown).await? } else { None };
            if shut.is_some() || short.is_some() {
                rates.remove(&shown.provider);
            }
            let shut = shut.map(|why| Shut { why, shown_as: shown.shown_as });
            gates.insert(shown.provider, (shut, short));
        }
        for w in waiting {
            let lines = held.entry(w.batch_id.clone()).or_default();
            if no_worker && lines.is_empty() {
                lines.push(Why::new("no worker is running; start worker".to_owned()));
            }
            let provider = parse_provider(&w.provider, 0)?;
            let (shut, short) = gates.get(&provider).cloned().unwrap_or_default();
            lines.extend(w.held_by(provider, shut, short));
            if let (Some(queue), Some(rate)) = (queues.get(&w.provider), rates.get(&provider)) {
                lines.extend(w.behind_others(provider, queue, *rate));
            }
        }
        held.retain(|_, lines| !lines.is_empty());
        Ok(held)
    }
}

/// A gate that lets no request through.
#[derive(Clone)]
struct Shut {
    why: Why,
    /// What rows in its queue show instead of `queued`.
    shown_as: Option<String>,
}

impl Waiting {
    fn held_by(&self, provider: Provider, shut: Option<Shut>, short: Option<String>) -> Vec<Why> {
        if let Some(shut) = shut {
            return self.behind(provider, &shut);
        }
        let mut lines = Vec::new();
        let rows = count(self.queued, "row");
        if self.queued > 0 && self.at_ceiling == 1 {
            lines.push(self.at_its_ceiling(provider));
        } else if let Some(why) = short.filter(|_| self.queued > 0) {
            lines.push(Why::new(format!("{provider}: {rows} waiting: {why}")));
        }
        if self.retrying > 0 {
            let rows = count(self.retrying, "row");
            let text = format!("{provider}: {rows} refused for now, to be tried again");
            lines.push(Why::new(text));
        }
        lines
    }

    /// Explains rows that wait for rows of other batches. `queue` holds each batch's priority and waiting rows, this one's
    /// among them.
    fn behind_others(&self, provider: Provider, queue: &[(i64, i64)], rate: f64) -> Option<Why> {
        if self.queued == 0 || self.at_ceiling == 1 || queue.len() < 2 {
            return None;
        }
        let ahead: i64 =
            queue.iter().filter(|(priority, _)| *priority > self.priority).map(|(_, n)| n).sum();
        let mut same_priority: Vec<i64> = queue
            .iter()
            .filter(|(priority, _)| *priority == self.priority)
            .map(|(_, n)| *n)
            .collect();
        let own = same_priority.iter().position(|n| *n == self.queued)?;
        same_priority.remove(own);
        let others = match (ahead, same_priority.len() as i64) {
            (0, 0) => return None,
            (0, n) => format!("alongside {} of the same priority", other_batches(n)),
            (ahead, 0) => format!("behind {} of a higher priority", count(ahead, "row")),
            (ahead, n) => format!(
                "behind {} of a higher priority, alongside {} of its own",
                count(ahead, "row"),
                other_batches(n),
            ),
        };
        let requests =
            until_done(self.queued, ahead, &same_priority) as f64 / provider.most_people() as f64;
        let seconds = (requests / rate).ceil();
        let time = (1.0..1e9).contains(&seconds).then(|| {
            format!(", all asked in about {}", display(Duration::from_secs(seconds as u64)))
        });
        let rows = count(self.queued, "row");
        Some(Why::new(format!("{provider}: {rows} waiting {others}{}", time.unwrap_or_default())))
    }

    /// Explains rows behind a shut gate, by the state that they show. Rows whose own people were refused are `retrying`
    /// there, too.
    fn behind(&self, provider: Provider, Shut { why, shown_as }: &Shut) -> Vec<Why> {
        let (mut held, mut retrying, mut waiting) = (0, self.retrying, 0);
        let mut lines = Vec::new();
        match shown_as.as_deref() {
            Some("held") => held = self.queued,
            _ if self.queued > 0 && self.at_ceiling == 1 => {
                lines.push(self.at_its_ceiling(provider));
            }
            Some(_) => retrying += self.queued,
            None => waiting = self.queued,
        }
        let behind = [(held, "held"), (waiting, "waiting"), (retrying, "retrying")];
        let behind = behind.into_iter().filter(|(n, _)| *n > 0);
        lines.extend(behind.map(|(n, state)| {
            let rows = count(n, "row");
            why.clone().behind(&format!("{provider}: {rows} {state}: "))
        }));
        lines
    }

    fn at_its_ceiling(&self, provider: Provider) -> Why {
        let why = ceiling(provider, &self.batch_id, self.max_credits);
        why.behind(&format!("{provider}: {} held: ", count(self.queued, "row")))
    }
}

fn other_batches(n: i64) -> String {
    match n {
        1 => "another batch".to_owned(),
        n => format!("{n} other batches"),
    }
}

/// The requests that go to each provider in a second.
async fn read_rates(conn: &mut Conn) -> Result<BTreeMap<Provider, f64>> {
    let found: Vec<(String, Option<f64>)> = conn
        .fetch_all("SELECT provider, COALESCE(found_rate, rate_limit) FROM provider_gates", &[])
        .await?;
    let rates = found.into_iter().filter_map(|(provider, rate)| Some((provider, rate?)));
    rates.map(|(provider, rate)| Ok((parse_provider(&provider, 0)?, rate))).collect()
}

/// Why an open gate lets few requests or none through just now: results that can't be read, the canary, or credits.
pub(crate) async fn short_of(conn: &mut Conn, shown: &ShownGate) -> Result<Option<String>> {
    let (provider, gate) = (shown.provider, &shown.gate);
    if gate.unread_since.is_some() {
        return Ok(Some(
            "its results can't be read; until one can, one small request at a time is sent: see the worker's log, and after an upgrade run enqueue replay"
                .to_owned(),
        ));
    }
    if gate.canary_url.is_some()
        && gate.canary_proved_at.is_none()
        && anything_out(conn, provider, gate.canary_since).await?
    {
        return Ok(Some(
            "a first webhook has to show that WEBHOOK_PUBLIC_URL works; a small request is out for that"
                .to_owned(),
        ));
    }
    let Some(account) = Account::read(conn, provider, gate).await? else { return Ok(None) };
    let least = gate.price(provider, PerPerson::Auto).least;
    Ok((account.room() < least).then(|| {
        format!(
            "{} left, {} of them reserved by requests that are out",
            account.left.counted(),
            account.reserved.grouped(),
        )
    }))
}

async fn workers(conn: &mut Conn, since: i64) -> Result<i64> {
    Ok(conn.fetch_value(
        "SELECT COUNT(*) FROM workers WHERE stopped_at IS NULL AND heartbeat_at >= $1 AND role <> 'webhooks'",
        &[&since],
    )
    .await?)
}
