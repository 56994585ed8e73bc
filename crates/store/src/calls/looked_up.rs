//! The answer to a lookup: what it cost, and what becomes of the people. All in one transaction, since no part of the
//! answer comes a second time.

mod alone;
mod by_subject;
mod erased;
mod known;
mod same_person;

use std::collections::HashMap;
use std::sync::Arc;

use db::bulk::{Key, ints, write_ranges};
use db::{Conn, Ints, record};
use jobs::lookup::{NO_MATCH, PRICE_OF_MATCH, is_to_be_looked_up};
use jobs::outcome::Matches;
use jobs::{CallState, Credits, Identifier, IdentifierKind, RevealState, Timestamp};

use crate::calls::Calls;
use crate::calls::claimed::{Answer, ClaimedCall};
use crate::calls::ended::answer_to;
use crate::calls::looked_up::alone::ask_alone;
use crate::calls::looked_up::erased::{end_erased, remember_ids};
use crate::calls::looked_up::known::{Identified, adopt};
use crate::decode::credits;
use crate::decode::parse_state;
use crate::error::Result;
use crate::gates::gate::Gate;
use crate::gates::state;
use crate::people::erased::ERASED;
use crate::people::links::evidence::persons_of;
use crate::people::resolve::RevealIds;
use crate::people::suppressed::{end_waiting, suppressed_among};
use crate::reveals::counters::Totals;
use crate::reveals::transition::{Change, REVEAL, shift};
use crate::reveals::waterfall::waits;
use crate::topic::Topic;

impl Calls<'_> {
    /// Records the provider's answer to a lookup.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn answer_looked_up(self, answer: Answer, matches: Matches) -> Result<()> {
        let now = self.store.now();
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    let mut totals = Totals::default();
                    take(conn, &mut totals, &answer, &matches, now).await?;
                    totals.flush(conn, now).await
                })
            })
            .await
    }
}

record! {
    /// A person in the call who has no answer from it.
    struct Member {
        position: i64,
        reveal_id: i64,
        payer: i64,
        reserved: Credits = Credits::from_thousandths,
        subject: String,
        state: String,
        in_call: Option<i64>,
    }
}

async fn take(
    conn: &mut Conn,
    totals: &mut Totals,
    answer: &Answer,
    matches: &Matches,
    now: Timestamp,
) -> Result<()> {
    let call = &answer.call;
    Gate::lock(conn, call.provider).await?;
    // The lock under which submits resolve people: no submit may create the same person meanwhile.
    RevealIds::lock(conn).await?;
    let found: Option<(String,)> = conn
        .fetch_optional("SELECT state FROM calls WHERE id = $1 FOR UPDATE", &[&call.id])
        .await?;
    let state = found.map(|(state,)| state);
    // A worker that was frozen may answer a lookup that was taken over: its cost is known now.
    let late = state.as_deref() == Some(CallState::Expired.as_str());
    if !late && state.as_deref() != Some(CallState::Sending.as_str()) {
        return Ok(());
    }
    let members = members(conn, call.id).await?;
    book(conn, totals, call, &members, matches, late).await?;
    end(conn, answer, matches, now).await?;
    sort_out(conn, totals, call, &members, matches, late, now).await?;
    let erased = members.iter().filter(|member| member.subject.starts_with(ERASED));
    let ids = erased.filter_map(|member| member.identifier(matches)).collect();
    remember_ids(conn, ids, now).await?;
    state::open_probed(conn, &[call.id]).await?;
    state::note_success(conn, call.provider, answer_to(call)).await?;
    conn.announce(Topic::Queue);
    Ok(())
}

async fn members(conn: &mut Conn, call: i64) -> Result<Vec<Member>> {
    Ok(conn.fetch_all(
        "SELECT m.position, m.reveal_id, m.payer, m.reserved, r.subject, r.state, r.call_id AS in_call
         FROM call_reveals m JOIN reveals r ON r.id = m.reveal_id
         WHERE m.call_id = $1 AND m.credits IS NULL ORDER BY r.id FOR UPDATE OF r",
        &[&call],
    )
    .await?)
}

impl Member {
    /// The id that the answer names.
    fn matched<'m>(&self, matches: &'m Matches) -> Option<&'m str> {
        matches.ids.get(usize::try_from(self.position).ok()?)?.as_deref()
    }

    /// The id that the answer names, as the ledger keeps it.
    fn identifier(&self, matches: &Matches) -> Option<String> {
        let id = Identifier::parse(IdentifierKind::OceanPersonId, self.matched(matches)?).ok()?;
        Some(id.encode())
    }

    fn spent(&self, matches: &Matches) -> Credits {
        self.matched(matches).map_or(Credits::ZERO, |_| PRICE_OF_MATCH)
    }
}

/// Charges the people who matched, whatever their state is now.
async fn book(
    conn: &mut Conn,
    totals: &mut Totals,
    call: &ClaimedCall,
    members: &[Member],
    matches: &Matches,
    late: bool,
) -> Result<()> {
    for member in members {
        if late {
            totals.write_back(member.payer, call.provider, member.reserved);
        }
        totals.look_up(member.payer, call.provider, member.reserved, member.spent(matches));
    }
    let spent = || credits(members.iter().map(|member| member.spent(matches)));
    let columns = vec![
        ("position", ints(members.iter().map(|member| member.position))),
        ("call", ints(members.iter().map(|_| call.id))),
        ("credits", spent()),
    ];
    let key = Key { of: "call_reveals.position", by: "position", within: Some("call") };
    write_ranges(
        conn,
        "UPDATE call_reveals SET credits = e.credits
         FROM ROWS WHERE call_reveals.call_id = e.call AND call_reveals.position = e.position",
        &key,
        columns,
    )
    .await?;
    let columns =
        vec![("id", ints(members.iter().map(|member| member.reveal_id))), ("credits", spent())];
    write_ranges(
        conn,
        "UPDATE reveals SET credits = reveals.credits + e.credits FROM ROWS WHERE reveals.id = e.id",
        &REVEAL,
        columns,
    )
    .await?;
    Ok(())
}

async fn end(
    conn: &mut Conn,
    Answer { call, http_status }: &Answer,
    matches: &Matches,
    now: Timestamp,
) -> Result<()> {
    conn.execute(
        "UPDATE calls SET state = 'done', outcome = $2, http_status = $3, finished_at = $4, open_people = 0 WHERE id = $1",
        &[
            &call.id,
            &format!("{} of {} matched", matches.ids.iter().flatten().count(), call.people.len()),
            &http_status.map(i64::from),
            &now.0,
        ],
    )
    .await?;
    Ok(())
}

/// People whose id is known now are asked by it; the other people go on to the next step of their rows.
async fn sort_out(
    conn: &mut Conn,
    totals: &mut Totals,
    call: &ClaimedCall,
    members: &[Member],
    matches: &Matches,
    late: bool,
    now: Timestamp,
) -> Result<()> {
    let mut here: HashMap<i64, &Member> = HashMap::new();
    for member in members {
        let state = parse_state(&member.state, member.reveal_id)?;
        let waits_here = state == RevealState::Asked && member.in_call == Some(call.id);
        let waits_again = late && waits(state) && member.matched(matches).is_some();
        if is_to_be_looked_up(call.provider, &member.subject) && (waits_here || waits_again) {
            here.insert(member.reveal_id, member);
        }
    }
    end_suppressed(conn, totals, call, &mut here, now).await?;
    // A row may have named the id meanwhile, and knows better than the lookup.
    let persons =
        persons_of(conn, here.values().map(|member| member.subject.as_str().into())).await?;
    let (mut identified, mut unmatched) = (Vec::new(), Vec::new());
    for (&reveal, member) in &here {
        let subject: Arc<str> = member.subject.as_str().into();
        let own = |other: &&Arc<str>| {
            IdentifierKind::of_encoded(other) == Some(IdentifierKind::OceanPersonId)
        };
        let said = persons.with(&subject).iter().find(own).cloned();
        let is_new = said.is_none();
        match said.or_else(|| member.identifier(matches).map(Into::into)) {
            Some(id) => identified.push(Identified { reveal, subject, id, is_new }),
            None => unmatched.push(reveal),
        }
    }
    identified.sort_unstable_by_key(|one| one.reveal);
    unmatched.sort_unstable();
    let identified = end_erased(conn, totals, call.provider, identified, now).await?;
    adopt(conn, totals, call.provider, &identified, now).await?;
    if matches.unnamed && call.people.len() > 1 {
        return ask_alone(conn, totals, call.provider, &unmatched, now).await;
    }
    conn.execute(
        "UPDATE reveals SET isolation_group = NULL, revealed_at = $2 WHERE id IN (SELECT e.value FROM IDS($1) AS e)",
        &[&Ints::of(&unmatched), &now.0],
    )
    .await?;
    let change = Change { reason: Some(NO_MATCH), ..Change::to(RevealState::NotFound) };
    shift(conn, totals, call.provider, &unmatched, change, now).await
}

/// Ends people who were suppressed under their address while they were looked up: they are not asked by their id.
async fn end_suppressed(
    conn: &mut Conn,
    totals: &mut Totals,
    call: &ClaimedCall,
    here: &mut HashMap<i64, &Member>,
    now: Timestamp,
) -> Result<()> {
    let people = here.iter().map(|(reveal, member)| (*reveal, member.subject.as_str()));
    let suppressed = suppressed_among(conn, people).await?;
    if suppressed.is_empty() {
        return Ok(());
    }
    here.retain(|reveal, _| !suppressed.contains(reveal));
    shift(conn, totals, call.provider, &suppressed, Change::to(RevealState::Queued), now).await?;
    end_waiting(conn, totals, &suppressed, now).await.map(|_| ())
}
