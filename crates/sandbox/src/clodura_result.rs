//! Clodura's results: which sources were asked, what was found, and the two shapes of a result.

use serde_json::{Map, Value, json};

use crate::{
    chance::Chance,
    clodura_state::{Findings, Job},
    config::{Config, Plan},
    expected::{Expected, Marker, SOURCES},
};

/// A partner that no documentation names.
const UNKNOWN_PARTNER: &str = "Nimbusphone";

/// Asks one source after the other until one has a number or `budget` doesn't cover the price of the next.
pub(crate) fn search(config: &Config, job: &Job, expected: &Expected, budget: i64) -> Findings {
    let sources = if job.via_partners { SOURCES.len() } else { 1 };
    let by_find = job.plan == Plan::Payg;
    let mut findings = Findings { asked: 0, sources, found: false, plan: job.plan };
    if by_find && is_out_of_credits(config, expected) {
        return findings;
    }
    for (name, price) in SOURCES.iter().take(sources) {
        if by_find && budget < *price as i64 {
            break;
        }
        findings.asked += 1;
        if expected.source.as_deref() == Some(*name) {
            findings.found = true;
            break;
        }
    }
    findings
}

fn is_out_of_credits(config: &Config, expected: &Expected) -> bool {
    let chosen = || {
        Chance::new(config.seed, "clodura insufficient")
            .of(&expected.person_id)
            .hits(config.clodura.insufficient_rate)
    };
    expected.marker == Some(Marker::Poor) || chosen()
}

/// The body of the webhook, and of tracking once finished.
pub(crate) fn body(config: &Config, job: &Job, findings: &Findings, tracking_id: &str) -> Value {
    let expected = Expected::of(config, crate::Provider::Clodura, &job.person_id);
    match findings.plan {
        Plan::Prospect => standard(&expected, findings),
        Plan::Payg => json!({
            "trackingId": tracking_id,
            "status": "success",
            "people": [{
                "personId": expected.person_id,
                "firstName": expected.first_name,
                "lastName": expected.last_name,
                "phoneNumbers": by_source(config, &expected, findings),
            }],
        }),
    }
}

fn standard(expected: &Expected, findings: &Findings) -> Value {
    let source =
        if expected.source.as_deref() == Some(SOURCES[0].0) { "clodura" } else { "partner" };
    let numbers: Vec<Value> = if findings.found {
        let entry = |number: &crate::Number| json!({"raw_number": number.raw, "type": number.kind, "source": source});
        expected.numbers.iter().map(entry).collect()
    } else {
        Vec::new()
    };
    json!({
        "personId": expected.person_id,
        "firstName": expected.first_name,
        "lastName": expected.last_name,
        "phoneNumbers": numbers,
    })
}

fn by_source(config: &Config, expected: &Expected, findings: &Findings) -> Value {
    let mut entries = Map::new();
    for (index, (name, _)) in SOURCES.iter().enumerate().take(findings.sources) {
        let is_last_asked = index + 1 == findings.asked;
        if index >= findings.asked {
            entries.insert((*name).to_owned(), json!({"status": "Insufficient Credits"}));
        } else if findings.found && is_last_asked {
            entries.insert(finder(config, expected, index).to_owned(), found(expected));
            // No source is asked once there is a number.
            break;
        } else {
            entries.insert((*name).to_owned(), json!({"status": "notFound"}));
        }
    }
    Value::Object(entries)
}

fn finder(config: &Config, expected: &Expected, index: usize) -> &'static str {
    let rate = config.clodura.unknown_partner_rate;
    let renamed =
        index > 0 && Chance::new(config.seed, "clodura partner").of(&expected.person_id).hits(rate);
    if renamed { UNKNOWN_PARTNER } else { SOURCES[index].0 }
}

fn found(expected: &Expected) -> Value {
    let mut entry = json!({"status": "found"});
    for number in &expected.numbers {
        if let Some(known) = entry.get_mut(&number.kind).and_then(Value::as_array_mut) {
            known.push(number.raw.clone().into());
        } else {
            entry[&number.kind] = json!([number.raw]);
        }
    }
    entry
}
