//! People, submitted without the command.

use end_to_end::{Row, Scene};
use jobs::{Clock, Identifier, IdentifierKind, Provider};
use store::{NewBatch, NewRow, NewStep, Store};

/// The name of the batch, which may not leave either.
pub const BATCH: &str = "Spring-campaign";

/// People at both providers.
pub fn people() -> Vec<Row> {
    let ocean = (1..=20).map(|n| Row::ocean(format!("ocean-person-{n}")));
    ocean.chain((1..=20).map(|n| Row::clodura(format!("clodura-person-{n}")))).collect()
}

/// Submits people to the scene's ledger, and lets its logs be checked for their numbers.
pub async fn submit(scene: &Scene, people: &[Row]) {
    scene.know(people);
    let store = Store::connect(&scene.db.url, true, Clock::system()).await.expect("connects");
    let batch = NewBatch {
        name: Some(BATCH.to_owned()),
        header: Some(vec!["name".into()]),
        priority: 0,
        max_credits: Default::default(),
        refresh_before: None,
        wants_mobile: false,
    };
    let batch = store.batches().begin_batch(batch).await.expect("begins");
    let rows = people.iter().zip(1..).map(|(person, number)| row(person, number)).collect();
    store.batches().load(&batch, rows).await.expect("loads");
    store.batches().publish(&batch, None).await.expect("publishes");
    store.close().await;
}

fn row(person: &Row, number: i64) -> NewRow {
    let (provider, kind, id) = if person.ocean.is_empty() {
        (Provider::Clodura, IdentifierKind::CloduraPersonId, &person.clodura)
    } else {
        (Provider::Ocean, IdentifierKind::OceanPersonId, &person.ocean)
    };
    let identifier = Identifier::parse(kind, id).expect("an id").encode().into();
    let step = NewStep { provider, asks_by: Some(0) };
    NewRow {
        number,
        fields: format!("[\"Name {number}\"]"),
        identifiers: [identifier].into_iter().collect(),
        steps: [step].into_iter().collect(),
        erased: false,
    }
}
