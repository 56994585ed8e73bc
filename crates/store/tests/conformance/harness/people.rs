use std::collections::BTreeMap;

use jobs::{Credits, Identifier, IdentifierKind, Provider, Timestamp};
use store::{BatchRef, Loaded, Loading, NewBatch, NewRow, NewStep, Published};

use super::Bench;

/// A person as a line of a file names them.
#[derive(Debug, Clone, Default)]
pub struct Who {
    identifiers: Vec<Identifier>,
    providers: Vec<Provider>,
    erased: bool,
    /// Whether Ocean looks the person up by the LinkedIn address.
    looked_up: bool,
    /// A step at a provider that the row has no identifier for.
    unasked: Option<Provider>,
}

/// A person named by Ocean's id.
pub fn ocean(id: &str) -> Who {
    Who::default().and(IdentifierKind::OceanPersonId, id)
}

/// A person named by Clodura's id.
pub fn clodura(id: &str) -> Who {
    Who::default().and(IdentifierKind::CloduraPersonId, id)
}

/// A person named by the slug of a LinkedIn address.
pub fn linkedin(slug: &str) -> Who {
    Who::default().linkedin(slug)
}

impl Who {
    fn and(mut self, kind: IdentifierKind, text: &str) -> Who {
        self.identifiers.push(Identifier::parse(kind, text).expect("an identifier"));
        self
    }

    pub fn clodura(self, id: &str) -> Who {
        self.and(IdentifierKind::CloduraPersonId, id)
    }

    pub fn linkedin(self, slug: &str) -> Who {
        self.and(IdentifierKind::LinkedinUrl, &format!("https://www.linkedin.com/in/{slug}"))
    }

    /// Sets a waterfall other than the usual one.
    pub fn by(mut self, providers: &[Provider]) -> Who {
        self.providers = providers.to_vec();
        self
    }

    /// Has Ocean look up the id for the address.
    pub fn looked_up(mut self) -> Who {
        self.looked_up = true;
        self
    }

    /// Adds a step at a provider, in case other rows name the person's identifier there.
    pub fn unasked(mut self, provider: Provider) -> Who {
        self.unasked = Some(provider);
        self
    }

    pub fn erased(mut self) -> Who {
        self.erased = true;
        self
    }

    fn row(&self, number: i64) -> NewRow {
        let order: &[Provider] =
            if self.providers.is_empty() { &Provider::ALL } else { &self.providers };
        let identifiers = self.identifiers.iter().map(|i| i.encode().into()).collect();
        let steps = order.iter().filter_map(|provider| self.step(*provider)).collect();
        let fields = format!("[\"row {number}\"]");
        NewRow { number, fields, identifiers, steps, erased: self.erased }
    }

    fn step(&self, provider: Provider) -> Option<NewStep> {
        let of_kind = |kind| self.identifiers.iter().position(|i| i.kind() == kind);
        let looked_up = || of_kind(IdentifierKind::LinkedinUrl).filter(|_| self.looked_up);
        let asks_by = provider.asks_by().iter().copied().find_map(of_kind).or_else(looked_up);
        if asks_by.is_none() && self.unasked != Some(provider) {
            return None;
        }
        Some(NewStep { provider, asks_by: asks_by.and_then(|nth| u8::try_from(nth).ok()) })
    }
}

/// The options of a submit.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub priority: i64,
    pub max_credits: BTreeMap<Provider, Credits>,
    pub refresh_before: Option<Timestamp>,
    pub wants_mobile: bool,
}

impl Options {
    pub fn priority(priority: i64) -> Options {
        Options { priority, ..Options::default() }
    }

    pub fn ceiling(provider: Provider, credits: i64) -> Options {
        Options { max_credits: [(provider, Credits::whole(credits))].into(), ..Options::default() }
    }

    pub fn wanting_mobile() -> Options {
        Options { wants_mobile: true, ..Options::default() }
    }

    pub fn refresh(before: Timestamp) -> Options {
        Options { refresh_before: Some(before), ..Options::default() }
    }
}

/// A row as `row_status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Shown {
    pub row_number: i64,
    pub person: Option<String>,
    pub provider: Option<String>,
    pub state: String,
    pub reason: Option<String>,
    pub attempts: i64,
    pub tracking_id: Option<String>,
    pub phones: Option<String>,
    pub credits: i64,
    pub shared: i64,
}

/// Rows of people, numbered from 1.
pub fn rows(people: &[Who]) -> Vec<NewRow> {
    (1..).zip(people).map(|(number, who)| who.row(number)).collect()
}

/// People with Ocean's ids `o1`, `o2`, …
pub fn oceans(range: std::ops::RangeInclusive<u32>) -> Vec<Who> {
    range.map(|n| ocean(&format!("o{n}"))).collect()
}

impl Bench {
    /// Begins a batch.
    pub async fn begin(&self, options: Options) -> Loading {
        let new = NewBatch {
            name: None,
            header: Some(vec!["column".into()]),
            priority: options.priority,
            max_credits: options.max_credits,
            refresh_before: options.refresh_before,
            wants_mobile: options.wants_mobile,
        };
        self.store.batches().begin_batch(new).await.expect("begins")
    }

    pub async fn load(&self, batch: &Loading, people: &[Who]) -> Loaded {
        self.store.batches().load(batch, rows(people)).await.expect("loads")
    }

    /// Loads a further chunk, whose rows go on from `after`.
    pub async fn load_after(&self, batch: &Loading, after: i64, people: &[Who]) -> Loaded {
        let mut more = rows(people);
        more.iter_mut().for_each(|row| row.number += after);
        self.store.batches().load(batch, more).await.expect("loads")
    }

    pub async fn publish(&self, batch: &Loading) {
        assert_eq!(
            self.store.batches().publish(batch, None).await.expect("publishes"),
            Published::Now
        );
    }

    /// Submits a batch whole; returns its number in the ledger.
    pub async fn submit(&self, people: &[Who]) -> i64 {
        self.submit_with(people, Options::default()).await
    }

    pub async fn submit_with(&self, people: &[Who], options: Options) -> i64 {
        let batch = self.begin(options).await;
        self.load(&batch, people).await;
        self.publish(&batch).await;
        self.batch_number(&batch).await
    }

    pub async fn batch_number(&self, batch: &Loading) -> i64 {
        let id = batch.batch_id;
        self.database.number(&format!("SELECT id FROM batches WHERE batch_id = '{id}'")).await
    }

    /// The rows of a batch, as `row_status` shows them.
    pub async fn shown(&self, batch: i64) -> Vec<Shown> {
        self.database
            .all(&format!(
                "SELECT row_number, person, provider, state, reason, attempts, tracking_id, phones,
                        CAST(credits AS BIGINT) AS credits, shared
                 FROM row_status WHERE batch_id = (SELECT batch_id FROM batches WHERE id = {batch})
                 ORDER BY row_number"
            ))
            .await
    }

    /// The states of a batch's rows, in their order.
    pub async fn states(&self, batch: i64) -> Vec<String> {
        self.shown(batch).await.into_iter().map(|row| row.state).collect()
    }

    /// How many rows of a batch are in `state`.
    pub async fn count(&self, batch: i64, state: &str) -> usize {
        self.states(batch).await.iter().filter(|s| *s == state).count()
    }

    /// A published batch, as the store's operations name it.
    pub async fn batch_ref(&self, batch: i64) -> BatchRef {
        let id: (String,) =
            self.database.one(&format!("SELECT batch_id FROM batches WHERE id = {batch}")).await;
        self.store.reports().find_batch(&id.0).await.expect("a batch")
    }

    pub async fn cancel(&self, batch: i64) {
        let batch = self.batch_ref(batch).await;
        self.store.batches().cancel(&batch).await.expect("cancels");
    }
}
