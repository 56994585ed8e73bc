use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::{id, row};
use crate::identity::links::kind;
use crate::identity::{FARTHEST, Links, MOST_ADDRESSES, Persons, is_address};

fn links(rows: &[&[&str]]) -> Links {
    let rows: Vec<Vec<Arc<str>>> =
        rows.iter().map(|row| row.iter().map(|short| id(short)).collect()).collect();
    links_of(&rows)
}

fn links_of(rows: &[Vec<Arc<str>>]) -> Links {
    let mut links = Links::default();
    for row in rows {
        for (nth, one) in row.iter().enumerate() {
            row[nth + 1..].iter().for_each(|other| {
                links.join(one, other);
            });
        }
    }
    links
}

fn same(persons: &Persons, one: &str, other: &str) -> bool {
    persons.of(&id(one)).is_some_and(|person| person.contains(&id(other)))
}

fn all(persons: &Persons) -> BTreeSet<Vec<Arc<str>>> {
    persons.all().iter().cloned().collect()
}

#[test]
fn identifiers_on_one_row_are_one_person() {
    let persons = links(&[&["o1", "l1"], &["c1", "l1"], &["c1", "l2"]]).persons();
    for other in ["c1", "l1", "l2"] {
        assert!(same(&persons, "o1", other), "{other}");
    }
    assert!(persons.contradictions().is_empty());
}

#[test]
fn an_address_that_leads_to_two_ids_of_a_kind_links_no_person() {
    let persons = links(&[&["o1", "l1"], &["o2", "l1"], &["c1", "l1"], &["o1", "l2"]]).persons();
    assert_eq!(persons.of(&id("l1")), None);
    assert!(!same(&persons, "o1", "c1"));
    assert!(same(&persons, "o1", "l2"), "its other address is still its own");
    assert_eq!(persons.contradictions().len(), 1);
    assert!(persons.contradictions()[0].links.contains(&(id("l1"), id("o2"))));
}

#[test]
fn an_id_that_leads_to_two_ids_of_another_kind_links_neither() {
    for rows in [
        &[&["o1", "c1"][..], &["o1", "c2"]][..],
        &[&["o1", "l1"], &["c1", "l1"], &["o1", "l2"], &["c2", "l2"]],
    ] {
        let persons = links(rows).persons();
        assert!(!same(&persons, "o1", "c1") && !same(&persons, "o1", "c2"));
        assert_eq!(persons.contradictions().len(), 1);
    }
}

#[test]
fn an_id_that_was_filled_down_joins_no_addresses() {
    let mut links = Links::default();
    for n in 0..=MOST_ADDRESSES {
        assert!(links.join(&id("o1"), &id(&format!("l{n}"))));
        let persons = links.persons();
        assert_eq!(persons.of(&id("o1")).is_some(), n < MOST_ADDRESSES, "{n}");
    }
    links.join(&id("o2"), &id("l0"));
    assert!(same(&links.persons(), "o2", "l0"));
}

#[test]
fn what_was_split_stays_split() {
    let mut links = links(&[&["o1", "c1", "l1"], &["o1", "l2"]]);
    for other in ["o1", "l1", "l2"] {
        links.split(&id("c1"), &id(other));
    }
    assert!(!links.join(&id("c1"), &id("l1")));
    links.join(&id("c1"), &id("l9"));
    links.join(&id("o1"), &id("l9"));
    let persons = links.persons();
    assert!(same(&persons, "o1", "l1") && same(&persons, "o1", "l2"));
    assert!(!same(&persons, "o1", "c1") && persons.of(&id("l9")).is_none());
}

/// The links that the ledger reads for one identifier: step by step, and of many ids of one kind only the first and the
/// last.
fn read_around(whole: &Links, start: &Arc<str>) -> Links {
    let mut read = Links::default();
    let mut reached: HashSet<Arc<str>> = HashSet::from([Arc::clone(start)]);
    let mut next = vec![Arc::clone(start)];
    for _ in 0..FARTHEST {
        for one in std::mem::take(&mut next) {
            let mut linked: Vec<&Arc<str>> = whole.linked_to(&one).collect();
            let of_kind = |of| move |other: &&&Arc<str>| kind(other) == of;
            let all = linked.clone();
            linked.retain(|other| {
                let mut ids = all.iter().filter(of_kind(kind(other)));
                let first = ids.next();
                is_address(other) || [first, ids.next_back().or(first)].contains(&Some(other))
            });
            for other in linked {
                read.join(&one, other);
                if reached.insert(Arc::clone(other)) {
                    next.push(Arc::clone(other));
                }
            }
        }
    }
    read
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn two_ids_of_a_kind_are_never_one_person(rows in prop::collection::vec(row(), 0..12)) {
        for person in links_of(&rows).persons().all() {
            let ids: Vec<_> = person.iter().filter(|one| !is_address(one)).map(|one| kind(one)).collect();
            let kinds: BTreeSet<_> = ids.iter().collect();
            prop_assert_eq!(kinds.len(), ids.len(), "{:?}", person);
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter(
        rows in prop::collection::vec(row(), 0..12).prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
    ) {
        let (one, other) = (links_of(&rows.0).persons(), links_of(&rows.1).persons());
        prop_assert_eq!(all(&one), all(&other));
        let links = |persons: &Persons| -> BTreeSet<_> {
            persons.contradictions().iter().map(|it| it.links.clone()).collect()
        };
        prop_assert_eq!(links(&one), links(&other));
    }

    #[test]
    fn a_person_depends_on_nothing_far_off(rows in prop::collection::vec(row(), 1..14)) {
        let whole = links_of(&rows);
        let persons = whole.persons();
        for start in rows.iter().flatten() {
            let near = read_around(&whole, start).persons();
            prop_assert_eq!(persons.of(start), near.of(start));
        }
    }
}
