//! The work of stock apalis' tasks: nothing, or the requests that a person takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use apalis::prelude::{BoxDynError, Data};
use jobs::outcome::RevealOutcome;
use jobs::{Identifier, IdentifierKind};
use providers::clodura::Client;
use secrecy::SecretString;

use crate::apalis::AT_ONCE;
use crate::bench::Bench;
use crate::people::Task;
use crate::stack::Sandbox;

/// Counts handled tasks, and holds the client of the provider.
pub struct Work {
    handled: AtomicUsize,
    clodura: Option<Client>,
}

impl Work {
    /// Handlers that do nothing: they show the cost of the queue itself.
    pub fn nothing() -> Arc<Work> {
        Arc::new(Work { handled: AtomicUsize::new(0), clodura: None })
    }

    /// Handlers that order a person at this sandbox and ask for the result, with one request each.
    pub fn requests(bench: &Bench, sandbox: &Sandbox) -> Result<Arc<Work>> {
        let client = Client::new(
            sandbox.base_url.parse()?,
            SecretString::from("bench"),
            bench.http.clone(),
        )?;
        Ok(Arc::new(Work { handled: AtomicUsize::new(0), clodura: Some(client) }))
    }

    /// How many tasks may run at the same time.
    pub fn at_once(&self) -> usize {
        if self.clodura.is_some() { AT_ONCE } else { 1_000 }
    }

    pub fn handled(&self) -> usize {
        self.handled.load(Ordering::Relaxed)
    }
}

/// The handler.
pub async fn handle(task: Task, work: Data<Arc<Work>>) -> Result<(), BoxDynError> {
    if let Some(client) = &work.clodura {
        let person = Identifier::parse(IdentifierKind::LinkedinUrl, &task.address())?;
        let outcome = client.reveal(&person, None, false).await;
        if let RevealOutcome::Accepted { tracking_id: Some(id) } = outcome {
            client.track(&id).await.map_err(|_| "the result could not be asked for")?;
        }
    }
    work.handled.fetch_add(1, Ordering::Relaxed);
    Ok(())
}
