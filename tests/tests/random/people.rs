//! The few people of a story, and rows that name them: correctly, in part, or mixed up.

use end_to_end::Row;
use rand::RngExt;
use rand::rngs::StdRng;
use sandbox::{Config, Expected, Provider};

use crate::plan::Features;

/// Prefixes of identifiers that fix the sandbox's result for a person. Without a prefix, which is usual, it is random.
const MARKERS: [&str; 14] =
    ["", "", "", "", "", "", "", "found-", "found-", "many-", "none-", "bad-", "gone-", "stuck-"];

/// All people of a story.
#[derive(Debug)]
pub struct Pool {
    people: Vec<Row>,
    conflicts: bool,
}

/// A person at a provider, by the id in the sandbox's books.
pub type Person = (Provider, String);

impl Pool {
    /// Makes up people, few enough that batches share them.
    pub fn new(random: &mut StdRng, config: &Config, features: Features) -> Pool {
        let count = random.random_range(2..16);
        let people = (0..count)
            .map(|n| {
                let mut marker = || MARKERS[random.random_range(0..MARKERS.len())];
                let ocean = format!("{}o{n}", marker());
                let Row { linkedin, .. } = Row::linkedin(&format!("{}p{n}", marker()));
                let clodura = Expected::of(config, Provider::Clodura, &linkedin).person_id;
                Row { ocean, clodura, linkedin }
            })
            .collect();
        Pool { people, conflicts: features.conflicts }
    }

    /// A row that one of `providers` can be asked for.
    pub fn row(&self, random: &mut StdRng, providers: &[Provider]) -> Row {
        loop {
            let mut pick = || self.people[random.random_range(0..self.people.len())].clone();
            let (mut row, other) = (pick(), pick());
            if self.conflicts && random.random_bool(0.25) {
                match random.random_range(0..3) {
                    0 => row.ocean = other.ocean,
                    1 => row.clodura = other.clodura,
                    _ => row.linkedin = other.linkedin,
                }
            }
            for field in [&mut row.ocean, &mut row.clodura, &mut row.linkedin] {
                if random.random_bool(0.4) {
                    field.clear();
                }
            }
            if row.steps().iter().any(|(provider, _)| providers.contains(provider)) {
                return row;
            }
        }
    }

    /// A random identifier of a random person.
    pub fn identifier(&self, random: &mut StdRng) -> String {
        let row = &self.people[random.random_range(0..self.people.len())];
        [&row.ocean, &row.clodura, &row.linkedin][random.random_range(0..3)].clone()
    }
}

/// The identifiers of a row.
pub fn identifiers(row: &Row) -> impl Iterator<Item = (Kind, &str)> {
    let all = [
        (Kind::OceanId, row.ocean.as_str()),
        (Kind::CloduraId, row.clodura.as_str()),
        (Kind::Address, row.linkedin.as_str()),
    ];
    all.into_iter().filter(|(_, text)| !text.is_empty())
}

/// The kind of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `ocean_person_id`
    OceanId,
    /// `clodura_person_id`
    CloduraId,
    /// `linkedin_url`
    Address,
}

impl Kind {
    /// The provider that is asked by it.
    pub fn provider(self) -> Provider {
        if self == Kind::OceanId { Provider::Ocean } else { Provider::Clodura }
    }
}

/// The person that an identifier means, at the provider that is asked by it.
pub fn person(config: &Config, kind: Kind, identifier: &str) -> Person {
    (kind.provider(), Expected::of(config, kind.provider(), identifier).person_id)
}
