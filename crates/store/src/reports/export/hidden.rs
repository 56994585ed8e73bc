//! Results that are known but not exported, since a person or a number is suppressed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use db::{Conn, Ints};

use crate::error::Result;
use crate::people::links::evidence::persons_of;
use crate::people::suppressed::origins_of;
use crate::people::suppression_list::SuppressionList;
use crate::reports::export::row::ExportPhone;

/// The people and the numbers of a page that are not exported.
#[derive(Default)]
pub(super) struct Hidden {
    people: HashSet<i64>,
    numbers: HashSet<String>,
}

impl Hidden {
    /// Finds the suppressed ones among people who were found, by all their identifiers, and among their numbers.
    pub(super) async fn among(
        conn: &mut Conn,
        found: Vec<(i64, Vec<ExportPhone<'_>>)>,
    ) -> Result<Hidden> {
        let Some(key) = SuppressionList::key(conn).await? else { return Ok(Hidden::default()) };
        let ids: Vec<i64> = found.iter().map(|(id, _)| *id).collect();
        let subjects: Vec<(i64, String)> = conn
            .fetch_all(
                "SELECT r.id, r.subject FROM IDS($1) AS e JOIN reveals r ON r.id = e.value",
                &[&Ints::of(&ids)],
            )
            .await?;
        let subjects: Vec<(i64, Arc<str>)> =
            subjects.into_iter().map(|(id, subject)| (id, subject.into())).collect();
        let persons = persons_of(conn, subjects.iter().map(|(_, one)| Arc::clone(one))).await?;
        let mut people: HashMap<i64, Vec<i64>> = HashMap::new();
        for (id, subject) in &subjects {
            people.insert(*id, persons.with(subject).iter().map(|one| key.hash(one)).collect());
        }
        let phones = found.iter().flat_map(|(_, phones)| phones);
        let numbers: HashMap<&str, i64> =
            phones.map(|phone| (phone.number, key.hash_phone(e164(phone.number)))).collect();
        let all: BTreeSet<i64> =
            people.values().flatten().chain(numbers.values()).copied().collect();
        let listed = origins_of(conn, &all).await?;
        let is_listed = |hash: &i64| listed.contains_key(hash);
        people.retain(|_, hashes| hashes.iter().any(is_listed));
        let numbers = numbers.into_iter().filter(|(_, hash)| is_listed(hash));
        Ok(Hidden {
            people: people.into_keys().collect(),
            numbers: numbers.map(|(number, _)| number.to_owned()).collect(),
        })
    }

    /// Returns the numbers of a person that are exported; `None` if nothing of the person is exported.
    pub(super) fn leaves<'a>(
        &self,
        person: i64,
        mut phones: Vec<ExportPhone<'a>>,
    ) -> Option<Vec<ExportPhone<'a>>> {
        let had_any = !phones.is_empty();
        phones.retain(|phone| !self.numbers.contains(phone.number));
        let hidden = self.people.contains(&person) || (had_any && phones.is_empty());
        (!hidden).then_some(phones)
    }
}

/// A number without its extension.
fn e164(number: &str) -> &str {
    number.split_once(" ext ").map_or(number, |(number, _)| number)
}
