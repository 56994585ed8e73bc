//! A provider's gate, opened and shut by hand.

use jobs::Provider;

use crate::conn::exec;
use crate::gate::{self, Gate};
use crate::{Result, Store, Topic};

/// What resuming a provider came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumed {
    /// Whether it was paused.
    pub was_paused: bool,
    /// Why its gate was closed besides, if it was.
    pub was_closed_for: Option<String>,
    /// What only a worker can mend: `no_key`, `no_webhook_url`.
    pub still_off: Option<String>,
}

impl Store {
    /// Asks nobody at `provider` until [`Store::resume`]; false if that was so already. What is paid
    /// for is still received.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn pause(&self, provider: Provider) -> Result<bool> {
        self.write(move |conn| {
            Box::pin(async move {
                let gate = Gate::lock(conn, provider).await?;
                exec!(
                    conn,
                    "UPDATE provider_gates SET paused = 1 WHERE provider = $1",
                    provider.as_str(),
                )?;
                conn.announce(Topic::Queue);
                Ok(gate.paused == 0)
            })
        })
        .await
    }

    /// Opens a provider's gate, whatever it was closed for: whoever says so has mended it. The
    /// balance is asked afresh.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn resume(&self, provider: Provider) -> Result<Resumed> {
        let now = self.now();
        self.write(move |conn| {
            Box::pin(async move {
                let gate = Gate::lock(conn, provider).await?;
                gate::open(conn, provider).await?;
                exec!(
                    conn,
                    "UPDATE provider_gates SET paused = 0, refused_singles = 0, balance_due_at = $2,
                        balance_step = 0
                     WHERE provider = $1",
                    provider.as_str(),
                    now.0,
                )?;
                conn.announce(Topic::Queue);
                Ok(Resumed {
                    was_paused: gate.paused == 1,
                    was_closed_for: gate.reason.filter(|_| gate.state != "open"),
                    still_off: gate.off_reason,
                })
            })
        })
        .await
    }
}
