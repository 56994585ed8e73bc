//! The people that rows of an export display.

use std::collections::{BTreeSet, HashMap};
use std::ops::{Range, RangeInclusive};
use std::time::{Duration, Instant};

use db::bulk::fetch_by_ids;
use db::{Conn, record};
use jobs::Credits;

use crate::error::Result;
use crate::reports::export::row::ExportPhone;

/// How long people are shown after they were read.
const RECENT: Duration = Duration::from_secs(5);

/// How many people are read at once.
const AT_ONCE: usize = 10_000;

record! {
    struct PersonRow {
        id: i64,
        provider: String,
        state: String,
        reason: Option<String>,
        credits: Credits = Credits::from_thousandths,
        revealed_at: Option<i64>,
    }
}

record! {
    /// A number of a person.
    struct PhoneRow {
        reveal_id: i64,
        number: String,
        kind: Option<String>,
        country: Option<String>,
    }
}

/// Some people, in the state in which they were read. Many people are kept at a time, so each takes little room.
#[derive(Default)]
pub(super) struct People {
    read_at: Option<Instant>,
    /// In the order of their ids.
    people: Vec<Person>,
    phones: Vec<Phone>,
    numbers: String,
    words: Words,
}

struct Person {
    id: i64,
    provider: Word,
    state: Word,
    reason: Option<Word>,
    credits: Credits,
    revealed_at: Option<i64>,
    phones: Range<u32>,
}

struct Phone {
    /// The place of the number in `numbers`.
    number: Range<u32>,
    kind: Option<Word>,
    country: Option<Word>,
}

/// A person.
pub(super) struct Shown<'a> {
    pub(super) provider: &'a str,
    pub(super) state: &'a str,
    pub(super) reason: Option<&'a str>,
    pub(super) credits: Credits,
    pub(super) revealed_at: Option<i64>,
    /// Each number once.
    pub(super) phones: Vec<ExportPhone<'a>>,
}

impl People {
    /// Reads all people with ids in this range.
    pub(super) async fn within(conn: &mut Conn, range: RangeInclusive<i64>) -> Result<People> {
        let mut all = People { read_at: Some(Instant::now()), ..People::default() };
        for first in range.clone().step_by(AT_ONCE) {
            let last = (first + AT_ONCE as i64 - 1).min(*range.end());
            all.read(conn, &(first..=last).collect::<Vec<_>>()).await?;
        }
        Ok(all)
    }

    /// Reads the people with these ids.
    pub(super) async fn numbered(conn: &mut Conn, ids: &BTreeSet<i64>) -> Result<People> {
        let mut all = People::default();
        all.read(conn, &ids.iter().copied().collect::<Vec<_>>()).await?;
        Ok(all)
    }

    /// Reads people whose ids come, in order, after the ids that are here.
    async fn read(&mut self, conn: &mut Conn, ids: &[i64]) -> Result<()> {
        let people = fetch_by_ids(
            conn,
            "SELECT r.id, r.provider,
                    CASE WHEN r.state = 'asked' THEN (
                        SELECT c.shown_as FROM shown_calls c WHERE c.id = r.call_id) ELSE r.state END AS state,
                    CASE WHEN r.state = 'asked' THEN (
                        SELECT c.reason FROM shown_calls c WHERE c.id = r.call_id) ELSE r.reason END AS reason,
                    r.credits, r.revealed_at
             FROM IDS OF reveals r BY r.id ORDER BY r.id",
            ids,
        )
        .await?;
        let phones = fetch_by_ids(
            conn,
            "SELECT p.reveal_id, COALESCE(p.e164 || COALESCE(' ext ' || p.extension, ''), p.raw) AS number,
                    p.type AS kind, p.country
             FROM IDS OF phones p BY p.reveal_id ORDER BY p.reveal_id, p.position",
            ids,
        )
        .await?;
        self.add(people, phones);
        Ok(())
    }

    /// Adds people with their phone numbers, both in order.
    fn add(&mut self, people: Vec<PersonRow>, phones: Vec<PhoneRow>) {
        let mut phones = phones.into_iter().peekable();
        for row in people {
            let first = self.phones.len();
            while let Some(phone) = phones.next_if(|phone| phone.reveal_id <= row.id) {
                let another =
                    || self.phones[first..].iter().all(|one| self.number(one) != phone.number);
                if phone.reveal_id == row.id && row.state == "found" && another() {
                    let begin = self.numbers.len() as u32;
                    self.numbers.push_str(&phone.number);
                    let kind = phone.kind.map(|kind| self.words.number_of(kind));
                    let country = phone.country.map(|country| self.words.number_of(country));
                    let number = begin..self.numbers.len() as u32;
                    self.phones.push(Phone { number, kind, country });
                }
            }
            self.people.push(Person {
                id: row.id,
                provider: self.words.number_of(row.provider),
                state: self.words.number_of(row.state),
                reason: row.reason.map(|reason| self.words.number_of(reason)),
                credits: row.credits,
                revealed_at: row.revealed_at,
                phones: first as u32..self.phones.len() as u32,
            });
        }
    }

    /// Whether these people may still be shown.
    pub(super) fn are_recent(&self) -> bool {
        self.read_at.is_some_and(|at| at.elapsed() < RECENT)
    }

    /// The wanted ids that aren't here.
    pub(super) fn lacking(&self, wanted: &BTreeSet<i64>) -> BTreeSet<i64> {
        wanted.iter().copied().filter(|id| self.place_of(*id).is_none()).collect()
    }

    /// The person with this id.
    pub(super) fn find(&self, id: i64) -> Option<Shown<'_>> {
        let person = self.people.get(self.place_of(id)?)?;
        let phones = &self.phones[person.phones.start as usize..person.phones.end as usize];
        let phones = phones.iter().map(|phone| ExportPhone {
            number: self.number(phone),
            kind: phone.kind.map(|kind| self.words.word(kind)),
            country: phone.country.map(|country| self.words.word(country)),
        });
        Some(Shown {
            provider: self.words.word(person.provider),
            state: self.words.word(person.state),
            reason: person.reason.map(|reason| self.words.word(reason)),
            credits: person.credits,
            revealed_at: person.revealed_at,
            phones: phones.collect(),
        })
    }

    fn number(&self, phone: &Phone) -> &str {
        &self.numbers[phone.number.start as usize..phone.number.end as usize]
    }

    fn place_of(&self, id: i64) -> Option<usize> {
        let numbers_between = usize::try_from(id - self.people.first()?.id).ok()?;
        match self.people.get(numbers_between) {
            // No id between was left out.
            Some(person) if person.id == id => Some(numbers_between),
            _ => self.people.binary_search_by_key(&id, |person| person.id).ok(),
        }
    }
}

/// A text that many people have, by its place.
type Word = u32;

#[derive(Default)]
struct Words {
    texts: Vec<String>,
    numbers: HashMap<String, Word>,
}

impl Words {
    fn number_of(&mut self, text: String) -> Word {
        if let Some(number) = self.numbers.get(&text) {
            return *number;
        }
        let number = self.texts.len() as Word;
        self.texts.push(text.clone());
        self.numbers.insert(text, number);
        number
    }

    fn word(&self, number: Word) -> &str {
        &self.texts[number as usize]
    }
}
