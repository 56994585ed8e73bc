//! Which numbers each person has: a pure function of the seed, the provider and the identifier, so that a test can ask
//! what the right answer would have been.

use serde::{Deserialize, Serialize};

use crate::{
    chance::Chance,
    config::Config,
    linkedin::{self, Address},
    numbers::{self, Number},
    provider::Provider,
};

/// Clodura itself and its partners in the order in which they are asked, with the credits a number found there costs on
/// the plans that pay by find.
pub const SOURCES: [(&str, u64); 7] = [
    ("Clodura", 10),
    ("SignalHire", 12),
    ("Enrichlayer", 14),
    ("Wiza", 15),
    ("LeadMagic", 16),
    ("RocketReach", 18),
    ("Findymail", 20),
];

/// What an identifier's beginning says about the person, whatever the rates are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Marker {
    /// `bad-…`: the identifier is refused with 422.
    Bad,
    /// `gone-…`: the request is answered with 404.
    Gone,
    /// `found-…`: has one number.
    Found,
    /// `none-…`: has no number.
    None,
    /// `many-…`: has three numbers.
    Many,
    /// `stuck-…`: never gets finished (Ocean: `inProgress`; Clodura: no webhook, tracking goes on).
    Stuck,
    /// `poor-…`: Clodura runs out of credits before any source is asked (plans that pay by find).
    Poor,
}

const MARKERS: [(&str, Marker); 7] = [
    ("bad-", Marker::Bad),
    ("gone-", Marker::Gone),
    ("found-", Marker::Found),
    ("none-", Marker::None),
    ("many-", Marker::Many),
    ("stuck-", Marker::Stuck),
    ("poor-", Marker::Poor),
];

impl Marker {
    /// The marker with which an id or slug begins.
    pub fn of(identifier: &str) -> Option<Self> {
        Self::with_prefix(identifier).map(|(_, marker)| marker)
    }

    fn with_prefix(identifier: &str) -> Option<(&'static str, Self)> {
        MARKERS.into_iter().find(|(prefix, _)| identifier.starts_with(prefix))
    }
}

/// The expected result of one person at one provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The provider that is asked.
    pub provider: Provider,
    /// The id under which the provider answers; for a LinkedIn address, an id that the request never named.
    pub person_id: String,
    /// Made up.
    pub first_name: String,
    /// Made up.
    pub last_name: String,
    /// Empty for a person without numbers.
    pub numbers: Vec<Number>,
    /// Which of [`SOURCES`] has the numbers (Clodura). Without partners only the first is asked.
    pub source: Option<String>,
    /// What the identifier's beginning asks for.
    pub marker: Option<Marker>,
}

impl Expected {
    /// Looks up a person. For Clodura the identifier is a `personId` or a LinkedIn address.
    pub fn of(config: &Config, provider: Provider, identifier: &str) -> Self {
        let person_id = match provider {
            Provider::Ocean => identifier.to_owned(),
            Provider::Clodura => person_id(identifier),
        };
        let marker = Marker::of(&person_id);
        let chance = Chance::new(config.seed, provider.name()).of(&person_id);
        let numbers = numbers(config, provider, chance, marker);
        let source = (provider == Provider::Clodura && !numbers.is_empty())
            .then(|| source(config, chance).to_owned());
        Self {
            provider,
            first_name: chance.of("first").pick(&FIRST_NAMES).to_owned(),
            last_name: chance.of("last").pick(&LAST_NAMES).to_owned(),
            person_id,
            numbers,
            source,
            marker,
        }
    }

    /// The numbers in E.164, as the provider lists them.
    pub fn e164(&self) -> Vec<&str> {
        self.numbers.iter().map(|number| number.e164.as_str()).collect()
    }

    /// Whether the provider would answer with a number; for Clodura this depends on whether partners are asked.
    pub fn is_found(&self, via_partners: bool) -> bool {
        match &self.source {
            Some(source) => via_partners || source == SOURCES[0].0,
            None => !self.numbers.is_empty(),
        }
    }
}

fn numbers(
    config: &Config,
    provider: Provider,
    chance: Chance,
    marker: Option<Marker>,
) -> Vec<Number> {
    let (hit_rate, several_rate) = match provider {
        Provider::Ocean => (config.ocean.hit_rate, config.ocean.several_rate),
        Provider::Clodura => (config.clodura.hit_rate, config.clodura.several_rate),
    };
    let count = match marker {
        Some(Marker::Found) => 1,
        Some(Marker::Many) => 3,
        Some(_) => 0,
        None if !chance.of("hit").hits(hit_rate) => 0,
        None if chance.of("several").hits(several_rate) => {
            chance.of("how many").between((2, 3)) as usize
        }
        None => 1,
    };
    numbers::made_up(chance.of("numbers"), count, provider == Provider::Clodura)
}

fn source(config: &Config, chance: Chance) -> &'static str {
    if chance.of("own").hits(config.clodura.own_share) {
        SOURCES[0].0
    } else {
        chance.of("source").pick(&SOURCES[1..]).0
    }
}

/// Returns Clodura's id of the person that an address means; a `personId` is returned unchanged. Markers are kept, so
/// that a person behaves the same under both identifiers.
pub(crate) fn person_id(identifier: &str) -> String {
    let Address::Profile(slug) = linkedin::read(identifier) else {
        return identifier.to_owned();
    };
    // The same for every seed: people's ids are facts of the provider's database.
    let digits = Chance::new(0, "person id").of(&slug).between((10u64.pow(18), 9 * 10u64.pow(18)));
    let prefix = Marker::with_prefix(&slug).map_or("", |(prefix, _)| prefix);
    format!("{prefix}{digits}")
}

/// Returns Ocean's id of the person with a LinkedIn handle, if a lookup matches it. Clodura's own id happens to be the
/// same.
pub(crate) fn matched(config: &Config, handle: &str) -> Option<String> {
    let id = person_id(&format!("linkedin.com/in/{handle}"));
    let chance = || Chance::new(config.seed, "ocean match").of(&id);
    let is_matched = match Marker::of(&id) {
        Some(_) => true,
        None => !handle.starts_with("unlisted-") && chance().hits(config.ocean.match_rate),
    };
    is_matched.then_some(id)
}

const FIRST_NAMES: [&str; 12] = [
    "Moxie", "Testa", "Fable", "Juno", "Lorem", "Ipsum", "Quill", "Ada-Mock", "Zephyr", "Nova",
    "Pixel", "Saga",
];
const LAST_NAMES: [&str; 12] = [
    "Fictive",
    "Placeholder",
    "Sandford",
    "Mockingham",
    "Dummey",
    "Samplez",
    "Nobody",
    "Stubbs",
    "Fixture",
    "Notreal",
    "Inventa",
    "Makebelieve",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn clodura(identifier: &str) -> Expected {
        Expected::of(&Config::default(), Provider::Clodura, identifier)
    }

    #[test]
    fn an_address_and_its_person_id_are_the_same_person() {
        let by_address = clodura("https://www.linkedin.com/in/Foo/");
        assert_eq!(by_address, clodura("linkedin.com/in/foo"));
        assert_eq!(by_address, clodura(&by_address.person_id));
        assert_eq!(by_address.person_id.len(), 19);
        let marked = clodura("linkedin.com/in/many-foo");
        assert_eq!(marked, clodura(&marked.person_id));
        assert_eq!(marked.numbers.len(), 3);
    }

    #[test]
    fn a_handle_is_matched_as_the_address_is_known() {
        let config = Config::default();
        let by_address = clodura("linkedin.com/in/found-foo");
        assert_eq!(matched(&config, "found-foo"), Some(by_address.person_id));
        assert_eq!(matched(&config, "unlisted-foo"), None);
        let some = (0..1_000).filter(|n| matched(&config, &format!("p{n}")).is_some()).count();
        assert!((700..900).contains(&some), "{some}");
    }

    #[test]
    fn markers_overrule_the_rates() {
        let config = Config::default();
        for (id, count) in [("found-1", 1), ("none-1", 0), ("many-1", 3), ("bad-1", 0)] {
            assert_eq!(Expected::of(&config, Provider::Ocean, id).numbers.len(), count, "{id}");
        }
    }

    #[test]
    fn rates_are_met() {
        let config = Config::default();
        for (provider, rate) in [(Provider::Ocean, 0.6), (Provider::Clodura, 0.5)] {
            let found = (0..4_000)
                .filter(|n| Expected::of(&config, provider, &format!("p{n}")).is_found(true))
                .count();
            assert!((found as f64 / 4_000.0 - rate).abs() < 0.03, "{provider}: {found}");
        }
    }

    #[test]
    fn another_seed_gives_other_results() {
        let other = Config { seed: 2, ..Config::default() };
        let differing = (0..200)
            .filter(|n| {
                let id = format!("p{n}");
                Expected::of(&Config::default(), Provider::Ocean, &id).numbers
                    != Expected::of(&other, Provider::Ocean, &id).numbers
            })
            .count();
        assert!(differing > 100, "{differing}");
    }
}
