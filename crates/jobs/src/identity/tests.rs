mod choice;
mod ledger;
mod persons;

use std::sync::Arc;

use proptest::prelude::*;

/// Expands `o1`, `c2` and `l3` to an Ocean id, a Clodura id and a LinkedIn address.
pub(super) fn id(short: &str) -> Arc<str> {
    let (kind, name) = short.split_at(1);
    let prefix = match kind {
        "o" => "ocean:",
        "c" => "clodura:",
        _ => "linkedin.com/in/",
    };
    format!("{prefix}{name}").into()
}

/// A row's identifiers: at most one of each kind, at least one.
pub(super) fn row() -> impl Strategy<Value = Vec<Arc<str>>> {
    let one = |kind: &'static str| {
        proptest::option::of((0..4_u8).prop_map(move |n| id(&format!("{kind}{n}"))))
    };
    (one("o"), one("c"), one("l"))
        .prop_map(|(ocean, clodura, address)| {
            ocean.into_iter().chain(clodura).chain(address).collect()
        })
        .prop_filter("names a person", |row: &Vec<Arc<str>>| !row.is_empty())
}
