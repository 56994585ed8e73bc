use std::time::Duration;

use jobs::duration::display;

use super::report::Check;
use crate::admin::Access;
use crate::config::Config;

const NAME: &str = "settings";
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Ocean's requests a day on standard plans.
const DAILY_REQUESTS: u64 = 1_000;
/// Requests a second beyond which a rate is more likely a slip than a plan.
const FAST: f64 = 100.0;

/// Settings that contradict each other or make no sense; one `ok` if there are none.
pub(super) fn check(config: &Config) -> Vec<Check> {
    let mut found = waits(config);
    found.extend(limits(config));
    found.extend(addresses(config));
    found.extend(config.readable_on_the_way().map(|(name, _)| {
        let message =
            format!("{name} is not https: the key and every request could be read on the way");
        Check::wrong(NAME, message, "use https://")
    }));
    if found.is_empty() {
        found.push(Check::ok(NAME, "rates, limits, durations and addresses are plausible"));
    }
    found
}

fn wrong(message: String, fix: &str) -> Option<Check> {
    Some(Check::wrong(NAME, message, fix))
}

fn warning(message: String, fix: &str) -> Option<Check> {
    Some(Check::warning(NAME, message, fix))
}

/// Checks durations, each against its minimum or the setting that it has to fit.
fn waits(config: &Config) -> Vec<Check> {
    let mut found = vec![results(config), unknown(config)];
    let at_least = [
        ("POLL_INTERVAL", config.poll_interval, SECOND),
        ("GATE_BASE", config.gate_base, SECOND),
        ("HEARTBEAT_TIMEOUT", config.heartbeat_timeout, 2 * SECOND),
        ("REQUEST_TIMEOUT", config.request_timeout, 5 * SECOND),
    ];
    found.extend(at_least.into_iter().map(|(name, value, least)| {
        (value < least).then(|| {
            Check::wrong(
                NAME,
                format!("{name} is {}: {}", display(value), too_short(name)),
                format!("set it to {} or more", display(least)),
            )
        })
    }));
    let pairs = [
        ("POLL_INTERVAL", config.poll_interval, "POLL_INTERVAL_MAX", config.poll_interval_max),
        ("RETRY_BASE", config.retry_base, "RETRY_MAX", config.retry_max),
        ("GATE_BASE", config.gate_base, "GATE_MAX", config.gate_max),
    ];
    found.extend(pairs.into_iter().map(|(base, first, most, last)| {
        (last < first).then(|| {
            Check::warning(
                NAME,
                format!("{most} ({}) is less than {base} ({})", display(last), display(first)),
                format!("set {most} to {} or more", display(first)),
            )
        })
    }));
    found.into_iter().flatten().collect()
}

fn too_short(name: &str) -> &'static str {
    match name {
        "POLL_INTERVAL" => "results would be asked for without a pause",
        "GATE_BASE" => "a provider that refuses would be asked again without a pause",
        "HEARTBEAT_TIMEOUT" => "live workers would be considered dead",
        _ => "requests that are accepted slowly would end with an unknown outcome",
    }
}

fn results(config: &Config) -> Option<Check> {
    let (grace, deadline) = (config.webhook_grace, config.result_deadline);
    if grace >= deadline {
        return wrong(
            format!(
                "WEBHOOK_GRACE ({}) is not less than RESULT_DEADLINE ({}): a lost webhook would be noticed too late",
                display(grace),
                display(deadline),
            ),
            "set WEBHOOK_GRACE to minutes and RESULT_DEADLINE to hours",
        );
    }
    if deadline >= 30 * MINUTE {
        return None;
    }
    warning(
        format!("RESULT_DEADLINE is {}: what is paid for may come later", display(deadline)),
        "set it to hours, such as 24h",
    )
}

fn unknown(config: &Config) -> Option<Check> {
    let grace = config.unknown_grace.0?;
    warning(
        format!(
            "UNKNOWN_GRACE is {}: a request whose outcome is unknown is sent again, and may be paid for twice",
            display(grace),
        ),
        "leave it at never, unless a lost result costs more than a second payment",
    )
}

/// Sizes and rates.
fn limits(config: &Config) -> Vec<Check> {
    let people = u64::from(config.ocean_batch_size);
    let small = (people < 50).then(|| {
        Check::warning(
            NAME,
            format!(
                "OCEAN_BATCH_SIZE is {people}: a day's {DAILY_REQUESTS} requests are enough for {} people",
                people * DAILY_REQUESTS,
            ),
            "set it to 500 unless that is meant",
        )
    });
    let canary = (config.webhook_canary == 0).then(|| {
        Check::warning(
            NAME,
            "WEBHOOK_CANARY is 0: full requests go out before a first webhook has come in",
            "leave it at 10, which costs little and proves WEBHOOK_PUBLIC_URL",
        )
    });
    let checks_a_day = 86_400 / config.credits_check_interval.as_secs().max(1);
    let checks = (checks_a_day > DAILY_REQUESTS / 2).then(|| {
        Check::warning(
            NAME,
            format!(
                "CREDITS_CHECK_INTERVAL is {}: an empty account could use up Ocean's requests of a day on its balance",
                display(config.credits_check_interval),
            ),
            "set it to 5m or more",
        )
    });
    let rates = [("OCEAN_RATE", config.ocean_rate), ("CLODURA_RATE", config.clodura_rate)];
    let fast = rates.into_iter().filter(|(_, rate)| rate.get() > FAST).map(|(name, rate)| {
        Check::warning(
            NAME,
            format!("{name} is {rate}: no provider is known to allow that"),
            "set it to what the plan allows",
        )
    });
    [small, canary, checks].into_iter().flatten().chain(fast).collect()
}

fn addresses(config: &Config) -> Vec<Check> {
    let (listen, admin) = (config.listen_addr, config.admin_addr);
    let same = (config.role.receives() && listen.port() != 0 && listen == admin).then(|| {
        wrong(format!("LISTEN_ADDR and ADMIN_ADDR are both {listen}"), "set two addresses")
    });
    let open = config.admin_tokens().and_then(|tokens| Access::new(admin, tokens)).err();
    let open = open.map(|why| wrong(why, "a worker would refuse to start"));
    [same, open].into_iter().flatten().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::Status;
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    fn found(arguments: &[&str]) -> Vec<(Status, String)> {
        let cli = Cli::parse_from(["worker"].iter().chain(arguments));
        check(&cli.config).into_iter().map(|check| (check.status, check.message)).collect()
    }

    #[test]
    fn the_defaults_are_plausible() {
        let found = found(&[]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, Status::Ok);
    }

    #[test]
    fn contradictions_are_wrong() {
        for arguments in [
            ["--webhook-grace=24h", "--result-deadline=24h"],
            ["--poll-interval=10ms", "--poll-interval-max=1m"],
            ["--gate-base=0s", "--gate-max=1h"],
            ["--heartbeat-timeout=500ms", "--gate-max=1h"],
            ["--listen-addr=127.0.0.1:9000", "--admin-addr=127.0.0.1:9000"],
            ["--ocean-base-url=http://api.ocean.io", "--gate-max=1h"],
            ["--admin-addr=0.0.0.0:8788", "--gate-max=1h"],
            ["--admin-token=short", "--gate-max=1h"],
        ] {
            let found = found(&arguments);
            assert_eq!(found.len(), 1, "{arguments:?}: {found:?}");
            assert_eq!(found[0].0, Status::Wrong, "{arguments:?}");
        }
    }

    #[test]
    fn what_may_be_meant_is_a_warning() {
        for argument in [
            "--unknown-grace=1h",
            "--ocean-batch-size=1",
            "--webhook-canary=0",
            "--credits-check-interval=1m",
            "--clodura-rate=1000/s",
            "--retry-max=1s",
            "--result-deadline=10m",
        ] {
            let found = found(&[argument]);
            assert_eq!(found.len(), 1, "{argument}: {found:?}");
            assert_eq!(found[0].0, Status::Warning, "{argument}");
        }
    }
}
