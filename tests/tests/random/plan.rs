//! The plan of a story. It follows from the seed alone, so that the seed repeats it.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sandbox::{Config, OceanBody, OceanPlan, Plan as Tariff};

use crate::operation::{Operation, Writer};
use crate::people::Pool;

/// What may happen in a story besides submits and workers. Features that allow a second charge
/// are rare, so that most stories allow one charge per person.
#[derive(Debug, Clone, Copy, Default)]
pub struct Features {
    /// Rows whose identifiers belong to different people.
    pub conflicts: bool,
    /// `--refresh-after`
    pub refreshes: bool,
    /// `retry --pay-again`
    pub pay_again: bool,
    /// `erase`
    pub erasures: bool,
    /// `purge`
    pub purges: bool,
    /// `UNKNOWN_GRACE`
    pub grace: bool,
    /// `--max-credits`
    pub ceilings: bool,
    /// A provider twice among `--providers`.
    pub twice: bool,
    /// Two submits at the same time, and submits that are killed.
    pub overlaps: bool,
    /// Workers that are stopped by SIGSTOP for a while.
    pub freezes: bool,
    /// Faults of the providers.
    pub faults: bool,
}

/// One story.
#[derive(Debug)]
pub struct Plan {
    /// The seed of the story.
    pub seed: u64,
    /// The features that may occur in it.
    pub features: Features,
    /// The sandbox's configuration at the start and at the end.
    pub config: Config,
    /// Settings of every process.
    pub settings: Vec<(&'static str, String)>,
    /// The operations, in order.
    pub operations: Vec<Operation>,
}

impl Plan {
    /// The story of `seed`, without the features that `RANDOM_WITHOUT` names.
    pub fn new(seed: u64) -> Plan {
        let mut random = StdRng::seed_from_u64(seed);
        let features = Features::choose(&mut random).without(&left_out());
        let config = providers(&mut random, seed);
        let settings = settings(&mut random, features);
        let pool = Pool::new(&mut random, &config, features);
        let mut writer = Writer::new(features, &pool);
        let most = number("RANDOM_OPERATIONS").unwrap_or(u64::MAX) as usize;
        let count = random.random_range(15..50).min(most);
        let operations = (0..count).map(|_| writer.next(&mut random)).collect();
        Plan { seed, features, config, settings, operations }
    }
}

impl Features {
    fn choose(random: &mut StdRng) -> Features {
        Features {
            conflicts: random.random_bool(0.4),
            refreshes: random.random_bool(0.3),
            pay_again: random.random_bool(0.3),
            erasures: random.random_bool(0.2),
            purges: random.random_bool(0.2),
            grace: random.random_bool(0.15),
            ceilings: random.random_bool(0.5),
            twice: random.random_bool(0.3),
            overlaps: random.random_bool(0.7),
            freezes: random.random_bool(0.4),
            faults: random.random_bool(0.85),
        }
    }

    fn without(mut self, names: &[String]) -> Features {
        for name in names {
            *match name.as_str() {
                "conflicts" => &mut self.conflicts,
                "refreshes" => &mut self.refreshes,
                "pay_again" => &mut self.pay_again,
                "erasures" => &mut self.erasures,
                "purges" => &mut self.purges,
                "grace" => &mut self.grace,
                "ceilings" => &mut self.ceilings,
                "twice" => &mut self.twice,
                "overlaps" => &mut self.overlaps,
                "freezes" => &mut self.freezes,
                "faults" => &mut self.faults,
                other => panic!("RANDOM_WITHOUT names {other:?}, which is no feature"),
            } = false;
        }
        self
    }
}

fn left_out() -> Vec<String> {
    let names = std::env::var("RANDOM_WITHOUT").unwrap_or_else(|_| NOT_YET.to_owned());
    names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Features that are known to fail. They are left out if `RANDOM_WITHOUT` is not set.
const NOT_YET: &str = "";

/// A number from the environment.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number"))
    })
}

fn providers(random: &mut StdRng, seed: u64) -> Config {
    let mut config = Config::instant();
    config.seed = seed;
    config.ocean.result_delay_ms = (0, random.random_range(0..400));
    config.clodura.result_delay_ms = (0, random.random_range(0..400));
    config.ocean.several_rate = 0.4;
    config.ocean.plan = [OceanPlan::Legacy, OceanPlan::Unified][random.random_range(0..2)];
    config.ocean.body = [OceanBody::Phones, OceanBody::Results][random.random_range(0..2)];
    config.ocean.reports_credits_used = random.random_bool(0.7);
    config.clodura.not_found_404_rate = [0.0, 0.5][random.random_range(0..2)];
    config.clodura.plan = [Tariff::Payg, Tariff::Prospect][random.random_range(0..2)];
    // Retries last longer than a story without a worker. An unreadable body is refused each time, and given up in the end.
    config.delivery.attempts = 300;
    config.delivery.retry_delay_ms = 100;
    config.delivery.timeout_ms = 1_000;
    config
}

/// Settings with short waits, so that a story takes seconds.
fn settings(random: &mut StdRng, features: Features) -> Vec<(&'static str, String)> {
    let mut pick = |choices: &[&str]| choices[random.random_range(0..choices.len())].to_owned();
    vec![
        ("OCEAN_BATCH_SIZE", pick(&["1", "3", "10", "500"])),
        ("RESULT_DEADLINE", pick(&["2s", "3s", "5s"])),
        ("WEBHOOK_GRACE", pick(&["100ms", "400ms", "1s"])),
        ("WEBHOOK_CANARY", pick(&["0", "0", "2"])),
        ("POLL_INTERVAL", "100ms".into()),
        ("POLL_INTERVAL_MAX", "500ms".into()),
        ("MAX_ATTEMPTS", pick(&["3", "8", "1000"])),
        ("CREDITS_CHECK_INTERVAL", "100ms".into()),
        ("GATE_BASE", "50ms".into()),
        ("GATE_MAX", "500ms".into()),
        ("HEARTBEAT_TIMEOUT", "1s".into()),
        ("REQUEST_TIMEOUT", pick(&["1s", "2s"])),
        ("SHUTDOWN_TIMEOUT", "3s".into()),
        ("UNKNOWN_GRACE", if features.grace { pick(&["500ms", "1s"]) } else { "never".into() }),
    ]
}
