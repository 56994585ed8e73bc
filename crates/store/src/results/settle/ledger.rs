//! The calls and people that deliveries touch, in memory: which person is meant, and what each result changes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use db::{Conn, Texts, record};
use jobs::outcome::Phone;
use jobs::price::EXPECTED_NUMBERS;
use jobs::{CallState, Credits, Provider, RevealState, Tariff};

use crate::decode::{optional_credits, parse_provider, parse_state};
use crate::error::Result;
use crate::people::erased::{ERASED, read_key};
use crate::people::hash_key::HashKey;
use crate::results::settle::delivery::Delivery;
use crate::results::settle::members::{MemberRow, Standing, lock_people, members};

pub(super) struct Call {
    pub(super) id: i64,
    pub(super) provider: Provider,
    pub(super) expired: bool,
    /// How many people it was sent for; some may be purged since.
    pub(super) people: i64,
    /// What each number costs, where numbers are charged.
    pub(super) number_price: Option<Credits>,
    pub(super) members: Vec<usize>,
}

impl Call {
    /// Whether the call asks for one person: its address then decides whose result it is.
    pub(super) fn is_for_one(&self) -> bool {
        self.people == 1 && self.members.len() == 1
    }

    pub(super) fn has_lost_people(&self) -> bool {
        self.members.len() < usize::try_from(self.people).unwrap_or_default()
    }
}

pub(super) struct Member {
    pub(super) call: i64,
    pub(super) position: i64,
    pub(super) reveal: i64,
    pub(super) subject: String,
    pub(super) payer: i64,
    /// Negative if the provider had no credits for the person, and the reserved credits were given back.
    pub(super) reserved: Credits,
    pub(super) credits: Option<Credits>,
    pub(super) expired_call: bool,
    /// Whether this is the last call that the person was in.
    pub(super) current: bool,
    pub(super) changed: bool,
    /// Whether the member got its first answer in this transaction.
    pub(super) answered: bool,
    pub(super) spent: Credits,
    pub(super) found: bool,
    /// Added to the count of people without a number at the provider.
    pub(super) not_found: i64,
    /// Whether the provider had no credits for the person, who was not asked after all.
    pub(super) unasked: bool,
    /// Whether a number came although the provider had said before that it had no credits for the person.
    pub(super) asked_after_all: bool,
}

#[derive(Clone)]
pub(super) struct Person {
    pub(super) provider: Provider,
    pub(super) state: RevealState,
    pub(super) new_state: Option<RevealState>,
    pub(super) credits: Credits,
    pub(super) phones: Vec<Phone>,
    /// The provider's own word, where it says more than the state.
    pub(super) remark: Option<String>,
}

/// An id under which a person was answered, other than the one they were asked by.
pub(super) struct Learned {
    pub(super) provider: Provider,
    pub(super) identifier: String,
    /// The identifier by which they were asked.
    pub(super) subject: String,
    pub(super) reveal: i64,
}

/// A person who is named in a stored webhook without having been asked for in its call: the id as it came.
pub(super) struct UnknownPerson {
    pub(super) inbox: i64,
    pub(super) person_id: String,
    /// Whether they may have been in the call, which lost people to a purge.
    pub(super) was_purged: bool,
}

/// The calls and people that the deliveries touch, in memory.
pub(super) struct Ledger {
    pub(super) calls: HashMap<String, Call>,
    pub(super) members: Vec<Member>,
    pub(super) people: BTreeMap<i64, Person>,
    pub(super) aliases: Vec<Learned>,
    /// Set if one of the members was erased.
    pub(super) erasure_key: Option<HashKey>,
    /// Identifiers under which erased people were answered.
    pub(super) erased: BTreeSet<String>,
    /// Stored webhooks that name an erased person among others.
    pub(super) naming_erased: Vec<i64>,
    /// Stored webhooks that name people who were not in their call, or whose call doesn't exist.
    pub(super) unknown_people: Vec<UnknownPerson>,
    pub(super) out_of_credits: HashSet<Provider>,
    /// Calls that had expired, but were accepted by the provider after all.
    pub(super) taken_after_all: BTreeSet<i64>,
}

record! {
    struct CallRow {
        id: i64,
        call_id: String,
        provider: String,
        state: String,
        people: i64,
        number_price: Option<Credits> = optional_credits,
    }
}

impl CallRow {
    /// A call that was sent before the plan was known is priced by the plan that is known now, or by the dearest.
    fn call(self, known: &BTreeMap<Provider, Tariff>) -> Result<(String, Call)> {
        let provider = parse_provider(&self.provider, self.id)?;
        let tariff = known.get(&provider).copied().unwrap_or(Tariff::dearest(provider));
        let call = Call {
            id: self.id,
            provider,
            expired: self.state == CallState::Expired.as_str(),
            people: self.people,
            number_price: self.number_price.or(tariff.per_number()),
            members: Vec::new(),
        };
        Ok((self.call_id, call))
    }
}

impl Ledger {
    pub(super) async fn read(
        conn: &mut Conn,
        deliveries: &[Delivery],
        tariffs: &BTreeMap<Provider, Tariff>,
    ) -> Result<Ledger> {
        let names: HashSet<&str> = deliveries.iter().map(|d| d.call_id.as_str()).collect();
        let found: Vec<CallRow> = conn.fetch_all(
            "SELECT c.id, c.call_id, c.provider, c.state, c.people, c.number_price FROM TEXTS($1) AS e
             JOIN calls c ON c.call_id = e.value ORDER BY c.id FOR UPDATE",
            &[&Texts::of(&names)],
        )
        .await?;
        let mut calls = HashMap::new();
        let mut by_number = HashMap::new();
        for row in found {
            let (call_id, call) = row.call(tariffs)?;
            by_number.insert(call.id, call_id.clone());
            calls.insert(call_id, call);
        }
        let found = members(conn, &by_number.keys().copied().collect()).await?;
        let people = found.iter().map(|row| row.reveal_id).collect();
        let people = lock_people(conn, &people).await?;
        let mut ledger = Ledger {
            calls,
            members: Vec::with_capacity(found.len()),
            people: BTreeMap::new(),
            aliases: Vec::new(),
            erasure_key: None,
            erased: BTreeSet::new(),
            naming_erased: Vec::new(),
            unknown_people: Vec::new(),
            out_of_credits: HashSet::new(),
            taken_after_all: BTreeSet::new(),
        };
        for row in found {
            if let Some(standing) = people.get(&row.reveal_id) {
                ledger.remember(row, standing, &by_number)?;
            }
        }
        if ledger.members.iter().any(|member| member.subject.starts_with(ERASED)) {
            ledger.erasure_key = read_key(conn).await?;
        }
        for call in ledger.calls.values_mut() {
            call.members.sort_unstable_by_key(|&m| ledger.members[m].position);
        }
        Ok(ledger)
    }

    fn remember(
        &mut self,
        row: MemberRow,
        standing: &Standing,
        by_number: &HashMap<i64, String>,
    ) -> Result<()> {
        let state = parse_state(&standing.state, row.reveal_id)?;
        let owner = by_number.get(&row.call_id).and_then(|name| self.calls.get_mut(name));
        let Some(owner) = owner else { return Ok(()) };
        owner.members.push(self.members.len());
        self.people.entry(row.reveal_id).or_insert(Person {
            provider: owner.provider,
            state,
            new_state: None,
            credits: Credits::ZERO,
            phones: Vec::new(),
            remark: None,
        });
        self.members.push(Member {
            call: row.call_id,
            position: row.position,
            reveal: row.reveal_id,
            subject: standing.subject.clone(),
            payer: row.payer,
            reserved: row.reserved,
            credits: row.credits,
            expired_call: owner.expired,
            current: standing.call_id == Some(row.call_id),
            changed: false,
            answered: false,
            spent: Credits::ZERO,
            found: false,
            not_found: 0,
            unasked: false,
            asked_after_all: false,
        });
        Ok(())
    }

    /// The most numbers that a person has by these deliveries, at each provider where that is more than expected.
    pub(super) fn most_numbers(&self) -> BTreeMap<Provider, i64> {
        let mut most = BTreeMap::new();
        for person in self.people.values() {
            let numbers = i64::try_from(person.phones.len()).unwrap_or(0);
            if numbers > EXPECTED_NUMBERS {
                let so_far = most.entry(person.provider).or_insert(0);
                *so_far = numbers.max(*so_far);
            }
        }
        most
    }

    /// Calls that had expired, but cost nothing: there were no credits for them.
    pub(super) fn unasked_late(&self) -> BTreeSet<i64> {
        let late = self.members.iter().filter(|m| m.expired_call && m.unasked && m.answered);
        late.map(|member| member.call).collect()
    }

    /// The people who have a result now although no row waited for it any more: their provider, and the identifier by which
    /// they were asked.
    pub(super) fn late(&self) -> BTreeMap<i64, (Provider, Arc<str>)> {
        let answered = |person: &&Person| person.new_state.is_some_and(RevealState::is_finished);
        let late = |member: &Member| {
            let person = self.people.get(&member.reveal).filter(answered)?;
            let subject = Arc::from(member.subject.as_str());
            (person.state != RevealState::Asked)
                .then_some((member.reveal, (person.provider, subject)))
        };
        self.members.iter().filter_map(late).collect()
    }

    /// Counts the answer to one reveal of a person for another reveal, too, if it says more.
    pub(super) fn answer_along(&mut self, id: i64, state: RevealState, answered: i64) {
        let Some(answer) = self.people.get(&answered).cloned() else { return };
        let other = self.people.entry(id).or_insert(Person {
            state,
            new_state: None,
            credits: Credits::ZERO,
            phones: Vec::new(),
            ..answer.clone()
        });
        let standing = other.new_state.unwrap_or(other.state);
        if let Some(to) = answer.new_state
            && to.rank() > standing.rank()
        {
            (other.new_state, other.phones) = (Some(to), answer.phones);
            other.remark = answer.remark;
        }
    }

    /// The people whose answer came when no row waited for it any more: other rows may show them since they were asked.
    pub(super) fn answered_late(&self) -> BTreeSet<i64> {
        let late = |p: &Person| p.state != RevealState::Asked && p.new_state.is_some();
        self.people.iter().filter(|(_, person)| late(person)).map(|(id, _)| *id).collect()
    }

    /// The provider and the new state of each person whose state changed.
    pub(super) fn results(&self) -> impl Iterator<Item = (Provider, RevealState)> {
        self.people.values().filter_map(|person| Some((person.provider, person.new_state?)))
    }
}
