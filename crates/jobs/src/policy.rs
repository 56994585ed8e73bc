use std::time::Duration;

/// The durations and limits of the queue, with the environment variables that set them and their defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// `WEBHOOK_GRACE`: how long a result may be out before its tracking id is polled.
    pub webhook_grace: Duration,
    /// `POLL_INTERVAL`: the first wait between two polls.
    pub poll_interval: Duration,
    /// `POLL_INTERVAL_MAX`: the longest wait between two polls.
    pub poll_interval_max: Duration,
    /// `RESULT_DEADLINE`: when a reveal without a result expires.
    pub result_deadline: Duration,
    /// `UNKNOWN_GRACE`: when a request of unknown outcome is sent again; `None`: never.
    pub unknown_grace: Option<Duration>,
    /// `CREDITS_CHECK_INTERVAL`: how soon a balance is asked again while the account lacks credits.
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
    /// `HEARTBEAT_TIMEOUT`: how long a worker may be silent before it counts as gone.
    pub heartbeat_timeout: Duration,
    /// How long finished data is kept.
    pub retention: Retention,
}

/// How long finished data is kept; `None`: forever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// `RETAIN_BODIES`: bodies of webhooks as they came.
    pub bodies: Option<Duration>,
    /// `RETAIN_CALLS`: the log of requests whose people are gone, of polls, balances and webhooks.
    pub calls: Option<Duration>,
    /// `RETAIN_PEOPLE`: batches with their rows, and people with their numbers.
    pub people: Option<Duration>,
}

impl Retention {
    /// How often to look for data that is old enough to be removed; `None`: never.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        const LONGEST: Duration = Duration::from_secs(3600);
        const SHORTEST: Duration = Duration::from_secs(1);
        let shortest = [self.bodies, self.calls, self.people].into_iter().flatten().min()?;
        Some((shortest / 10).clamp(SHORTEST, LONGEST))
    }
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
            retention: Retention::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_shortest_is_looked_for_often_enough() {
        let hours = |n: u64| Some(Duration::from_secs(n * 3600));
        let interval = |bodies, people| Retention { bodies, calls: None, people }.interval();
        assert_eq!(interval(None, None), None);
        assert_eq!(interval(hours(24 * 30), hours(2)), Some(Duration::from_secs(720)));
        assert_eq!(interval(None, hours(24 * 30)), hours(1));
        assert_eq!(interval(Some(Duration::ZERO), None), Some(Duration::from_secs(1)));
    }
}
