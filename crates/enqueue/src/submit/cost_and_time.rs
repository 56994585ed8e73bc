//! What people may cost and how fast they are asked: a worker's settings, from which a submit estimates cost and time.

use std::num::NonZero;

use clap::Args;
use jobs::{OceanPlan, PerPerson, Provider, Rate};

/// The heading of these options in the help.
pub const COST: &str = "Cost and time";

/// How fast people are asked, for the time that a submit names.
#[derive(Debug, Clone, Args)]
pub struct Pace {
    /// The worker's highest rate of requests to Ocean. A rate that a worker reported counts instead
    #[arg(help_heading = COST, long, env = "OCEAN_RATE", default_value = "60/m", value_name = "RATE")]
    ocean_rate: Rate,

    /// The worker's highest rate of requests to Clodura. A rate that a worker reported counts instead
    #[arg(help_heading = COST, long, env = "CLODURA_RATE", default_value = "5/s", value_name = "RATE")]
    clodura_rate: Rate,

    /// The worker's limit of people in one request to Ocean
    #[arg(help_heading = COST, long, env = "OCEAN_BATCH_SIZE", default_value = "500", value_name = "N")]
    ocean_batch_size: NonZero<u16>,
}

impl Pace {
    /// Requests a second, by the settings.
    pub fn rate(&self, provider: Provider) -> f64 {
        match provider {
            Provider::Ocean => self.ocean_rate.get(),
            Provider::Clodura => self.clodura_rate.get(),
        }
    }

    /// People in one request.
    pub fn people_per_request(&self, provider: Provider) -> NonZero<i64> {
        match provider {
            Provider::Ocean => NonZero::from(self.ocean_batch_size),
            Provider::Clodura => NonZero::from(NonZero::<u16>::MIN),
        }
    }
}

/// What people may cost, as the worker reserves it.
#[derive(Debug, Clone, Args)]
pub struct Prices {
    /// The worker's setting of Ocean's plan: auto (the last balance shows it), legacy or unified
    #[arg(help_heading = COST, long, env = "OCEAN_PLAN", default_value = "auto", value_name = "PLAN")]
    ocean_plan: OceanPlan,

    /// Credits that a person may cost at Ocean. auto: the plan's price of a number, times the most
    /// numbers that one person had so far, but at least 3
    #[arg(long, env = "OCEAN_CREDITS_PER_PERSON", default_value = "auto")]
    #[arg(help_heading = COST, value_name = "CREDITS")]
    ocean_credits_per_person: PerPerson,

    /// Credits that a person may cost at Clodura. auto: 1 if the balance shows direct dials,
    /// otherwise 20
    #[arg(long, env = "CLODURA_CREDITS_PER_PERSON", default_value = "auto")]
    #[arg(help_heading = COST, value_name = "CREDITS")]
    clodura_credits_per_person: PerPerson,
}

impl Prices {
    /// The price at a provider.
    pub fn of(&self, provider: Provider) -> PerPerson {
        match provider {
            Provider::Ocean => self.ocean_plan.per_person(self.ocean_credits_per_person),
            Provider::Clodura => self.clodura_credits_per_person,
        }
    }
}
