use std::time::Duration;

/// The durations and limits by which the queue is worked off; the contract's environment variables
/// and their defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// `WEBHOOK_GRACE`: how long a result may be out before its tracking id is polled.
    pub webhook_grace: Duration,
    /// `POLL_INTERVAL`: the first wait between two polls.
    pub poll_interval: Duration,
    /// `POLL_INTERVAL_MAX`: the longest wait between two polls.
    pub poll_interval_max: Duration,
    /// `RESULT_DEADLINE`: no result by then: expired.
    pub result_deadline: Duration,
    /// `UNKNOWN_GRACE`: when a request of unknown outcome is sent again; `None`: never.
    pub unknown_grace: Option<Duration>,
    /// `CREDITS_CHECK_INTERVAL`: how soon a balance is asked again while credits are out.
    pub credits_check_interval: Duration,
    /// `RETRY_BASE`: the first backoff of a refused person.
    pub retry_base: Duration,
    /// `RETRY_MAX`: the longest backoff of a refused person.
    pub retry_max: Duration,
    /// `GATE_BASE`: how soon a closed gate is probed where the provider names no time.
    pub gate_base: Duration,
    /// `GATE_MAX`: the longest wait between two probes.
    pub gate_max: Duration,
    /// `MAX_ATTEMPTS`: refusals after which a person has failed.
    pub max_attempts: i64,
    /// `HEARTBEAT_TIMEOUT`: a worker silent for that long is gone.
    pub heartbeat_timeout: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        const SECOND: Duration = Duration::from_secs(1);
        Policy {
            webhook_grace: 120 * SECOND,
            poll_interval: 30 * SECOND,
            poll_interval_max: 600 * SECOND,
            result_deadline: 24 * 3600 * SECOND,
            unknown_grace: None,
            credits_check_interval: 300 * SECOND,
            retry_base: 5 * SECOND,
            retry_max: 900 * SECOND,
            gate_base: 60 * SECOND,
            gate_max: 3600 * SECOND,
            max_attempts: 8,
            heartbeat_timeout: 30 * SECOND,
        }
    }
}
