use std::collections::HashSet;

use enqueue::input::{Options, Reader, Source};

use super::{Outcome, example, mapped};

fn read(name: &str, options: Options) -> Outcome {
    let path = example(name);
    let reader = Reader::open(&[Source::File(path.clone())], options).unwrap();
    let mut outcome = Outcome::of(reader).unwrap();
    outcome.bad.iter_mut().for_each(|bad| bad.name = name.into());
    outcome
}

fn crm() -> Options {
    mapped(&["linkedin_url=LinkedIn URL", "ocean_person_id=Ocean Person ID"])
}

#[test]
fn the_crm_export_is_accepted() {
    let outcome = read("people.csv", crm());
    assert_eq!(outcome.errors(), [""; 0]);
    assert_eq!(outcome.rows.len(), 1000);
    let count = |ocean: bool, linkedin: bool| {
        let rows = outcome.rows.iter().map(|row| &row.identifiers);
        rows.filter(|i| i.ocean.is_some() == ocean && i.linkedin.is_some() == linkedin).count()
    };
    assert!(count(true, true) > 700 && count(true, false) > 40 && count(false, true) > 100);
    let people: HashSet<_> =
        outcome.rows.iter().filter_map(|r| r.identifiers.linkedin.as_ref()).collect();
    let listed = outcome.rows.iter().filter(|r| r.identifiers.linkedin.is_some()).count();
    assert_eq!(listed - people.len(), 40, "people who are listed twice, spelled otherwise");
}

#[test]
fn the_small_ones_are_accepted() {
    let outcome = read("people-small.csv", Options::default());
    assert_eq!((outcome.rows.len(), outcome.bad.len()), (10, 0));
    let outcome = read("people.jsonl", Options::default());
    assert_eq!((outcome.rows.len(), outcome.bad.len()), (20, 0));
}

#[test]
fn the_messy_one_shows_each_error_at_its_line() {
    let outcome = read("messy.csv", crm());
    assert_eq!(outcome.lines(), [2, 7, 11, 16, 18]);
    assert_eq!(outcome.errors().join("\n") + "\n", include_str!("messy.expected.txt"));
}
