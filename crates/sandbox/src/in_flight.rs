//! Requests that are open.

use std::sync::Arc;

use crate::{Endpoint, Provider, clock, sandbox_state::SandboxState};

/// A request that is open; it ends when the answer is out or the client gone.
pub(crate) struct InFlight {
    state: Arc<SandboxState>,
    provider: Provider,
}

impl InFlight {
    pub(crate) fn begin(state: &Arc<SandboxState>, endpoint: Endpoint) -> Self {
        let provider = endpoint.provider();
        let config = state.config();
        state.audit().arrived(&config, provider, clock::now());
        Self { state: Arc::clone(state), provider }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.state.audit().ended(self.provider);
    }
}
