use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::links::{Links, is_address, kind};

/// Which identifiers belong to one person. A person has at most one id of each kind, and the addresses that lead to no
/// other person.
#[derive(Debug, Clone, Default)]
pub struct Persons {
    of: HashMap<Arc<str>, usize>,
    members: Vec<Vec<Arc<str>>>,
    contradictions: Vec<Contradiction>,
}

/// Evidence that can't all be true: it would join two ids of one kind, or a pair that was separated, into one person.
/// It joins no identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The pairs of identifiers that the evidence joins.
    pub links: BTreeSet<(Arc<str>, Arc<str>)>,
}

impl Links {
    /// Derives the persons from all evidence.
    #[must_use]
    pub fn persons(&self) -> Persons {
        derive(self)
    }
}

impl Persons {
    /// Returns all identifiers of the person with this one, in order; `None` if the identifier is alone.
    #[must_use]
    pub fn of(&self, identifier: &str) -> Option<&[Arc<str>]> {
        let person = *self.of.get(identifier)?;
        self.members.get(person).map(Vec::as_slice)
    }

    /// Returns all identifiers of the person with this one; only the identifier itself if it is alone.
    #[must_use]
    pub fn with<'a>(&'a self, identifier: &'a Arc<str>) -> &'a [Arc<str>] {
        self.of(identifier).unwrap_or(std::slice::from_ref(identifier))
    }

    /// Every person who has more than one identifier.
    #[must_use]
    pub fn all(&self) -> &[Vec<Arc<str>>] {
        &self.members
    }

    /// The evidence that contradicts itself.
    #[must_use]
    pub fn contradictions(&self) -> &[Contradiction] {
        &self.contradictions
    }

    fn add(&mut self, members: BTreeSet<&Arc<str>>) {
        if members.len() > 1 {
            self.of.extend(members.iter().map(|&member| (Arc::clone(member), self.members.len())));
            self.members.push(members.into_iter().cloned().collect());
        }
    }
}

/// Two identifiers that the evidence joins.
type Pair<'a> = (&'a Arc<str>, &'a Arc<str>);

pub(super) fn derive(links: &Links) -> Persons {
    let filled_down: HashSet<&str> =
        links.joined.keys().map(|id| &**id).filter(|id| links.is_filled_down(id)).collect();
    let mut persons = Persons::default();
    let mut ids = Union::default();
    let mut bridges: Vec<(&Arc<str>, Vec<&Arc<str>>)> = Vec::new();
    for (identifier, others) in &links.joined {
        let linked_ids = others.iter().filter(|other| !is_address(other));
        if !is_address(identifier) {
            ids.add(identifier);
            linked_ids.for_each(|other| ids.join((identifier, other)));
            continue;
        }
        let behind: Vec<&Arc<str>> =
            linked_ids.filter(|id| !filled_down.contains(&***id)).collect();
        if has_two_of_a_kind(&behind) {
            persons
                .contradictions
                .push(Contradiction::of(behind.iter().map(|id| (identifier, *id))));
            continue;
        }
        behind.windows(2).for_each(|pair| ids.join((pair[0], pair[1])));
        bridges.push((identifier, behind));
    }
    let mut root_of: HashMap<&Arc<str>, &Arc<str>> = HashMap::new();
    let mut groups: HashMap<&Arc<str>, BTreeSet<&Arc<str>>> = HashMap::new();
    for (root, group) in ids.groups() {
        if contradicts_itself(links, &group) {
            persons.contradictions.push(contradiction(links, &group, &bridges));
            root_of.extend(group.iter().map(|&id| (id, id)));
            groups.extend(group.into_iter().map(|id| (id, BTreeSet::from([id]))));
        } else {
            root_of.extend(group.iter().map(|&id| (id, root)));
            groups.insert(root, group);
        }
    }
    for (address, behind) in bridges {
        let roots: BTreeSet<&Arc<str>> = behind.iter().map(|&id| root_of[id]).collect();
        let [root] = roots.into_iter().collect::<Vec<_>>()[..] else { continue };
        let Some(group) = groups.get_mut(root) else { continue };
        let own = group.iter().filter(|member| !is_address(member));
        if !own.into_iter().any(|id| links.are_split(address, id)) {
            group.insert(address);
        }
    }
    groups.into_values().for_each(|group| persons.add(group));
    persons
}

fn has_two_of_a_kind(ids: &[&Arc<str>]) -> bool {
    let kinds: BTreeSet<_> = ids.iter().map(|id| kind(id)).collect();
    kinds.len() < ids.len()
}

fn contradicts_itself(links: &Links, group: &BTreeSet<&Arc<str>>) -> bool {
    let ids: Vec<&Arc<str>> = group.iter().copied().collect();
    let split = |(nth, one): (usize, &&Arc<str>)| {
        ids[nth + 1..].iter().any(|other| links.are_split(one, other))
    };
    has_two_of_a_kind(&ids) || ids.iter().enumerate().any(split)
}

/// Collects all evidence that joined the ids of a group: direct links, and addresses that lead to several of the ids.
fn contradiction(
    links: &Links,
    group: &BTreeSet<&Arc<str>>,
    bridges: &[(&Arc<str>, Vec<&Arc<str>>)],
) -> Contradiction {
    let direct = group.iter().flat_map(|&id| {
        let others = links.linked_to(id).filter(|other| group.contains(other));
        others.map(move |other| (id, other))
    });
    let by_address = bridges
        .iter()
        .filter(|(_, behind)| behind.len() > 1 && behind.iter().all(|id| group.contains(id)))
        .flat_map(|(address, behind)| behind.iter().map(move |&id| (*address, id)));
    Contradiction::of(direct.chain(by_address))
}

impl Contradiction {
    fn of<'a>(pairs: impl Iterator<Item = Pair<'a>>) -> Self {
        let ordered = |(one, other): Pair<'a>| {
            let (one, other) = if one < other { (one, other) } else { (other, one) };
            (Arc::clone(one), Arc::clone(other))
        };
        Contradiction { links: pairs.map(ordered).collect() }
    }
}

/// Sets of joined ids, each with one root (union-find).
#[derive(Default)]
struct Union<'a> {
    parent: HashMap<&'a Arc<str>, &'a Arc<str>>,
}

impl<'a> Union<'a> {
    fn add(&mut self, id: &'a Arc<str>) {
        self.parent.entry(id).or_insert(id);
    }

    /// Joins two sets. The root is the first id in order, so it doesn't depend on the order of the joins.
    fn join(&mut self, (one, other): Pair<'a>) {
        self.add(one);
        self.add(other);
        let (one, other) = (self.root(one), self.root(other));
        let (first, second) = if one < other { (one, other) } else { (other, one) };
        self.parent.insert(second, first);
    }

    fn root(&mut self, id: &'a Arc<str>) -> &'a Arc<str> {
        let mut root = id;
        while let Some(&parent) = self.parent.get(root).filter(|parent| **parent != root) {
            root = parent;
        }
        self.parent.insert(id, root);
        root
    }

    fn groups(mut self) -> BTreeMap<&'a Arc<str>, BTreeSet<&'a Arc<str>>> {
        let ids: Vec<&Arc<str>> = self.parent.keys().copied().collect();
        let mut groups: BTreeMap<&Arc<str>, BTreeSet<&Arc<str>>> = BTreeMap::new();
        for id in ids {
            groups.entry(self.root(id)).or_default().insert(id);
        }
        groups
    }
}
