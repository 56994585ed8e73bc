//! Writing what a settlement changes: people, phones, money, calls. A handful of statements, however
//! many people there are.

use std::collections::{BTreeMap, HashMap, HashSet};

use jobs::outcome::Phone;
use jobs::{Provider, RevealState, Timestamp};
use serde::Serialize;

use super::ledger::Ledger;
use crate::Result;
use crate::conn::{Conn, exec};
use crate::each::{each, ints, texts};
use crate::totals::{Totals, json};
use crate::transition::{Change, shift};

impl Ledger {
    pub(super) async fn write(
        &self,
        conn: &mut Conn,
        totals: &mut Totals,
        now: Timestamp,
    ) -> Result<()> {
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
        let credits: HashMap<i64, i64> =
            self.people.iter().map(|(id, person)| (*id, person.credits)).collect();
        for ((provider, _), (to, ids)) in moves {
            let reason = (to == RevealState::Queued).then_some("credits_insufficient");
            let change = Change { reason, answered: Some(&credits), ..Change::to(to) };
            shift(conn, totals, provider, &ids, change, now).await?;
        }
        let in_no_new_state = self.people.iter().filter(|(_, p)| p.new_state.is_none());
        let paid: Vec<(i64, i64)> = in_no_new_state
            .filter(|(_, p)| p.credits > 0)
            .map(|(id, p)| (*id, p.credits))
            .collect();
        let columns = vec![
            ("id", ints(paid.iter().map(|(id, _)| *id))),
            ("credits", ints(paid.iter().map(|(_, credits)| *credits))),
        ];
        each(
            conn,
            "UPDATE reveals SET credits = reveals.credits + e.credits FROM ROWS WHERE reveals.id = e.id",
            columns,
        )
        .await?;
        Ok(())
    }

    async fn write_phones(&self, conn: &mut Conn) -> Result<()> {
        let mut phones: Vec<(i64, i64, &Phone)> = Vec::new();
        for (&reveal, person) in &self.people {
            let mut seen = HashSet::new();
            let once =
                person.phones.iter().filter(|p| seen.insert(p.e164.as_ref().unwrap_or(&p.raw)));
            phones.extend((0..).zip(once).map(|(position, phone)| (reveal, position, phone)));
        }
        let columns = vec![
            ("reveal", ints(phones.iter().map(|(reveal, ..)| *reveal))),
            ("position", ints(phones.iter().map(|(_, position, _)| *position))),
            ("raw", texts(phones.iter().map(|(.., phone)| Some(&*phone.raw)))),
            ("e164", texts(phones.iter().map(|(.., phone)| phone.e164.as_deref()))),
            ("kind", texts(phones.iter().map(|(.., phone)| phone.kind.as_deref()))),
        ];
        each(
            conn,
            "INSERT INTO phones (reveal_id, position, raw, e164, kind)
             SELECT e.reveal, e.position, e.raw, e.e164, e.kind FROM ROWS WHERE TRUE
             ON CONFLICT (reveal_id, position) DO NOTHING",
            columns,
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
            let reserved = if member.answered { member.reserved } else { 0 };
            totals.spend(member.payer, person.provider, reserved, member.spent, member.found);
            totals.not_found(member.payer, person.provider, member.not_found);
            if member.unasked {
                totals.reserve(member.payer, person.provider, -1, 0);
            }
            changed.push(member);
        }
        let columns = vec![
            ("call", ints(changed.iter().map(|member| member.call))),
            ("position", ints(changed.iter().map(|member| member.position))),
            ("reserved", ints(changed.iter().map(|m| if m.unasked { 0 } else { m.reserved }))),
            ("credits", ints(changed.iter().map(|member| member.credits))),
        ];
        each(
            conn,
            "UPDATE call_reveals SET credits = e.credits, reserved = e.reserved
             FROM ROWS WHERE call_reveals.call_id = e.call AND call_reveals.position = e.position",
            columns,
        )
        .await?;
        Ok(())
    }

    async fn write_calls(&self, conn: &mut Conn, now: Timestamp) -> Result<()> {
        #[derive(Serialize)]
        struct Row {
            id: i64,
            settled: i64,
        }
        let mut answered: BTreeMap<i64, i64> = BTreeMap::new();
        for member in self.members.iter().filter(|member| member.answered) {
            *answered.entry(member.call).or_default() += 1;
        }
        let settled: Vec<Row> =
            answered.into_iter().map(|(id, settled)| Row { id, settled }).collect();
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
