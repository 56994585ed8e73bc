//! What goes wrong with requests, by the seed and a request's place in its provider's series.

use std::{sync::Arc, time::Duration};

use crate::{
    Endpoint, Provider,
    chance::Chance,
    config::{Config, RequestFaults},
    reply::{Outcome, Reply},
    sandbox_state::SandboxState,
};

/// The target of the redirects that a provider answers with.
pub(crate) const REDIRECT_TARGET: &str = "/sandbox/redirected";

/// The fault that was decided for one request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    what: What,
    delay: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Nothing,
    DropBefore,
    DropAfter,
    StatusBefore(u16),
    StatusAfter(u16),
    Redirect,
    Unreadable,
    Burst(u64),
}

/// Decides the fault of a provider's next request.
pub(crate) fn decide(state: &Arc<SandboxState>, endpoint: Endpoint) -> Fault {
    let config = state.config();
    let provider = endpoint.provider();
    if !config.faults(provider).endpoints.contains(&endpoint.kind()) {
        return Fault { what: What::Nothing, delay: Duration::ZERO };
    }
    Fault::of_nth(&config, provider, state.next_in_series(provider))
}

impl Fault {
    fn of_nth(config: &Config, provider: Provider, n: u64) -> Self {
        let faults = config.faults(provider);
        let ask = |question| Chance::new(config.seed, question).of(provider.name()).nth(n);
        let slow = ask("slow answer").hits(faults.slow_rate);
        Self {
            what: in_burst(faults, n).unwrap_or_else(|| what(faults, ask("request fault").unit())),
            delay: Duration::from_millis(if slow { faults.slow_ms } else { 0 }),
        }
    }

    /// The end of a request that doesn't reach the provider; `None` if the request does.
    pub(crate) fn instead(&self) -> Option<Outcome> {
        let reply = match self.what {
            What::DropBefore => None,
            What::StatusBefore(status) => Some(plain(status)),
            What::Redirect => Some(Reply::empty(307).header("location", REDIRECT_TARGET)),
            What::Burst(seconds) => {
                Some(plain(429).header("retry-after", seconds).header("x-ratelimit-limit", 1))
            }
            What::Nothing | What::DropAfter | What::StatusAfter(_) | What::Unreadable => {
                return None;
            }
        };
        Some(Outcome { reply, delay: self.delay })
    }

    /// The end of a request that reached the provider. A refusal stays what it is: nothing was accepted that could be
    /// hidden.
    pub(crate) fn afterwards(&self, reply: Reply) -> Outcome {
        let early = reply.status == 200;
        let reply = match self.what {
            What::DropAfter if early => None,
            What::StatusAfter(status) if early => Some(plain(status)),
            What::Unreadable if early => Some(Reply { body: "<html><body>OK".into(), ..reply }),
            _ => Some(reply),
        };
        Outcome { reply, delay: self.delay }
    }
}

fn in_burst(faults: &RequestFaults, n: u64) -> Option<What> {
    let hit = faults.burst_every > 0 && n % faults.burst_every < faults.burst_length;
    hit.then_some(What::Burst(faults.burst_retry_after_s))
}

/// One draw decides between all faults, so that their rates add up and at most one happens.
fn what(faults: &RequestFaults, draw: f64) -> What {
    let choices = [
        (faults.drop_before_rate, What::DropBefore),
        (faults.drop_after_rate, What::DropAfter),
        (faults.error_before_rate, What::StatusBefore(faults.error_status)),
        (faults.error_after_rate, What::StatusAfter(faults.error_status)),
        (faults.unavailable_rate, What::StatusBefore(503)),
        (faults.request_timeout_rate, What::StatusBefore(408)),
        (faults.redirect_rate, What::Redirect),
        (faults.unreadable_rate, What::Unreadable),
    ];
    let mut sum = 0.0;
    for (rate, what) in choices {
        sum += rate;
        if draw < sum {
            return what;
        }
    }
    What::Nothing
}

/// Errors of proxies and load balancers are text, not the API's JSON.
fn plain(status: u16) -> Reply {
    let body = format!("error {status} (made by the sandbox)\n");
    Reply { body: body.into(), ..Reply::empty(status) }.header("content-type", "text/plain")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(faults: RequestFaults) -> Config {
        let mut config = Config::default();
        config.ocean.faults = faults;
        config
    }

    #[test]
    fn the_series_is_repeatable_and_meets_its_rates() {
        let config = config(RequestFaults {
            drop_before_rate: 0.2,
            unavailable_rate: 0.3,
            ..RequestFaults::default()
        });
        let series = |config: &Config| {
            (0..2_000).map(|n| Fault::of_nth(config, Provider::Ocean, n)).collect::<Vec<_>>()
        };
        let first = series(&config);
        assert_eq!(first, series(&config));
        let count = |what| first.iter().filter(|fault| fault.what == what).count();
        assert!((340..460).contains(&count(What::DropBefore)));
        assert!((530..670).contains(&count(What::StatusBefore(503))));
        assert_ne!(first, series(&Config { seed: 2, ..config }));
    }

    #[test]
    fn bursts_are_regular() {
        let config =
            config(RequestFaults { burst_every: 5, burst_length: 2, ..RequestFaults::default() });
        let hit: Vec<u64> = (0..10)
            .filter(|&n| matches!(Fault::of_nth(&config, Provider::Ocean, n).what, What::Burst(1)))
            .collect();
        assert_eq!(hit, [0, 1, 5, 6]);
    }
}
