//! Compares the sandbox's books with the ledger: how often each person was charged, the credits, the numbers on the rows.

use std::collections::{BTreeMap, BTreeSet};

use end_to_end::Scene;
use sandbox::{Expected, OceanPlan, PeopleFilter, PersonStats, Plan, Provider};

use crate::model::{Key, Model, is_one_person, keys};
use crate::people::{Kind, Person, person};
use crate::plan::Features;

/// The highest price of a find at Clodura, in credits.
const DEAREST: i64 = 20;
/// How many times Ocean's dearer plan costs as much as the cheaper one.
const DEARER: i64 = 10;

/// Returns a message for each fault; none if the books agree.
pub async fn check(scene: &Scene, model: &Model, features: Features) -> Vec<String> {
    let filter = PeopleFilter { min_charged: 1, limit: usize::MAX, ..PeopleFilter::default() };
    let charged = scene.sandbox.people(&filter);
    let mut faults = charged_too_often(scene, model, features, &charged).await;
    faults.extend(spending(scene, model, &charged).await);
    faults.extend(rows(scene, model, features).await);
    faults
}

/// Checks that no person was charged more often than was asked for.
async fn charged_too_often(
    scene: &Scene,
    model: &Model,
    features: Features,
    charged: &[PersonStats],
) -> Vec<String> {
    let repeated = repeated(scene, model, features).await;
    let faults = charged.iter().filter_map(|stats| {
        let who = (stats.provider, stats.person_id.clone());
        let repeats = repeated.iter().filter(|other| **other == who).count();
        let allowed = model.allowed(&who, repeats);
        (stats.charged as usize > allowed).then(|| {
            format!("{who:?} was charged {} times; {allowed} was asked for", stats.charged)
        })
    });
    faults.collect()
}

/// The people of requests that were sent again because of `UNKNOWN_GRACE`, once for each time.
async fn repeated(scene: &Scene, model: &Model, features: Features) -> Vec<Person> {
    if !features.grace {
        return Vec::new();
    }
    let sql = "SELECT r.provider, p.person FROM calls c JOIN call_reveals m ON m.call_id = c.id
               JOIN reveals r ON r.id = m.reveal_id JOIN reveal_people p ON p.reveal_id = r.id
               WHERE c.repeat_of IS NOT NULL";
    let rows = scene.db.rows(sql).await.into_iter();
    rows.map(|row| shown(&row[0], &row[1]))
        .map(|(kind, id)| person(&model.config, kind, &id))
        .collect()
}

/// A person in a call: the cost, and whether the result never came.
struct Member {
    key: Key,
    credits: i64,
    lost: bool,
}

/// Checks that the ledger has spent what was charged, except charges whose result never came.
async fn spending(scene: &Scene, model: &Model, charged: &[PersonStats]) -> Vec<String> {
    if model.purges > 0 {
        return Vec::new();
    }
    let members = members(scene).await;
    let mut faults = Vec::new();
    for group in model.groups().iter().filter(|group| !model.touched_by_erasure(group)) {
        for provider in [Provider::Ocean, Provider::Clodura] {
            let of_group = |member: &&Member| {
                member.key.0.provider() == provider && group.contains(&member.key)
            };
            let spent: i64 = members.iter().filter(of_group).map(|member| member.credits).sum();
            let lost = members.iter().filter(of_group).any(|member| member.lost);
            let (least, most) = cost(model, provider, group, charged);
            if spent > most || (spent < least && !lost) {
                faults.push(format!(
                    "{provider} charged from {least} to {most} credits for {group:?}, the ledger says {spent}"
                ));
            }
        }
    }
    faults
}

async fn members(scene: &Scene) -> Vec<Member> {
    let sql = "SELECT r.provider, p.person, COALESCE(m.credits, 0) / 1000,
                      CASE WHEN m.credits IS NULL AND c.state = 'expired' THEN 1 ELSE 0 END
               FROM calls c JOIN call_reveals m ON m.call_id = c.id
               JOIN reveals r ON r.id = m.reveal_id JOIN reveal_people p ON p.reveal_id = r.id";
    let rows = scene.db.rows(sql).await.into_iter();
    rows.map(|row| Member {
        key: shown(&row[0], &row[1]),
        credits: row[2].parse().expect("credits"),
        lost: row[3] == "1",
    })
    .collect()
}

/// The least and the most that a group may have cost at a provider. Clodura's pay-as-you-go plan doesn't state the
/// price of a find, so the highest price is booked. For Ocean it is the dearer plan's, if neither webhook nor balance
/// showed the plan.
fn cost(
    model: &Model,
    provider: Provider,
    group: &BTreeSet<Key>,
    charged: &[PersonStats],
) -> (i64, i64) {
    let people: BTreeSet<Person> =
        group.iter().map(|(kind, id)| person(&model.config, *kind, id)).collect();
    let of_group = |stats: &&PersonStats| {
        stats.provider == provider && people.contains(&(provider, stats.person_id.clone()))
    };
    let credits: u64 = charged.iter().filter(of_group).map(|stats| stats.credits).sum();
    let finds: u32 = charged.iter().filter(of_group).map(|stats| stats.charged).sum();
    let credits = credits as i64;
    let most = match provider {
        Provider::Ocean if model.config.ocean.reports_credits_used => credits,
        Provider::Ocean if model.config.ocean.plan == OceanPlan::Unified => credits,
        Provider::Ocean => credits * DEARER,
        Provider::Clodura if model.config.clodura.plan == Plan::Prospect => credits,
        Provider::Clodura => i64::from(finds) * DEAREST,
    };
    (credits, most)
}

/// Turns a view's `person` into an identifier.
fn shown(provider: &str, text: &str) -> Key {
    let kind = match provider {
        _ if text.starts_with("https://") => Kind::Address,
        "ocean" => Kind::OceanId,
        _ => Kind::CloduraId,
    };
    (kind, text.to_owned())
}

/// A row as `row_status` shows it.
type Shown = BTreeMap<&'static str, String>;

/// Checks that every row shows the right person with the right result.
async fn rows(scene: &Scene, model: &Model, features: Features) -> Vec<String> {
    let columns = ["name", "row_number", "provider", "person", "state", "reason", "phones"];
    let sql = "SELECT b.name, w.row_number, w.provider, w.person, w.state, w.reason, w.phones
               FROM row_status w JOIN batch_status b ON b.batch_id = w.batch_id";
    let all = scene.db.rows(sql).await.into_iter();
    let all = all.map(|row| columns.into_iter().zip(row).collect::<Shown>());
    let mut faults = Vec::new();
    let mut counted: BTreeMap<usize, usize> = BTreeMap::new();
    for row in all {
        let batch: usize = row["name"].trim_start_matches("batch-").parse().expect("our name");
        *counted.entry(batch).or_default() += 1;
        if let Some(fault) = wrong(model, features, batch, &row) {
            faults.push(format!("{fault}: {row:?}"));
        }
    }
    for (batch, rows) in counted {
        let submitted = model.submits[batch].rows.len();
        if rows != submitted {
            faults.push(format!("{} has {rows} rows of {submitted}", Model::name(batch)));
        }
    }
    faults
}

fn wrong(model: &Model, features: Features, batch: usize, row: &Shown) -> Option<&'static str> {
    let number: usize = row["row_number"].parse().expect("a number");
    let Some(own) = model.submits[batch].rows.get(number - 1) else {
        return Some("a row too many");
    };
    if row["state"] == "cancelled" {
        let asked_for = match row["reason"].as_str() {
            "erased" => features.erasures,
            _ => model.cancelled.contains(&batch),
        };
        return (!asked_for).then_some("it was not cancelled by a user");
    }
    let shown = shown(&row["provider"], &row["person"]);
    if keys(own).any(|(kind, id)| kind == shown.0 && kind != Kind::Address && id != shown.1) {
        return Some("it shows a person with another id of the same kind");
    }
    let group = model.group_of(own);
    if !group.contains(&shown) {
        return Some("it shows a person whom no row and no answer connects with it");
    }
    if is_one_person(&group)
        && !keys(own).any(|key| key.0.provider() == shown.0.provider())
        && group.len() == 1
    {
        return Some("it shows a person at a provider that it has no identifier for");
    }
    let expected = Expected::of(&model.config, shown.0.provider(), &shown.1);
    match row["state"].as_str() {
        "found" => {
            let said: BTreeSet<&str> = row["phones"].split(';').collect();
            let numbers: BTreeSet<&str> = expected.e164().into_iter().collect();
            (said != numbers).then_some("it shows numbers that aren't theirs")
        }
        "not_found" => {
            expected.is_found(true).then_some("it says 'not found' of a person who has a number")
        }
        "failed" if !features.faults => {
            expected.marker.is_none().then_some("it failed, and nothing went wrong")
        }
        _ => None,
    }
}
