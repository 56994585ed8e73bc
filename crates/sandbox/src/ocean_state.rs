//! What Ocean knows about its customer.

use std::sync::Arc;

use tokio::{sync::oneshot, time::Instant};

use crate::{account::OceanAccount, config::OceanConfig, limits::Limiter};

/// What Ocean knows about its customer.
#[derive(Debug)]
pub(crate) struct OceanState {
    pub(crate) account: OceanAccount,
    pub(crate) limiter: Limiter,
    pub(crate) accepted: u64,
}

impl OceanState {
    pub(crate) fn new(config: &OceanConfig, now: Instant) -> Self {
        Self { account: OceanAccount::new(config), limiter: Limiter::new(now), accepted: 0 }
    }
}

/// An accepted request whose result is being made.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) n: u64,
    pub(crate) people: Vec<String>,
    pub(crate) url: Arc<str>,
    /// Whether this is the second webhook, for the people who were `inProgress` in the first.
    pub(crate) is_followup: bool,
    pub(crate) early: Option<oneshot::Sender<()>>,
}
