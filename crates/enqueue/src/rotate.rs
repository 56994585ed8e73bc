use clap::Subcommand;
use store::Store;

use crate::failure::Failure;
use crate::output::say;

/// Commands of `enqueue rotate`.
#[derive(Debug, Subcommand)]
pub enum RotateCommand {
    /// Sign the webhook addresses of new requests with a new secret. Earlier addresses stay valid until their requests end
    WebhookSecret,
}

/// `enqueue rotate webhook-secret`.
pub async fn webhook_secret(store: &Store) -> Result<(), Failure> {
    store.settings().rotate_webhook_secret().await?;
    say(
        "In a minute, new requests get webhook addresses that a new secret signs; no worker has to be restarted.",
    );
    say(
        "Earlier requests keep their addresses until their results are in. The old secret is valid for no others.",
    );
    Ok(())
}
