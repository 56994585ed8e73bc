use std::collections::{HashMap, VecDeque};

use jobs::outcome::Matches;
use jobs::{Identifier, IdentifierKind};
use serde_json::{Map, Value};

use crate::entries;

/// Names under which the list of people is looked for if the body is not a list itself.
const LISTS: [&str; 5] = ["people", "persons", "results", "matches", "data"];

/// How deep the list may be wrapped, and a person in their entry.
const DEEP: usize = 2;

/// Matches the ids in an answer to the handles that were asked for. The field that names a person's handle is not
/// published, so every field called after LinkedIn or a handle is looked at. `None` if there is no list of people.
pub(crate) fn matches(body: &Value, handles: &[String]) -> Option<Matches> {
    let people: Vec<&Map<String, Value>> =
        list(body, DEEP)?.iter().filter_map(Value::as_object).collect();
    let places: HashMap<&str, usize> =
        handles.iter().enumerate().map(|(place, handle)| (handle.as_str(), place)).collect();
    let mut ids = vec![None; handles.len()];
    let (mut named, mut sole) = (false, None);
    for person in &people {
        let Some(id) = id_of(person, DEEP) else { continue };
        let own_handles = handles_of(person);
        named |= !own_handles.is_empty();
        let place = own_handles.iter().find_map(|handle| places.get(handle.as_str()));
        if let Some(slot) = place.and_then(|place| ids.get_mut(*place)) {
            slot.get_or_insert(id);
        } else {
            sole.get_or_insert(id);
        }
    }
    // A person who was asked for alone is the person who was found, whatever their handle is now.
    if let ([slot @ None], [_]) = (ids.as_mut_slice(), people.as_slice()) {
        *slot = sole;
    }
    Some(Matches { ids, unnamed: !people.is_empty() && !named })
}

fn list(body: &Value, deep: usize) -> Option<&[Value]> {
    match body {
        Value::Array(list) => Some(list),
        Value::Object(fields) => {
            LISTS.iter().filter_map(|name| fields.get(*name)).find_map(|inner| match inner {
                Value::Array(list) => Some(list.as_slice()),
                inner if deep > 0 => list(inner, deep - 1),
                _ => None,
            })
        }
        _ => None,
    }
}

fn id_of(person: &Map<String, Value>, deep: usize) -> Option<String> {
    let own = person.get("oceanId").and_then(entries::id).or_else(|| entries::person_id(person));
    let inner = || person.get("person")?.as_object().filter(|_| deep > 0);
    own.or_else(|| id_of(inner()?, deep - 1))
}

/// The handles that an entry names, the nearest first. A company's are not the person's.
fn handles_of(person: &Map<String, Value>) -> Vec<String> {
    let mut handles = Vec::new();
    let mut next: VecDeque<(&Map<String, Value>, bool)> = [(person, false)].into();
    while let Some((fields, under)) = next.pop_front() {
        for (name, value) in fields {
            let name = name.to_lowercase();
            if ["company", "companies", "organization", "employer"]
                .iter()
                .any(|of| name.contains(of))
            {
                continue;
            }
            let under = under || name.contains("linkedin") || name.contains("handle");
            let values = match value {
                Value::Array(several) => several.as_slice(),
                one => std::slice::from_ref(one),
            };
            for value in values {
                match value {
                    Value::Object(inner) => next.push_back((inner, under)),
                    Value::String(text) if under => handles.extend(handle(text)),
                    _ => {}
                }
            }
        }
    }
    handles
}

/// A handle in its one form, given alone or in an address.
fn handle(text: &str) -> Option<String> {
    let read = |text: &str| Identifier::parse(IdentifierKind::LinkedinUrl, text).ok();
    let address = match text.contains('/') {
        true => read(text),
        false => read(&format!("linkedin.com/in/{text}")),
    };
    address.map(|address| address.value().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(body: &Value, handles: &[&str]) -> Option<(Vec<Option<String>>, bool)> {
        let handles: Vec<String> = handles.iter().map(|handle| (*handle).to_owned()).collect();
        matches(body, &handles).map(|matches| (matches.ids, matches.unnamed))
    }

    fn ids(ids: &[Option<&str>]) -> Option<(Vec<Option<String>>, bool)> {
        Some((ids.iter().map(|id| id.map(str::to_owned)).collect(), false))
    }

    #[test]
    fn people_are_matched_by_whatever_field_names_the_handle() {
        for person in [
            json!({"id": "o1", "linkedinHandle": "Ada"}),
            json!({"id": "o1", "medias": {"linkedin": {"url": "https://uk.linkedin.com/in/ADA/?x=1"}}}),
            json!({"id": "o1", "socials": [{"type": "x"}, {"handle": "ada"}]}),
            json!({"person": {"oceanId": "o1", "linkedin_url": "linkedin.com/in/ada"}}),
            json!({"id": "o1", "company": {"linkedin": {"handle": "bo"}}, "linkedin": "ada"}),
        ] {
            for body in [
                json!({"people": [null, person]}),
                json!([person]),
                json!({"data": {"people": [person]}}),
            ] {
                assert_eq!(found(&body, &["bo", "ada"]), ids(&[None, Some("o1")]), "{body}");
            }
        }
    }

    #[test]
    fn those_who_are_left_out_have_no_match() {
        let body = json!({"people": [
            {"id": 17, "linkedinHandle": "ada"}, {"id": "o3", "linkedinHandle": "renamed"}, {"linkedinHandle": "cy"}]});
        assert_eq!(found(&body, &["ada", "bo", "cy"]), ids(&[Some("17"), None, None]));
        assert_eq!(found(&json!({"people": []}), &["ada"]), ids(&[None]));
    }

    #[test]
    fn who_was_asked_for_alone_is_the_one_in_the_answer() {
        let body = json!({"people": [{"id": "o3", "linkedinHandle": "renamed"}]});
        assert_eq!(found(&body, &["ada"]), ids(&[Some("o3")]));
        let nameless = json!({"people": [{"id": "o3", "name": "Ada"}]});
        assert_eq!(found(&nameless, &["ada"]).unwrap().0, [Some("o3".to_owned())]);
        assert_eq!(found(&nameless, &["ada", "bo"]), Some((vec![None, None], true)));
    }

    #[test]
    fn what_holds_no_people_is_no_answer() {
        for body in [json!({}), json!({"detail": "no"}), json!("ok"), json!({"data": {"n": 1}})] {
            assert_eq!(found(&body, &["ada"]), None, "{body}");
        }
    }
}
