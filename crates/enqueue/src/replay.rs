use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use jobs::Policy;
use providers::webhook::Reading;
use store::{Delivery, Store, StoredWebhook};

use crate::failure::Failure;
use crate::output::{count, number, print_line, say};

/// Bodies in one read.
const AT_ONCE: usize = 100;

/// Options of `enqueue replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Apply the stored webhooks with this outcome in webhook_log
    #[arg(long, value_enum, default_value = "malformed", value_name = "OUTCOME")]
    pub outcome: Outcome,

    /// Apply only webhooks of this request (its call_id in call_log)
    #[arg(long, value_name = "ID")]
    pub call: Option<String>,

    /// Print the counts by outcome as JSON
    #[arg(long)]
    pub json: bool,
}

/// An outcome whose webhooks are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing in it could be read, or no number of a person who was found
    Malformed,
    /// It brought a result
    Applied,
    /// It brought nothing new
    Duplicate,
    /// It brought a result after the deadline
    Late,
    /// It named no person of its request
    UnknownPerson,
    /// Its request was not in the database
    UnknownCall,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Malformed => "malformed",
            Outcome::Applied => "applied",
            Outcome::Duplicate => "duplicate",
            Outcome::Late => "late",
            Outcome::UnknownPerson => "unknown_person",
            Outcome::UnknownCall => "unknown_call",
        }
    }
}

/// `enqueue replay`. Applying is idempotent: a known result is neither counted nor paid for twice.
pub async fn replay(store: &Store, args: &ReplayArgs) -> Result<(), Failure> {
    store.results().note_replay(args.outcome.as_str(), args.call.as_deref()).await?;
    let (mut after, mut bodies) = (0, 0);
    let mut came: BTreeMap<&str, i64> = BTreeMap::new();
    loop {
        let (outcome, call) = (args.outcome.as_str(), args.call.as_deref());
        let stored = store.results().stored_webhooks(outcome, call, after, AT_ONCE).await?;
        let Some(last) = stored.last() else { break };
        after = last.id;
        for webhook in stored {
            bodies += 1;
            *came.entry(apply(store, webhook).await?).or_default() += 1;
        }
    }
    if args.json {
        let object = serde_json::json!({"webhooks": bodies, "outcomes": came});
        return Ok(print_line(&object.to_string())?);
    }
    let each: Vec<String> = came
        .iter()
        .map(|(outcome, n)| format!("{} {}", number(*n), outcome.replace('_', " ")))
        .collect();
    let each = if each.is_empty() { String::new() } else { format!(": {}", each.join(", ")) };
    say(&format!("Replayed {}{each}", count(bodies, "stored webhook")));
    Ok(())
}

/// Applies a stored webhook once more. Returns its outcome.
async fn apply(store: &Store, webhook: StoredWebhook) -> Result<&'static str, Failure> {
    let Ok(reading) = providers::webhook::parse(webhook.provider, &webhook.body) else {
        return Ok("malformed");
    };
    let StoredWebhook { provider, call_id, id, .. } = webhook;
    let Reading { results, credits_used, .. } = reading;
    let delivery = Delivery::new(provider, call_id, Some(id), results, credits_used);
    let applied = store.results().replay(delivery, &Policy::default()).await?;
    Ok(applied.map_or("gone", store::Applied::as_str))
}
