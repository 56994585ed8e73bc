//! Writing what a settlement changes: people, phones, money, calls. A handful of statements, however
//! many people there are.

use std::collections::{BTreeMap, HashSet};

use db::Conn;
use db::bulk::{Columns, Key, ints, same, texts, words, write_ranges, write_rows};
use jobs::outcome::Phone;
use jobs::{Credits, PhoneType, RevealState, Timestamp};

use crate::decode::credits;
use crate::error::Result;
use crate::results::settle::answers::Answers;
use crate::results::settle::ledger::Ledger;
use crate::reveals::counters::Totals;
use crate::reveals::displayed_rows::in_waterfalls;
use crate::reveals::transition::follow;

impl Ledger {
    pub(super) async fn write(
        &self,
        conn: &mut Conn,
        totals: &mut Totals,
        now: Timestamp,
    ) -> Result<()> {
        // Phones come first, since where a row goes may depend on them.
        self.write_phones(conn).await?;
        self.write_people(conn, totals, now).await?;
        self.write_members(conn, totals).await?;
        self.write_calls(conn, now).await
    }

    async fn write_people(
        &self,
        conn: &mut Conn,
        totals: &mut Totals,
        now: Timestamp,
    ) -> Result<()> {
        let answers = Answers::of(&self.people);
        answers.count(conn, totals).await?;
        answers.write(conn, now).await?;
        let (ended, waiting) = answers.ids();
        let listed: Vec<i64> = in_waterfalls(conn, &ended).await?.into_iter().collect();
        follow(conn, totals, &listed, &waiting, now).await?;
        let in_no_new_state = self.people.iter().filter(|(_, p)| p.new_state.is_none());
        let paid: Vec<(i64, Credits)> = in_no_new_state
            .filter(|(_, p)| p.credits.is_positive())
            .map(|(id, p)| (*id, p.credits))
            .collect();
        let columns = vec![
            ("id", ints(paid.iter().map(|(id, _)| *id))),
            ("credits", credits(paid.iter().map(|(_, credits)| *credits))),
        ];
        write_rows(
            conn,
            "UPDATE reveals SET credits = reveals.credits + e.credits FROM ROWS WHERE reveals.id = e.id",
            columns,
        )
        .await?;
        Ok(())
    }

    async fn write_phones(&self, conn: &mut Conn) -> Result<()> {
        let (mut first, mut others) = (Vec::new(), Vec::new());
        for (&reveal, person) in &self.people {
            let mut seen = HashSet::new();
            let once = person
                .phones
                .iter()
                .filter(|p| seen.insert((p.e164.as_ref().unwrap_or(&p.raw), p.extension.as_ref())));
            // People who were still waited for have no phones yet, so none are looked for.
            let of = if person.state == RevealState::Asked { &mut first } else { &mut others };
            of.extend((0..).zip(once).map(|(position, phone)| (reveal, position, phone)));
        }
        write_rows(
            conn,
            "INSERT INTO phones (reveal_id, position, raw, e164, extension, kind, type, country)
             SELECT e.reveal, e.position, e.raw, e.e164, e.extension, e.kind, e.type, e.country FROM ROWS",
            phone_columns(&first),
        )
        .await?;
        write_rows(
            conn,
            "INSERT INTO phones (reveal_id, position, raw, e164, extension, kind, type, country)
             SELECT e.reveal, e.position, e.raw, e.e164, e.extension, e.kind, e.type, e.country FROM ROWS WHERE TRUE
             ON CONFLICT (reveal_id, position) DO NOTHING",
            phone_columns(&others),
        )
        .await?;
        Ok(())
    }

    async fn write_members(&self, conn: &mut Conn, totals: &mut Totals) -> Result<()> {
        let mut changed = Vec::new();
        for member in self.members.iter().filter(|member| member.changed) {
            let Some(person) = self.people.get(&member.reveal) else { continue };
            if member.answered && member.expired_call {
                totals.write_back(member.payer, person.provider, member.reserved);
            }
            let reserved = if member.answered { member.reserved } else { Credits::ZERO };
            totals.spend(member.payer, person.provider, reserved, member.spent, member.found);
            totals.not_found(member.payer, person.provider, member.not_found);
            if member.unasked {
                totals.reserve(member.payer, person.provider, -1, Credits::ZERO);
            }
            if member.asked_after_all {
                totals.reserve(member.payer, person.provider, 1, Credits::ZERO);
            }
            changed.push(member);
        }
        let columns = vec![
            ("position", ints(changed.iter().map(|member| member.position))),
            ("call", ints(changed.iter().map(|member| member.call))),
            (
                "reserved",
                credits(
                    changed.iter().map(|m| if m.unasked { -m.reserved } else { m.reserved.abs() }),
                ),
            ),
            (
                "credits",
                ints(changed.iter().map(|member| member.credits.map(Credits::thousandths))),
            ),
        ];
        let key = Key { of: "call_reveals.position", by: "position", within: Some("call") };
        write_ranges(
            conn,
            "UPDATE call_reveals SET credits = e.credits, reserved = e.reserved
             FROM ROWS WHERE call_reveals.call_id = e.call AND call_reveals.position = e.position",
            &key,
            columns,
        )
        .await?;
        Ok(())
    }

    async fn write_calls(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        let mut answered: BTreeMap<i64, i64> = BTreeMap::new();
        for member in self.members.iter().filter(|member| member.answered) {
            *answered.entry(member.call).or_default() += 1;
        }
        let columns = vec![
            ("id", ints(answered.keys().copied())),
            ("settled", ints(answered.values().copied())),
            ("now", same(now.0, answered.len())),
        ];
        let key = Key { of: "calls.id", by: "id", within: None };
        write_ranges(
            conn,
            "UPDATE calls SET open_people = calls.open_people - e.settled,
                state = CASE WHEN calls.open_people > e.settled THEN calls.state ELSE 'done' END,
                deadline_at = CASE WHEN calls.open_people > e.settled THEN calls.deadline_at END,
                poll_at = CASE WHEN calls.open_people > e.settled THEN calls.poll_at END,
                finished_at = CASE WHEN calls.open_people > e.settled THEN calls.finished_at
                                   ELSE COALESCE(calls.finished_at, e.now) END
             FROM ROWS WHERE calls.id = e.id",
            &key,
            columns,
        )
        .await?;
        Ok(())
    }
}

/// The columns of phone numbers: the reveal, the position, and the number's details.
fn phone_columns(phones: &[(i64, i64, &Phone)]) -> Columns {
    vec![
        ("reveal", ints(phones.iter().map(|(reveal, ..)| *reveal))),
        ("position", ints(phones.iter().map(|(_, position, _)| *position))),
        ("raw", texts(phones.iter().map(|(.., phone)| Some(&*phone.raw)))),
        ("e164", texts(phones.iter().map(|(.., phone)| phone.e164.as_deref()))),
        ("extension", texts(phones.iter().map(|(.., phone)| phone.extension.as_deref()))),
        ("kind", texts(phones.iter().map(|(.., phone)| phone.kind.as_deref()))),
        ("type", words(phones.iter().map(|(.., phone)| phone.line.kind.map(PhoneType::as_str)))),
        ("country", words(phones.iter().map(|(.., phone)| phone.line.country))),
    ]
}
