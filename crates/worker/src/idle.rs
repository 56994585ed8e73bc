//! `--until-idle`: notices that there is nothing left to do.

use std::time::Duration;

use store::NextWebhook;

use crate::app::App;

/// How often the ledger is asked; cheap, since no row is counted.
const INTERVAL: Duration = Duration::from_millis(100);

/// Why the queue is idle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Idle {
    /// Every row is finished.
    Finished,
    /// Every row that is left is held by a cause that waiting can't end. A line for each cause.
    Stuck(Vec<String>),
}

/// Returns once there is nothing left that this worker could wait for.
pub async fn wait(app: &App) -> Idle {
    loop {
        match look(app).await {
            Ok(Some(idle)) => return idle,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "can't see whether there is work left"),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn look(app: &App) -> store::Result<Option<Idle>> {
    if app.store.results().next_webhook().await? != NextWebhook::None {
        return Ok(None);
    }
    let open = app.store.reports().unfinished().await?;
    if open.unfinished == 0 {
        return Ok(Some(Idle::Finished));
    }
    // A balance that is due or being read may open the gate at which the rows wait.
    let stuck = !open.stuck.is_empty() && !app.store.gates().balance_is_due().await?;
    Ok(stuck.then_some(Idle::Stuck(open.stuck)))
}
