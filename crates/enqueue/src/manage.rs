use std::collections::BTreeMap;

use clap::Args;
use jobs::gate::Resume;
use jobs::{OffReason, Provider};
use store::{PayAgain, RetryStates, Store};

use crate::failure::Failure;
use crate::output::{count, number, say};
use crate::submit::Prices;
use crate::submit::ceilings::Ceilings;

/// Options of `enqueue cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// The batch's id, the start of its id, or its name
    #[arg(value_name = "BATCH")]
    pub batch: String,
}

const RETRY_EXAMPLES: &str = "\
Examples:
  enqueue retry spring
  enqueue retry spring --states expired --pay-again";

/// Options of `enqueue retry`.
#[derive(Debug, Args)]
#[command(after_help = RETRY_EXAMPLES)]
pub struct RetryArgs {
    /// The batch's id, the start of its id, or its name
    #[arg(value_name = "BATCH")]
    pub batch: String,

    /// The states of the rows to retry, as in failed,expired,cancelled
    #[arg(long, value_delimiter = ',', default_value = "failed", value_name = "STATES")]
    pub states: Vec<State>,

    /// Also ask again for expired people, who may already have been paid for
    #[arg(long)]
    pub pay_again: bool,

    /// What people may cost.
    #[command(flatten)]
    pub prices: Prices,
}

/// A state from which rows can be retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum State {
    /// Refused for good, so nothing was paid
    Failed,
    /// No result came, and people may have been paid for (needs --pay-again)
    Expired,
    /// Cancelled before they were sent
    Cancelled,
}

/// Options of `enqueue priority`.
#[derive(Debug, Args)]
pub struct PriorityArgs {
    /// The batch's id, the start of its id, or its name
    #[arg(value_name = "BATCH")]
    pub batch: String,

    /// The new priority; batches of a higher one go first
    #[arg(value_name = "N", allow_hyphen_values = true)]
    pub priority: i64,
}

/// Options of `enqueue pause`.
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// ocean or clodura
    #[arg(value_name = "PROVIDER")]
    pub provider: Provider,
}

/// Options of `enqueue resume`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["provider", "batch"]))]
pub struct ResumeArgs {
    /// ocean or clodura: ends its pause, or tries its closed gate at once with one request
    #[arg(value_name = "PROVIDER")]
    pub provider: Option<Provider>,

    /// The batch that gets a new ceiling: its id, the start of its id, or its name
    #[arg(long, requires = "max_credits", value_name = "BATCH")]
    pub batch: Option<String>,

    /// The new ceiling at one or more providers, as in ocean=500,clodura=unlimited, or 500 if the batch has one provider
    #[arg(long, requires = "batch", value_name = "CREDITS")]
    pub max_credits: Option<Ceilings>,
}

/// `enqueue cancel`.
pub async fn cancel(store: &Store, args: &CancelArgs) -> Result<(), Failure> {
    let batch = store.reports().find_batch(&args.batch).await?;
    let cancelled = store.batches().cancel(&batch).await?;
    let out = match cancelled.out {
        0 => String::new(),
        out => {
            format!("; {} already asked for, their results are still received", count(out, "row"))
        }
    };
    say(&format!("Batch {}: {} cancelled{out}", batch.batch_id, count(cancelled.rows, "row")));
    Ok(())
}

/// `enqueue priority`.
pub async fn priority(store: &Store, args: &PriorityArgs) -> Result<(), Failure> {
    let batch = store.reports().find_batch(&args.batch).await?;
    store.batches().set_priority(&batch, args.priority).await?;
    say(&format!("Batch {}: its priority is {} now", batch.batch_id, args.priority));
    Ok(())
}

/// `enqueue retry`.
pub async fn retry(store: &Store, args: &RetryArgs) -> Result<(), Failure> {
    let batch = store.reports().find_batch(&args.batch).await?;
    let states = RetryStates {
        failed: args.states.contains(&State::Failed),
        expired: args.states.contains(&State::Expired),
        cancelled: args.states.contains(&State::Cancelled),
    };
    if states.expired {
        let again = store.batches().pay_again(&batch).await?;
        let cost = costs(store, &args.prices, &again).await?;
        if !again.is_empty() {
            say(&cost);
            if !args.pay_again {
                return Err(Failure::Usage(
                    "expired people are asked again only with --pay-again; nothing was done".into(),
                ));
            }
        }
    }
    let retried = store.batches().retry(&batch, states).await?;
    let polled = match retried.polled_first {
        0 => String::new(),
        n => format!("; the earlier request of {} is polled once more first", count_people(n)),
    };
    say(&format!(
        "Batch {}: {} to be tried again{polled}",
        batch.batch_id,
        count(retried.rows, "row")
    ));
    Ok(())
}

/// What paying again may cost, at each provider.
async fn costs(
    store: &Store,
    prices: &Prices,
    again: &BTreeMap<Provider, PayAgain>,
) -> Result<String, Failure> {
    let mut parts = Vec::new();
    for (provider, PayAgain { people, polled_first }) in again {
        let price = store
            .reports()
            .known_of_provider(*provider, prices.of(*provider))
            .await?
            .price
            .reserved;
        let polled = match polled_first {
            0 => String::new(),
            n => format!(" ({} of them polled once more before, which is free)", number(*n)),
        };
        let credits = (price * *people).grouped();
        parts.push(format!(
            "{} at {provider}, up to {credits} credits{polled}",
            count_people(*people)
        ));
    }
    Ok(format!("May be paid for a second time: {}", parts.join("; ")))
}

fn count_people(n: i64) -> String {
    if n == 1 { "1 person".to_owned() } else { format!("{} people", number(n)) }
}

/// `enqueue pause`.
pub async fn pause(store: &Store, args: &PauseArgs) -> Result<(), Failure> {
    let provider = args.provider;
    let news =
        if store.gates().pause(provider).await? { "is paused" } else { "was paused already" };
    say(&format!("{provider} {news}: no person is asked for until: enqueue resume {provider}"));
    Ok(())
}

/// `enqueue resume`.
pub async fn resume(store: &Store, args: &ResumeArgs) -> Result<(), Failure> {
    match (&args.provider, &args.batch, &args.max_credits) {
        (Some(provider), ..) => resume_provider(store, *provider).await,
        (None, Some(batch), Some(ceilings)) => raise(store, batch, ceilings).await,
        _ => Err(Failure::Usage("say a provider, or --batch and --max-credits".into())),
    }
}

async fn resume_provider(store: &Store, provider: Provider) -> Result<(), Failure> {
    let resumed = store.gates().resume(provider).await?;
    let reason = resumed.was_shut_for.map(|reason| reason.as_str().replace('_', " "));
    let news = match (resumed.done, reason) {
        (Resume::Nothing, None) if resumed.was_unread => {
            "is asked by full requests again, although its last results could not be read"
                .to_owned()
        }
        (Resume::Nothing, None) => "is open already; there was nothing to resume".to_owned(),
        (Resume::Nothing, Some(reason)) => {
            format!("is being tried already, one request at a time ({reason})")
        }
        (Resume::Unpause, None) => "was paused; it is open now".to_owned(),
        (Resume::Unpause, Some(reason)) => {
            let until = resumed
                .closed_until
                .map_or_else(String::new, |until| format!(" until {}", until.iso8601()));
            format!("is paused no longer; it stays closed{until} ({reason})")
        }
        (Resume::TryNow, reason) => format!(
            "was closed ({}); one request is tried now, and it opens when that is accepted",
            reason.unwrap_or_default(),
        ),
    };
    let off = match resumed.still_off {
        None => "",
        Some(OffReason::NoKey) => ", but no worker has a key for it",
        Some(OffReason::NoWebhookUrl) => ", but no worker can be reached by its webhooks",
    };
    say(&format!("{provider} {news}{off}"));
    Ok(())
}

async fn raise(store: &Store, batch: &str, ceilings: &Ceilings) -> Result<(), Failure> {
    let batch = store.reports().find_batch(batch).await?;
    let providers = store.reports().batch_providers(&batch).await?.into_iter().collect();
    let ceilings = ceilings
        .for_some(&providers)
        .map_err(|error| Failure::Usage(format!("--max-credits: {error}")))?;
    store.batches().set_ceilings(&batch, &ceilings).await?;
    let all: Vec<String> = ceilings
        .iter()
        .map(|(provider, most)| match most {
            Some(credits) => format!("{} {provider} credits", credits.grouped()),
            None => format!("any number of {provider} credits"),
        })
        .collect();
    say(&format!("Batch {} may use {}", batch.batch_id, all.join(" and ")));
    Ok(())
}
