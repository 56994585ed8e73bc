use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering;

use super::Bench;
use super::ledger::{Call, Ledger, Member};

const STATES: [&str; 8] =
    ["queued", "asked", "retrying", "found", "not_found", "failed", "expired", "cancelled"];
const FINISHED: [&str; 5] = ["found", "not_found", "failed", "expired", "cancelled"];
const WAITING: [&str; 3] = ["idle", "queued", "retrying"];
const LIVE: [&str; 3] = ["sending", "accepted", "unknown"];

impl Ledger {
    fn check_batches(&self) {
        let mut shown: HashMap<i64, Vec<(Option<&str>, &str)>> = HashMap::new();
        for row in &self.rows {
            let shows = self.shows(row);
            assert_ne!(shows.1, "idle", "{row:?} waits for a person who is not queued");
            assert!(
                self.batches.contains_key(&row.batch_id),
                "row {} of a batch that is gone",
                row.row_number
            );
            shown.entry(row.batch_id).or_default().push(shows);
        }
        for batch in self.batches.values() {
            let shown = shown.remove(&batch.id).unwrap_or_default();
            let unfinished = shown.iter().filter(|(_, s)| !FINISHED.contains(s)).count() as i64;
            assert_eq!(batch.total, shown.len() as i64, "total of {batch:?}");
            let finished = batch.published_at.is_some() && unfinished == 0;
            assert_eq!(batch.finished_at.is_some(), finished, "finished_at of {batch:?}");
            self.check_counts(batch.id, &shown);
        }
    }

    /// Checks the counts of rows by provider and state. A row of an erased person belongs to no provider.
    fn check_counts(&self, batch: i64, shown: &[(Option<&str>, &str)]) {
        for state in STATES {
            let mut stored = 0;
            for ((id, provider), totals) in &self.totals {
                if *id != batch {
                    continue;
                }
                let want = shown.iter().filter(|s| **s == (Some(provider.as_str()), state)).count();
                let have = totals.count(state);
                stored += have;
                if state != "cancelled" {
                    assert_eq!(have, want as i64, "{state} of batch {batch} at {provider}");
                }
            }
            let want = shown.iter().filter(|(_, s)| *s == state).count() as i64;
            assert_eq!(stored, want, "{state} of batch {batch}");
        }
    }

    /// Checks the credits (reserved, spent, written off) and people (asked, found, not found) against the members of calls.
    /// A provider may find a person after 'not found', and charge credits reserved for other people by then (`spared`).
    fn check_money(&self, spared: i64) {
        let mut want: BTreeMap<(i64, String), [i64; 6]> = BTreeMap::new();
        for member in &self.members {
            let call = &self.calls[&member.call_id];
            let sums = want.entry((member.payer, call.provider.clone())).or_default();
            let open = member.credits.is_none();
            let live = LIVE.contains(&call.state.as_str());
            assert!(
                !open || live || call.state == "expired",
                "{member:?} is open in {call:?}, which is over"
            );
            sums[0] += if open && live { member.reserved } else { 0 };
            sums[1] += member.credits.unwrap_or(0);
            sums[2] += if open && !live { member.reserved } else { 0 };
            // A lookup asks for no numbers.
            if call.kind == "lookup" {
                continue;
            }
            sums[3] += i64::from(member.reserved > 0);
            sums[4] += i64::from(member.credits.unwrap_or(0) > 0);
            sums[5] += i64::from(member.credits == Some(0) && member.reserved > 0);
        }
        for (key, totals) in &self.totals {
            let have = [
                totals.credits_reserved,
                totals.credits_spent,
                totals.written_off,
                totals.people_asked,
                totals.people_found,
                totals.people_not_found,
            ];
            let want = want.remove(key).unwrap_or_default();
            assert_eq!(
                have, want,
                "reserved, spent, written off, asked, found, not found of {key:?}"
            );
            if let Some(max) = totals.max_credits {
                let used = have[0] + have[1] + have[2];
                assert!(
                    used <= max + spared * 1000,
                    "batch {key:?} used {used} of {max} thousandths of credits"
                );
            }
        }
        // Payments of a purged batch stay on record with calls that other batches share.
        want.retain(|(batch, _), sums| *sums != [0; 6] && self.batches.contains_key(batch));
        assert!(want.is_empty(), "paid by batches without totals: {want:?}");
        let mut credits: HashMap<i64, i64> = HashMap::new();
        for member in &self.members {
            *credits.entry(member.reveal_id).or_default() += member.credits.unwrap_or(0);
        }
        for reveal in self.reveals.values() {
            let paid = credits.get(&reveal.id).copied().unwrap_or(0);
            assert_eq!(reveal.credits, paid, "credits of {reveal:?}");
        }
    }

    /// Checks that the cost of an asked person is shown by exactly one row of the paying batch, if it still has such a row.
    fn check_bills(&self) {
        let payers: HashMap<(i64, i64), i64> =
            self.members.iter().map(|m| ((m.reveal_id, m.call_id), m.payer)).collect();
        let mut billed: HashMap<i64, Vec<i64>> = HashMap::new();
        let mut shown: BTreeSet<(i64, i64)> = BTreeSet::new();
        for row in self.rows.iter().filter(|row| row.ended.is_none()) {
            let reveal = row.reveal_id.unwrap_or_default();
            shown.insert((reveal, row.batch_id));
            if row.shared == 0 {
                billed.entry(reveal).or_default().push(row.batch_id);
            }
        }
        let asked = self.reveals.values().filter(|r| !WAITING.contains(&&*r.state));
        for (reveal, call) in asked.filter_map(|r| Some((r, r.call_id?))) {
            let payer = payers.get(&(reveal.id, call)).copied();
            let wanted = payer.filter(|payer| shown.contains(&(reveal.id, *payer)));
            let billed = billed.remove(&reveal.id).unwrap_or_default();
            assert_eq!(
                billed,
                Vec::from_iter(wanted),
                "who shows the cost of {reveal:?}: {payer:?} paid"
            );
        }
    }

    fn check_calls(&self) {
        for call in self.calls.values() {
            let members: Vec<&Member> =
                self.members.iter().filter(|m| m.call_id == call.id).collect();
            assert_eq!(call.people, members.len() as i64, "people of {call:?}");
            if !["refused", "unsent"].contains(&call.state.as_str()) {
                let open = members.iter().filter(|m| m.credits.is_none()).count() as i64;
                assert_eq!(call.open_people, open, "open people of {call:?}");
                assert_eq!(call.state == "done", open == 0, "{call:?} has {open} open people");
            }
            let last_poll = call.state == "expired" && call.poll_at.is_some();
            let waits = ["accepted", "unknown"].contains(&call.state.as_str()) || last_poll;
            assert_eq!(call.deadline_at.is_some(), waits, "deadline of {call:?}");
            assert!(call.poll_at.is_none() || waits, "{call:?} is polled although it is over");
        }
    }

    fn check_reveals(&self) {
        let mut live: HashMap<i64, Vec<&Call>> = HashMap::new();
        for member in self.members.iter().filter(|m| m.credits.is_none()) {
            let call = &self.calls[&member.call_id];
            if LIVE.contains(&call.state.as_str()) {
                live.entry(member.reveal_id).or_default().push(call);
            }
        }
        for reveal in self.reveals.values() {
            let live = live.remove(&reveal.id).unwrap_or_default();
            let firsts = live.iter().filter(|call| call.repeat_of.is_none()).count();
            assert!(firsts <= 1, "{reveal:?} is in several calls: {live:?}");
            let own = live.iter().find(|call| Some(call.id) == reveal.call_id);
            match reveal.state.as_str() {
                "asked" => assert!(own.is_some(), "{reveal:?} waits for {live:?}"),
                "queued" | "retrying" | "idle" => {
                    assert!(live.is_empty(), "{reveal:?} may be asked twice: {live:?}");
                }
                _ => {}
            }
            assert_eq!(reveal.due_at.is_some(), reveal.state == "retrying", "due_at of {reveal:?}");
        }
    }

    /// Checks that a row shows its first found step, else its current step, and lists each person once, and that each waiting
    /// reveal is wanted by a row.
    fn check_steps(&self) {
        let live = || self.rows.iter().filter(|row| row.ended.is_none());
        for row in live() {
            let Some(steps) = self.waterfalls.get(&(row.batch_id, row.row_number)) else {
                continue;
            };
            let state = |id: &i64| self.reveals[id].state.as_str();
            assert_eq!(
                steps.len(),
                steps.iter().collect::<BTreeSet<_>>().len(),
                "{row:?} {steps:?}"
            );
            let batch = &self.batches[&row.batch_id];
            let satisfies = |id: &&i64| {
                state(id) == "found" && (batch.wants_mobile == 0 || self.mobile.contains(id))
            };
            let found = steps.iter().find(satisfies);
            let other = steps.iter().find(|id| state(id) == "found");
            let stops = ["found", "not_found", "failed"];
            let stop = steps.iter().find(|id| !stops.contains(&state(id)));
            let goes_on = batch.cancelled_at.is_none()
                && stop.is_some_and(|id| !FINISHED.contains(&state(id)));
            let shows = match (found, other) {
                (None, Some(other)) => {
                    if goes_on {
                        stop
                    } else {
                        Some(other)
                    }
                }
                (found, _) => found.or(stop).or(steps.last()),
            };
            assert_eq!(row.reveal_id, shows.copied(), "{row:?} of {steps:?}");
        }
        let wanted: BTreeSet<i64> = live().filter_map(|row| row.reveal_id).collect();
        for reveal in self.reveals.values() {
            let queued = ["queued", "retrying"].contains(&&*reveal.state);
            assert!(!queued || wanted.contains(&reveal.id), "{reveal:?} is wanted by no row");
        }
    }

    /// Checks that each queued person has an owner that will be served. From
    /// a batch at its ceiling, other batches with room take people over.
    fn check_owners(&self) {
        let mut wanted: HashMap<i64, BTreeSet<i64>> = HashMap::new();
        for row in self.rows.iter().filter(|row| row.ended.is_none()) {
            if let Some(reveal) = row.reveal_id {
                wanted.entry(reveal).or_default().insert(row.batch_id);
            }
        }
        let waiting = self.reveals.values().filter(|r| ["queued", "retrying"].contains(&&*r.state));
        for reveal in waiting.clone() {
            assert!(wanted.contains_key(&reveal.id), "{reveal:?} waits, and no row wants it");
        }
        for reveal in waiting.filter(|r| r.isolation_group.is_none() && wanted.contains_key(&r.id))
        {
            let owner = reveal.owner.and_then(|owner| self.batches.get(&owner));
            assert!(
                owner.is_some_and(|owner| owner.cancelled_at.is_none()),
                "{reveal:?} has an owner that is cancelled or gone"
            );
            let totals = owner.and_then(|b| self.totals.get(&(b.id, reveal.provider.clone())));
            if reveal.state == "queued" {
                let seen = totals.is_some_and(|t| t.queued > 0 || t.at_ceiling == 1);
                assert!(seen, "{reveal:?} has an owner that looks empty");
            }
            if let (1, "queued", Some(batch)) = (reveal.unclaimed, &*reveal.state, owner) {
                let way = self.unclaimed_ranges.get(&(batch.id, reveal.provider.clone()));
                let met = way.is_some_and(|(next, last)| (next..=last).contains(&&reveal.id));
                assert!(met, "{reveal:?} is unclaimed, and no claim reaches it, on {way:?}");
            }
        }
    }
}

impl Bench {
    /// Recounts everything; `when` is part of the panic message.
    pub async fn check(&self, when: &str) {
        let ledger = Ledger::read(&self.database).await;
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            ledger.check_batches();
            ledger.check_money(self.second_thoughts.load(Ordering::Relaxed));
            ledger.check_bills();
            ledger.check_calls();
            ledger.check_reveals();
            ledger.check_owners();
            ledger.check_steps();
        }));
        if let Err(panic) = result {
            eprintln!("the ledger is inconsistent at: {when}");
            std::panic::resume_unwind(panic);
        }
        self.check_gates(&ledger).await;
        self.check_views().await;
    }

    async fn check_gates(&self, ledger: &Ledger) {
        let gates: Vec<(String, String, Option<i64>)> =
            self.database.all("SELECT provider, state, probe_call FROM provider_gates").await;
        for (provider, state, probe) in gates {
            assert!(probe.is_none() || state != "open", "the gate of {provider}");
            if let Some(probe) = probe.filter(|_| state == "probing") {
                assert_eq!(ledger.calls[&probe].state, "sending", "the probe of {provider}");
            }
        }
    }

    /// Checks that no person was in two calls that were or may have been accepted, unless one call repeats the other, or the
    /// provider had said of one that it found no number and changed its answer.
    pub async fn check_paid_once(&self) {
        let asked: Vec<(i64, String, String)> = self
            .database
            .all(
                "SELECT m.reveal_id, c.kind, c.call_id FROM call_reveals m JOIN calls c ON c.id = m.call_id
                 WHERE c.state NOT IN ('refused', 'unsent') AND c.repeat_of IS NULL
                   AND (m.credits IS NULL OR m.credits > 0) ORDER BY c.id",
            )
            .await;
        let changed = self.changed_answers.lock().unwrap().clone();
        let mut calls: BTreeMap<(i64, String), Vec<String>> = BTreeMap::new();
        for (person, kind, call) in asked.into_iter().filter(|(.., call)| !changed.contains(call)) {
            calls.entry((person, kind)).or_default().push(call);
        }
        calls.retain(|_, calls| calls.len() > 1);
        assert!(calls.is_empty(), "asked twice: {calls:?}");
    }
}
