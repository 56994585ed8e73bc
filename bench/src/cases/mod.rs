use anyhow::Result;
use clap::ValueEnum;

use crate::bench::Bench;
use crate::kind::Kind;

mod cancel;
mod clodura;
mod export;
mod growth;
mod ocean;
mod rate;
mod submit;
mod views;
mod waiting;
mod webhook;

/// The measurements, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// A submit of 1,000,000 rows, and what it does to a running worker
    Submit,
    /// 200,000 people at Ocean, from the submit to the last result
    Ocean,
    /// 20,000 people at Clodura, results by webhook
    CloduraWebhook,
    /// 20,000 people at Clodura, results by polling
    CloduraPolling,
    /// From a webhook of 500 people to its 200, under load
    Webhook,
    /// 1,000,000 people whose results are out: memory, and the processor while idle
    Waiting,
    /// An export of 1,000,000 rows
    Export,
    /// A cancel of 1,000,000 rows, and a retry of all of them
    Cancel,
    /// scripts/status/*.sql with 1,000,000 rows in 20 batches
    Views,
    /// How close to a provider's rate limit requests go, and how many are refused
    Rate,
    /// Time and memory a person, from 10,000 people to 5,000,000
    Growth,
}

impl Case {
    /// All cases of a usual run.
    pub fn usual() -> Vec<Case> {
        Case::value_variants().iter().copied().filter(|case| *case != Case::Growth).collect()
    }

    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Runs one measurement.
pub async fn run(case: Case, bench: &Bench, kind: Kind) -> Result<()> {
    match case {
        Case::Submit => submit::run(bench, kind).await,
        Case::Ocean => ocean::run(bench, kind).await,
        Case::CloduraWebhook => clodura::by_webhook(bench, kind).await,
        Case::CloduraPolling => clodura::by_polling(bench, kind).await,
        Case::Webhook => webhook::run(bench, kind).await,
        Case::Waiting => waiting::run(bench, kind).await,
        Case::Export => export::run(bench, kind).await,
        Case::Cancel => cancel::run(bench, kind).await,
        Case::Views => views::run(bench, kind).await,
        Case::Rate => rate::run(bench, kind).await,
        Case::Growth => growth::run(bench, kind).await,
    }
}
