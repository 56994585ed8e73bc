//! Requests that are open.

use std::sync::Arc;

use crate::{Endpoint, Provider, clock, world::World};

/// A request that is open; it ends when the answer is out or the client gone.
pub(crate) struct InFlight {
    world: Arc<World>,
    provider: Provider,
}

impl InFlight {
    pub(crate) fn begin(world: &Arc<World>, endpoint: Endpoint) -> Self {
        let provider = endpoint.provider();
        let config = world.config();
        world.audit().arrived(&config, provider, clock::now());
        Self { world: Arc::clone(world), provider }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.world.audit().ended(self.provider);
    }
}
