use std::time::Instant;

use apalis_core::error::BoxDynError;
use apalis_core::task::data::Data;
use jobs::Provider;
use jobs::outcome::{Balance, FreeRequestFailure};
use store::{ClaimedBalance, StoreError};

use crate::app::App;
use crate::backend::{Claimed, Job, Source};
use crate::metrics::{Kind, free_outcome};
use crate::telemetry;

/// The balance that is due at one provider.
pub struct DueBalance {
    /// The application.
    pub app: App,
    /// The provider.
    pub provider: Provider,
}

impl Source for DueBalance {
    type Work = ClaimedBalance;

    async fn claim(&mut self, _most: usize) -> Result<Claimed<ClaimedBalance>, StoreError> {
        let rate = self.app.rate(self.provider);
        let (claimed, again_at) = self.app.store.gates().claim_balance(self.provider, rate).await?;
        Ok(Claimed { work: claimed.into_iter().collect(), again_at, paced: false })
    }
}

/// Asks for one balance.
///
/// # Errors
/// None: the ledger has recorded every outcome.
pub async fn handle(job: Job<ClaimedBalance>, app: Data<App>) -> Result<(), BoxDynError> {
    let claimed = job.work.clone();
    let provider = claimed.provider;
    let started = Instant::now();
    let (result, status) = ask(&app, provider).await;
    app.metrics().free_request(provider, Kind::Balance, &result, started.elapsed());
    match &result {
        Ok(balance) => tracing::info!(%provider, credits = %balance.credits, "balance read"),
        // This failure closes the gate, and that is logged.
        Err(FreeRequestFailure::Misconfigured { .. }) => {}
        Err(failure) => tracing::warn!(%provider, ?failure, "the balance could not be read"),
    }
    let price = app.price(provider);
    let written = app
        .retry_write("a balance", || {
            app.store.gates().record_balance(
                claimed.clone(),
                result.clone(),
                status,
                price,
                &app.policy,
            )
        })
        .await;
    if let Err(error) = written {
        tracing::error!(%provider, %error, "a balance could not be written down");
    }
    Ok(())
}

/// Returns the balance, and the HTTP status that came back.
#[tracing::instrument(level = "debug", name = "balance", skip_all, fields(%provider, kind = "balance", http_status, outcome))]
async fn ask(app: &App, provider: Provider) -> (Result<Balance, FreeRequestFailure>, Option<u16>) {
    let (result, status) = providers::http::with_status(balance(app, provider)).await;
    telemetry::span_ended(status, free_outcome(&result));
    (result, status)
}

async fn balance(app: &App, provider: Provider) -> Result<Balance, FreeRequestFailure> {
    let no_key = FreeRequestFailure::Unavailable { message: "this worker has no key".into() };
    match provider {
        Provider::Ocean => match &app.ocean {
            Some(client) => client.balance().await,
            None => Err(no_key),
        },
        Provider::Clodura => match &app.clodura {
            Some(client) => client.balance().await,
            None => Err(no_key),
        },
    }
}
