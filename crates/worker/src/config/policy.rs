//! The durations and limits by which the queue is processed, from the settings.

use jobs::{Policy, Retention};

use super::Config;

impl Config {
    /// The durations and limits by which the queue is processed.
    #[must_use]
    pub fn policy(&self) -> Policy {
        // Without a webhook there is none to wait for before polling.
        let by_webhook = self.webhook_public_url.is_some() || self.sandbox;
        Policy {
            webhook_grace: if by_webhook { self.webhook_grace } else { self.poll_interval },
            poll_interval: self.poll_interval,
            poll_interval_max: self.poll_interval_max.max(self.poll_interval),
            result_deadline: self.result_deadline,
            unknown_grace: self.unknown_grace.0,
            credits_check_interval: self.credits_check_interval,
            retry_base: self.retry_base,
            retry_max: self.retry_max,
            gate_base: self.gate_base,
            gate_max: self.gate_max,
            max_attempts: self.max_attempts,
            heartbeat_timeout: self.heartbeat_timeout,
            retention: Retention {
                bodies: self.retain_bodies.0,
                calls: self.retain_calls.0,
                people: self.retain_people.0,
            },
        }
    }
}
