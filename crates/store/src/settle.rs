//! Applying results, whichever way they came: one transaction for all their people. Applying is
//! idempotent; a better answer replaces a worse one, never the other way round.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use jobs::outcome::{Finding, PersonResult, Phone};
use jobs::verdict::{Closing, GateReason, Until};
use jobs::{CallState, Policy, Provider, RevealState, Timestamp};
use serde::Serialize;

use crate::conn::{Conn, exec, row, rows};
use crate::erase::bodies::{cut_out, encoded};
use crate::erase::remember;
use crate::erasures::{ERASED, ErasureKey};
use crate::gate::{self, Gate};
use crate::resolve::Numbers;
use crate::throughput::count_results;
use crate::totals::{Totals, json};
use crate::transition::{Change, parse_provider, parse_state, shift};
use crate::{Result, Store, StoreError, Topic};

/// How exactly it is known when a provider's last webhook came: not worth a write for each.
const WEBHOOK_NOTE: Duration = Duration::from_secs(60);

/// Results that came for a call.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The stored webhook that brought them; `None` for a poll or an immediate answer.
    pub inbox: Option<i64>,
    /// The call's public id.
    pub call_id: String,
    /// What came.
    pub results: Vec<PersonResult>,
}

/// What applying a delivery came to; the words of `webhook_log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// Somebody has a result now who had none.
    Applied,
    /// Everything in it was known.
    Duplicate,
    /// Applied, after the deadline had passed.
    Late,
    /// It names nobody who was asked in that call.
    UnknownPerson,
    /// There is no such call.
    UnknownCall,
    /// The person was erased; the answer was thrown away.
    Erased,
}

impl Applied {
    /// The word in `webhook_log`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Applied::Applied => "applied",
            Applied::Duplicate => "duplicate",
            Applied::Late => "late",
            Applied::UnknownPerson => "unknown_person",
            Applied::UnknownCall => "unknown_call",
            Applied::Erased => "erased",
        }
    }
}

impl Store {
    /// Applies deliveries; returns what came of each, in their order.
    ///
    /// # Errors
    /// The database can't be used; nothing was applied then.
    pub async fn settle(&self, deliveries: Vec<Delivery>, policy: &Policy) -> Result<Vec<Applied>> {
        let (now, policy) = (self.now(), policy.clone());
        self.write(move |conn| {
            Box::pin(async move { settle(conn, deliveries, &policy, now).await })
        })
        .await
    }
}

pub(crate) async fn settle(
    conn: &mut Conn,
    deliveries: Vec<Delivery>,
    policy: &Policy,
    now: Timestamp,
) -> Result<Vec<Applied>> {
    lock_first(conn, &deliveries, now).await?;
    let mut ledger = Ledger::read(conn, &deliveries).await?;
    let outcomes: Vec<Applied> = deliveries.iter().map(|delivery| ledger.take(delivery)).collect();
    let mut totals = Totals::default();
    learn_aliases(conn, &mut ledger).await?;
    answer_newer(conn, &mut ledger).await?;
    ledger.write(conn, &mut totals, now).await?;
    write_inbox(conn, &deliveries, &outcomes, now).await?;
    discard_erased(conn, &ledger, now).await?;
    totals.flush(conn, now).await?;
    tell_gates(conn, &ledger, &deliveries, policy, now).await?;
    count_results(conn, ledger.results(), now).await?;
    conn.announce(Topic::Queue);
    Ok(outcomes)
}

/// Gates come first in the order of locks, then the numbers under which people are looked up. Those
/// that these deliveries may need are taken here; it is none of them, most of the time.
async fn lock_first(conn: &mut Conn, deliveries: &[Delivery], now: Timestamp) -> Result<()> {
    let results = || deliveries.iter().flat_map(|delivery| &delivery.results);
    let names: Vec<&str> = deliveries.iter().map(|d| d.call_id.as_str()).collect();
    let _: Vec<(String,)> = rows!(
        conn,
        "SELECT provider FROM provider_gates
         WHERE provider IN (SELECT c.provider FROM TEXTS($1) AS e JOIN calls c ON c.call_id = e.value)
           AND ((canary_url IS NOT NULL AND canary_proved_at IS NULL)
             OR (state = 'closed' AND reason = 'credits_pending') OR state = 'probing'
             OR webhook_at IS NULL OR webhook_at < $2 OR $3 = 1)
         ORDER BY provider FOR UPDATE",
        json(&names),
        (now - WEBHOOK_NOTE).0,
        i64::from(results().any(|result| result.finding == Finding::OutOfCredits)),
    )?;
    if learns_aliases(conn, deliveries, &names).await? {
        Numbers::lock(conn).await?;
    }
    Ok(())
}

/// Whether somebody is answered under an id by which they were not asked.
async fn learns_aliases(conn: &mut Conn, deliveries: &[Delivery], names: &[&str]) -> Result<bool> {
    let asked: Vec<(String, String, String)> = rows!(
        conn,
        "SELECT c.call_id, c.provider, r.subject FROM TEXTS($1) AS e
         JOIN calls c ON c.call_id = e.value AND c.people = 1
         JOIN call_reveals m ON m.call_id = c.id JOIN reveals r ON r.id = m.reveal_id",
        json(&names),
    )?;
    for (call_id, provider, subject) in asked {
        let provider = parse_provider(&provider, 0)?;
        let own = deliveries.iter().filter(|delivery| delivery.call_id == call_id);
        let mut named = own.flat_map(|d| &d.results).filter_map(|r| subject_of(provider, r));
        if named.any(|name| name != subject) {
            return Ok(true);
        }
    }
    Ok(false)
}

struct Call {
    id: i64,
    provider: Provider,
    expired: bool,
    members: Vec<usize>,
    settled: i64,
}

struct Member {
    call: i64,
    position: i64,
    reveal: i64,
    subject: String,
    payer: i64,
    reserved: i64,
    credits: Option<i64>,
    expired_call: bool,
    /// Whether this is the last call that the person was in.
    current: bool,
    changed: bool,
    /// Whether this is the first answer to it.
    answered: bool,
    spent: i64,
    found: bool,
}

#[derive(Clone)]
struct Person {
    provider: Provider,
    state: RevealState,
    new_state: Option<RevealState>,
    credits: i64,
    phones: Vec<Phone>,
}

/// What the deliveries touch, in memory.
struct Ledger {
    calls: HashMap<String, Call>,
    members: Vec<Member>,
    people: BTreeMap<i64, Person>,
    aliases: Vec<(String, String, i64)>,
    /// Set where somebody of these was erased.
    erasure_key: Option<ErasureKey>,
    /// Identifiers under which erased people were answered.
    erased: BTreeSet<String>,
    /// Stored webhooks that name an erased person among others.
    naming_erased: Vec<i64>,
    out_of_credits: HashSet<Provider>,
}

type CallRow = (i64, String, String, String);
type MemberRow = (i64, i64, i64, String, i64, i64, Option<i64>, String, Option<i64>);

impl Ledger {
    async fn read(conn: &mut Conn, deliveries: &[Delivery]) -> Result<Ledger> {
        let names: HashSet<&str> = deliveries.iter().map(|d| d.call_id.as_str()).collect();
        let found: Vec<CallRow> = rows!(
            conn,
            "SELECT c.id, c.call_id, c.provider, c.state FROM TEXTS($1) AS e
             JOIN calls c ON c.call_id = e.value ORDER BY c.id FOR UPDATE",
            json(&names),
        )?;
        let mut calls = HashMap::new();
        let mut by_number = HashMap::new();
        for (id, call_id, provider, state) in found {
            by_number.insert(id, call_id.clone());
            let provider = parse_provider(&provider, id)?;
            let expired = state == CallState::Expired.as_str();
            calls.insert(call_id, Call { id, provider, expired, members: Vec::new(), settled: 0 });
        }
        let numbers: Vec<i64> = by_number.keys().copied().collect();
        let found: Vec<MemberRow> = rows!(
            conn,
            "SELECT m.call_id, m.position, m.reveal_id, r.subject, m.payer, m.reserved, m.credits, r.state, r.call_id
             FROM IDS($1) AS e
             JOIN call_reveals m ON m.call_id = CAST(e.value AS BIGINT)
             JOIN reveals r ON r.id = m.reveal_id
             ORDER BY r.id FOR UPDATE",
            json(&numbers),
        )?;
        let mut ledger = Ledger {
            calls,
            members: Vec::with_capacity(found.len()),
            people: BTreeMap::new(),
            aliases: Vec::new(),
            erasure_key: None,
            erased: BTreeSet::new(),
            naming_erased: Vec::new(),
            out_of_credits: HashSet::new(),
        };
        for row in found {
            ledger.remember(row, &by_number)?;
        }
        if ledger.members.iter().any(|member| member.subject.starts_with(ERASED)) {
            ledger.erasure_key = ErasureKey::read(conn).await?;
        }
        for call in ledger.calls.values_mut() {
            call.members.sort_unstable_by_key(|&m| ledger.members[m].position);
        }
        Ok(ledger)
    }

    fn remember(&mut self, row: MemberRow, by_number: &HashMap<i64, String>) -> Result<()> {
        let (call, position, reveal, subject, payer, reserved, credits, state, in_call) = row;
        let state = parse_state(&state, reveal)?;
        let Some(owner) = by_number.get(&call).and_then(|name| self.calls.get_mut(name)) else {
            return Ok(());
        };
        owner.members.push(self.members.len());
        self.people.entry(reveal).or_insert(Person {
            provider: owner.provider,
            state,
            new_state: None,
            credits: 0,
            phones: Vec::new(),
        });
        self.members.push(Member {
            call,
            position,
            reveal,
            subject,
            payer,
            reserved,
            credits,
            expired_call: owner.expired,
            current: in_call == Some(call),
            changed: false,
            answered: false,
            spent: 0,
            found: false,
        });
        Ok(())
    }

    /// Places a delivery's results; what it came to.
    fn take(&mut self, delivery: &Delivery) -> Applied {
        let Some(call) = self.calls.get(&delivery.call_id) else { return Applied::UnknownCall };
        let (provider, expired, alone) = (call.provider, call.expired, call.members.len() == 1);
        let by_subject: HashMap<String, usize> =
            call.members.iter().map(|&m| (self.members[m].subject.clone(), m)).collect();
        let sole = call.members.first().copied();
        let (mut applied, mut known, mut erased) = (false, false, false);
        for result in whose(delivery, provider, alone, &by_subject) {
            let subject = subject_of(provider, result);
            let named = subject.as_ref().and_then(|subject| self.named(subject, &by_subject));
            let Some(member) = named.or(sole.filter(|_| alone)) else { continue };
            match self.place(member, &result.finding) {
                Placed::New => applied = true,
                Placed::Known => known = true,
                Placed::Erased => {
                    erased = true;
                    self.erased.extend(subject);
                    continue;
                }
            }
            if alone && named.is_none() {
                self.note_alias(subject, member);
            }
        }
        if erased && (applied || known) {
            self.naming_erased.extend(delivery.inbox);
        }
        match (erased, applied, known) {
            (true, false, false) => Applied::Erased,
            (_, true, _) if expired => Applied::Late,
            (_, true, _) => Applied::Applied,
            (_, _, true) => Applied::Duplicate,
            _ if delivery.results.is_empty() => Applied::Duplicate,
            _ => Applied::UnknownPerson,
        }
    }

    /// The member of a call who is named; an erased one by the hash that stands in their place.
    fn named(&self, subject: &str, by_subject: &HashMap<String, usize>) -> Option<usize> {
        let erased = || {
            let hash = self.erasure_key.as_ref()?.hash(subject);
            by_subject.get(&format!("{ERASED}{hash}"))
        };
        by_subject.get(subject).or_else(erased).copied()
    }

    fn note_alias(&mut self, subject: Option<String>, member: usize) {
        let member = &self.members[member];
        if let Some(identifier) = subject
            && identifier != member.subject
        {
            self.aliases.push((identifier, member.subject.clone(), member.reveal));
        }
    }

    /// Writes a finding to a member of a call, and to the person.
    fn place(&mut self, index: usize, finding: &Finding) -> Placed {
        let member = &mut self.members[index];
        let Some(person) = self.people.get_mut(&member.reveal) else { return Placed::Known };
        let erased = person.state == RevealState::Cancelled;
        let (to, charged, phones): (RevealState, i64, &[Phone]) = match finding {
            Finding::InProgress if erased => return Placed::Erased,
            Finding::InProgress => return Placed::New,
            Finding::Found { phones, credits } => {
                (RevealState::Found, credits.unwrap_or(member.reserved), phones)
            }
            Finding::NotFound => (RevealState::NotFound, 0, &[]),
            Finding::OutOfCredits => (RevealState::Queued, 0, &[]),
        };
        let standing = person.new_state.unwrap_or(person.state);
        let first_answer = member.credits.is_none();
        // A number that comes after 'not found' is charged as if it had come at once.
        let better = member.credits == Some(0)
            && to == RevealState::Found
            && to.rank() > standing.rank()
            && !erased;
        if first_answer || better {
            member.credits = Some(charged);
            member.changed = true;
            member.spent += charged;
            member.found = to == RevealState::Found && (first_answer || member.reserved > 0);
            person.credits += charged;
        }
        if first_answer {
            member.answered = true;
            if let Some(call) = self.calls.values_mut().find(|call| call.id == member.call) {
                call.settled += 1;
            }
        }
        if erased {
            return Placed::Erased;
        }
        if finding == &Finding::OutOfCredits {
            if first_answer {
                self.out_of_credits.insert(person.provider);
            }
            // Whoever is in another call by now is not asked a third time.
            if first_answer && member.current && !standing.is_finished() {
                person.new_state = Some(RevealState::Queued);
            }
        } else if to.rank() > standing.rank() {
            person.new_state = Some(to);
            person.phones = phones.to_vec();
            return Placed::New;
        }
        if first_answer { Placed::New } else { Placed::Known }
    }

    /// Who has another state now.
    fn results(&self) -> impl Iterator<Item = (Provider, RevealState)> {
        self.people.values().filter_map(|person| Some((person.provider, person.new_state?)))
    }

    async fn write(&self, conn: &mut Conn, totals: &mut Totals, now: Timestamp) -> Result<()> {
        self.write_people(conn, totals, now).await?;
        self.write_phones(conn).await?;
        self.write_members(conn, totals).await?;
        self.write_calls(conn, now).await
    }

    async fn write_people(
        &self,
        conn: &mut Conn,
        totals: &mut Totals,
        now: Timestamp,
    ) -> Result<()> {
        let mut moves: BTreeMap<(Provider, &'static str), (RevealState, Vec<i64>)> =
            BTreeMap::new();
        for (id, person) in &self.people {
            if let Some(to) = person.new_state {
                let group =
                    moves.entry((person.provider, to.as_str())).or_insert_with(|| (to, Vec::new()));
                group.1.push(*id);
            }
        }
        for ((provider, _), (to, ids)) in moves {
            let reason = (to == RevealState::Queued).then_some("credits_insufficient");
            shift(conn, totals, provider, &ids, Change { reason, ..Change::to(to) }, now).await?;
        }
        #[derive(Serialize)]
        struct Row {
            id: i64,
            credits: i64,
        }
        let credits: Vec<Row> = self
            .people
            .iter()
            .filter(|(_, p)| p.new_state.is_some() || p.credits > 0)
            .map(|(&id, p)| Row { id, credits: p.credits })
            .collect();
        if !credits.is_empty() {
            exec!(
                conn,
                "UPDATE reveals SET credits = credits + CAST(e.value->>'credits' AS BIGINT), cohort = NULL,
                    revealed_at = CASE WHEN state IN ('found', 'not_found') THEN COALESCE(revealed_at, $2) END
                 FROM EACH($1) AS e WHERE reveals.id = CAST(e.value->>'id' AS BIGINT)",
                json(&credits),
                now.0,
            )?;
        }
        Ok(())
    }

    async fn write_phones(&self, conn: &mut Conn) -> Result<()> {
        #[derive(Serialize)]
        struct Row<'a> {
            reveal: i64,
            position: usize,
            #[serde(flatten)]
            phone: &'a Phone,
        }
        let mut phones = Vec::new();
        for (&reveal, person) in &self.people {
            let mut seen = HashSet::new();
            let once =
                person.phones.iter().filter(|p| seen.insert(p.e164.as_ref().unwrap_or(&p.raw)));
            phones.extend(once.enumerate().map(|(position, phone)| Row {
                reveal,
                position,
                phone,
            }));
        }
        if !phones.is_empty() {
            exec!(
                conn,
                "INSERT INTO phones (reveal_id, position, raw, e164, kind)
                 SELECT CAST(e.value->>'reveal' AS BIGINT), CAST(e.value->>'position' AS BIGINT),
                        e.value->>'raw', e.value->>'e164', e.value->>'kind'
                 FROM EACH($1) AS e WHERE TRUE
                 ON CONFLICT (reveal_id, position) DO NOTHING",
                json(&phones),
            )?;
        }
        Ok(())
    }

    async fn write_members(&self, conn: &mut Conn, totals: &mut Totals) -> Result<()> {
        #[derive(Serialize)]
        struct Row {
            call: i64,
            position: i64,
            credits: Option<i64>,
        }
        let mut changed = Vec::new();
        for member in self.members.iter().filter(|member| member.changed) {
            let Some(person) = self.people.get(&member.reveal) else { continue };
            if member.answered && member.expired_call {
                totals.write_back(member.payer, person.provider, member.reserved);
            }
            let reserved = if member.answered { member.reserved } else { 0 };
            totals.spend(member.payer, person.provider, reserved, member.spent, member.found);
            changed.push(Row {
                call: member.call,
                position: member.position,
                credits: member.credits,
            });
        }
        if !changed.is_empty() {
            exec!(
                conn,
                "UPDATE call_reveals SET credits = CAST(e.value->>'credits' AS BIGINT)
                 FROM EACH($1) AS e
                 WHERE call_id = CAST(e.value->>'call' AS BIGINT)
                   AND position = CAST(e.value->>'position' AS BIGINT)",
                json(&changed),
            )?;
        }
        Ok(())
    }

    async fn write_calls(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        #[derive(Serialize)]
        struct Row {
            id: i64,
            settled: i64,
        }
        let settled: Vec<Row> = self
            .calls
            .values()
            .filter(|call| call.settled > 0)
            .map(|call| Row { id: call.id, settled: call.settled })
            .collect();
        if settled.is_empty() {
            return Ok(());
        }
        let settled = json(&settled);
        exec!(
            conn,
            "UPDATE calls SET open_people = open_people - CAST(e.value->>'settled' AS BIGINT)
             FROM EACH($1) AS e WHERE calls.id = CAST(e.value->>'id' AS BIGINT)",
            settled.clone(),
        )?;
        exec!(
            conn,
            "UPDATE calls SET state = 'done', deadline_at = NULL, poll_at = NULL,
                finished_at = COALESCE(finished_at, $2)
             WHERE open_people <= 0 AND state <> 'done'
               AND id IN (SELECT CAST(e.value->>'id' AS BIGINT) FROM EACH($1) AS e)",
            settled,
            now.0,
        )?;
        Ok(())
    }
}

enum Placed {
    New,
    Known,
    Erased,
}

/// In a call for one, one result counts: the one that names the person, else the first.
fn whose<'d>(
    delivery: &'d Delivery,
    provider: Provider,
    alone: bool,
    by_subject: &HashMap<String, usize>,
) -> Vec<&'d PersonResult> {
    if !alone {
        return delivery.results.iter().collect();
    }
    let named = delivery
        .results
        .iter()
        .find(|r| subject_of(provider, r).is_some_and(|subject| by_subject.contains_key(&subject)));
    named.or(delivery.results.first()).into_iter().collect()
}

fn subject_of(provider: Provider, result: &PersonResult) -> Option<String> {
    encoded(provider, result.person_id.as_deref()?)
}

/// Keeps the ids under which people were answered. If somebody of that id waits in the queue as a
/// person of their own, they are the same, and are answered along.
async fn learn_aliases(conn: &mut Conn, ledger: &mut Ledger) -> Result<()> {
    let aliases = std::mem::take(&mut ledger.aliases);
    if aliases.is_empty() {
        return Ok(());
    }
    // The lock under which submits look people up: none may make the same person meanwhile.
    Numbers::lock(conn).await?;
    for (identifier, subject, reveal) in aliases {
        let Some(mut person) = ledger.people.get(&reveal).cloned() else { continue };
        // Only an answer is shared; that credits ran out says nothing of somebody who waits anyway.
        person.new_state = person.new_state.filter(|state| state.is_finished());
        exec!(
            conn,
            "INSERT INTO aliases (provider, identifier, subject) VALUES ($1, $2, $3)
             ON CONFLICT (provider, identifier) DO NOTHING",
            person.provider.as_str(),
            identifier.as_str(),
            subject,
        )?;
        let waiting: Vec<(i64, String)> = rows!(
            conn,
            "SELECT id, state FROM reveals WHERE provider = $1 AND subject = $2
             AND state IN ('idle', 'queued', 'retrying') FOR UPDATE",
            person.provider.as_str(),
            identifier,
        )?;
        for (id, state) in waiting {
            let twin = Person { state: parse_state(&state, id)?, credits: 0, ..person.clone() };
            ledger.people.entry(id).or_insert(twin);
        }
    }
    Ok(())
}

/// A late answer to somebody who had expired spares a newer generation of theirs that waits to be
/// asked: they are answered along, and not paid for a second time.
async fn answer_newer(conn: &mut Conn, ledger: &mut Ledger) -> Result<()> {
    let late: Vec<i64> = ledger
        .people
        .iter()
        .filter(|(_, p)| p.state == RevealState::Expired && p.new_state.is_some())
        .map(|(id, _)| *id)
        .collect();
    if late.is_empty() {
        return Ok(());
    }
    let waiting: Vec<(i64, i64, String)> = rows!(
        conn,
        "SELECT o.id, n.id, n.state FROM IDS($1) AS e
         JOIN reveals o ON o.id = CAST(e.value AS BIGINT)
         JOIN reveals n ON n.provider = o.provider AND n.subject = o.subject
                       AND n.generation > o.generation
         WHERE n.state IN ('idle', 'queued', 'retrying') AND n.call_id IS NULL
         ORDER BY n.id FOR UPDATE",
        json(&late),
    )?;
    for (answered, id, state) in waiting {
        let Some(person) = ledger.people.get(&answered).cloned() else { continue };
        let twin = Person { state: parse_state(&state, id)?, credits: 0, ..person };
        ledger.people.entry(id).or_insert(twin);
    }
    Ok(())
}

async fn write_inbox(
    conn: &mut Conn,
    deliveries: &[Delivery],
    outcomes: &[Applied],
    now: Timestamp,
) -> Result<()> {
    #[derive(Serialize)]
    struct Row {
        id: i64,
        outcome: &'static str,
    }
    let done: Vec<Row> = deliveries
        .iter()
        .zip(outcomes)
        .filter_map(|(delivery, outcome)| {
            Some(Row { id: delivery.inbox?, outcome: outcome.as_str() })
        })
        .collect();
    if done.is_empty() {
        return Ok(());
    }
    let changed = exec!(
        conn,
        "UPDATE webhook_inbox SET outcome = e.value->>'outcome', applied_at = $2,
            body = CASE WHEN e.value->>'outcome' = 'erased' THEN NULL ELSE body END
         FROM EACH($1) AS e WHERE webhook_inbox.id = CAST(e.value->>'id' AS BIGINT) AND outcome IS NULL",
        json(&done),
        now.0,
    )?;
    if changed == done.len() as u64 {
        Ok(())
    } else {
        Err(StoreError::Lost { what: "a stored webhook".into(), why: "another worker applied it" })
    }
}

/// Of erased people nothing is kept that came, but the hashes of ids that turned out to be theirs.
async fn discard_erased(conn: &mut Conn, ledger: &Ledger, now: Timestamp) -> Result<()> {
    let Some(key) = &ledger.erasure_key else { return Ok(()) };
    remember(conn, key, &ledger.erased, now).await?;
    let gone = |person: &str| {
        let identifiers = Provider::ALL.map(|provider| encoded(provider, person));
        identifiers.iter().flatten().any(|identifier| ledger.erased.contains(identifier))
    };
    for &inbox in &ledger.naming_erased {
        cut_out(conn, inbox, gone).await?;
    }
    Ok(())
}

/// A webhook proves the webhook URL, and frees credits that others may have waited for.
async fn tell_gates(
    conn: &mut Conn,
    ledger: &Ledger,
    deliveries: &[Delivery],
    policy: &Policy,
    now: Timestamp,
) -> Result<()> {
    let webhooks: HashSet<Provider> = deliveries
        .iter()
        .filter(|delivery| delivery.inbox.is_some())
        .filter_map(|delivery| ledger.calls.get(&delivery.call_id))
        .map(|call| call.provider)
        .collect();
    for provider in webhooks {
        exec!(
            conn,
            "UPDATE provider_gates SET canary_proved_at = $2
             WHERE provider = $1 AND canary_url IS NOT NULL AND canary_proved_at IS NULL",
            provider.as_str(),
            now.0,
        )?;
        exec!(
            conn,
            "UPDATE provider_gates SET webhook_at = $2
             WHERE provider = $1 AND (webhook_at IS NULL OR webhook_at < $3)",
            provider.as_str(),
            now.0,
            (now - WEBHOOK_NOTE).0,
        )?;
        exec!(
            conn,
            "UPDATE provider_gates SET closed_until = $2
             WHERE provider = $1 AND state = 'closed' AND reason = 'credits_pending' AND closed_until > $2",
            provider.as_str(),
            now.0,
        )?;
    }
    // A result for the call that probes a gate says that it was taken, whoever waits for its response.
    for call in ledger.calls.values() {
        let probed: Option<(String,)> = row!(
            conn,
            "SELECT provider FROM provider_gates WHERE provider = $1 AND probe_call = $2",
            call.provider.as_str(),
            call.id,
        )?;
        if probed.is_some() {
            gate::open(conn, call.provider).await?;
        }
    }
    for provider in &ledger.out_of_credits {
        let gate = Gate::lock(conn, *provider).await?;
        let closing = Closing {
            reason: GateReason::CreditsInsufficient,
            message: None,
            until: Until::Mended,
        };
        gate::close(conn, *provider, &gate, &closing, policy, now).await?;
    }
    Ok(())
}
