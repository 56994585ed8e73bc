//! The work of one task: a request for its people, whose results come by webhook.

use anyhow::{Result, ensure};
use jobs::outcome::RevealOutcome;
use jobs::{Identifier, IdentifierKind, Provider};
use providers::{clodura, ocean};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::bench::Bench;
use crate::people::Task;
use crate::stack::Sandbox;

/// The most people that Ocean takes in one request.
const OCEAN_PEOPLE: usize = 500;

/// How many people are pushed in one transaction: as many as with apalis.
const PUSHED_AT_ONCE: usize = 10_000;

/// What a queue is measured with.
#[derive(Clone, Copy)]
pub struct Load {
    pub provider: Provider,
    pub people: usize,
}

impl Load {
    /// The tasks of all people, in groups that are pushed together.
    pub fn pushes(self) -> impl Iterator<Item = Vec<Order>> {
        let a_task = match self.provider {
            Provider::Clodura => 1,
            Provider::Ocean => OCEAN_PEOPLE,
        };
        (0..self.people).step_by(PUSHED_AT_ONCE).map(move |first| {
            let last = (first + PUSHED_AT_ONCE).min(self.people);
            let order = |from: usize| Order {
                people: (from..(from + a_task).min(last)).map(Task::new).collect(),
            };
            (first..last).step_by(a_task).map(order).collect()
        })
    }
}

/// What a task holds.
#[derive(Debug, Clone, Serialize, Deserialize, riverqueue::JobArgs, awa::JobArgs)]
#[river(kind = "order")]
pub struct Order {
    people: Vec<Task>,
}

/// Sends the requests.
pub struct Sender {
    provider: Provider,
    clodura: clodura::Client,
    ocean: ocean::Client,
    /// Where the listener is.
    webhooks: String,
}

impl Sender {
    pub fn new(
        bench: &Bench,
        sandbox: &Sandbox,
        provider: Provider,
        webhooks: String,
    ) -> Result<Sender> {
        let base = || sandbox.base_url.parse();
        let key = || SecretString::from("bench");
        Ok(Sender {
            provider,
            clodura: clodura::Client::new(base()?, key(), bench.http.clone())?,
            ocean: ocean::Client::new(base()?, key(), bench.http.clone())?,
            webhooks,
        })
    }

    /// Sends a task's request. An error makes the queue try the task again.
    pub async fn send(&self, order: &Order) -> Result<()> {
        match self.provider {
            Provider::Ocean => {
                let ids: Vec<&str> = order.people.iter().map(Task::id).collect();
                let webhook = format!("{}/ocean", self.webhooks);
                accepted(&self.ocean.reveal(&ids, &webhook).await)
            }
            Provider::Clodura => {
                for task in &order.people {
                    let person = Identifier::parse(IdentifierKind::LinkedinUrl, &task.address())?;
                    let webhook = format!("{}/clodura/{}", self.webhooks, task.id());
                    accepted(&self.clodura.reveal(&person, Some(&webhook), false).await)?;
                }
                Ok(())
            }
        }
    }
}

fn accepted(outcome: &RevealOutcome) -> Result<()> {
    let accepted = matches!(outcome, RevealOutcome::Accepted { .. });
    ensure!(accepted, "the request was not accepted: {outcome:?}");
    Ok(())
}
