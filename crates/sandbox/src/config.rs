//! Every knob, with its default. The JSON has the same names; a knob that is left out keeps its default.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Provider;
pub use crate::{
    fault_config::{RequestFaults, WebhookFaults},
    provider_config::{
        CloduraConfig, LimitConfig, Locate, OceanBody, OceanConfig, OceanPlan, PendingText, Plan,
    },
};

/// About thirty years: longer waits would overflow a clock and are a mistake.
const LONGEST_MS: u64 = 1_000_000_000_000;

/// Far more sockets than any machine has.
const MOST_AT_ONCE: usize = 10_000;

/// How the sandbox behaves. Changes at run time take effect at once, except those of `listen`, `delivery.concurrency`
/// and the accounts' credits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Decides which numbers people have, and what each fault hits.
    pub seed: u64,
    /// Ocean.io
    pub ocean: OceanConfig,
    /// Clodura
    pub clodura: CloduraConfig,
    /// How webhooks are sent.
    pub delivery: DeliveryConfig,
}

/// How webhooks are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryConfig {
    /// Most attempts for one webhook.
    pub attempts: u32,
    /// The wait before the next attempt.
    pub retry_delay_ms: u64,
    /// How long an attempt may take.
    pub timeout_ms: u64,
    /// Most attempts at the same time. Fixed at the start.
    pub concurrency: usize,
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The JSON doesn't have the expected form.
    #[error("configuration: {0}")]
    Shape(#[from] serde_json::Error),
    /// A value makes no sense.
    #[error("configuration: {name}: {problem}")]
    Value {
        /// The name of the value.
        name: String,
        /// What is wrong with the value.
        problem: &'static str,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            ocean: OceanConfig::default(),
            clodura: CloduraConfig::default(),
            delivery: DeliveryConfig::default(),
        }
    }
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self { attempts: 3, retry_delay_ms: 1_000, timeout_ms: 10_000, concurrency: 64 }
    }
}

impl Config {
    /// A provider that answers at once and has no quota: for tests and measurements.
    pub fn instant() -> Self {
        let mut config = Self::default();
        config.ocean.result_delay_ms = (0, 0);
        config.clodura.result_delay_ms = (0, 0);
        config.ocean.limits.quota = 0;
        config.delivery.retry_delay_ms = 10;
        config
    }

    /// This configuration with the given parts replaced, as in `{"ocean": {"hit_rate": 1}}`.
    pub fn merged(&self, patch: &Value) -> Result<Self, ConfigError> {
        let mut whole = serde_json::to_value(self)?;
        merge(&mut whole, patch);
        let config: Self = serde_json::from_value(whole)?;
        config.check()?;
        Ok(config)
    }

    /// Refuses values that make no sense.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_values("", &serde_json::to_value(self)?)?;
        for provider in [Provider::Ocean, Provider::Clodura] {
            self.check_provider(provider)?;
        }
        let status = self.clodura.missing_field_status;
        known(
            [400, 403, 422].contains(&status),
            "clodura.missing_field_status",
            "is 400, 403 or 422",
        )?;
        let concurrency = self.delivery.concurrency;
        known(
            (1..=MOST_AT_ONCE).contains(&concurrency),
            "delivery.concurrency",
            "is from 1 to 10000",
        )?;
        known(self.delivery.attempts > 0, "delivery.attempts", "is at least 1")
    }

    fn check_provider(&self, provider: Provider) -> Result<(), ConfigError> {
        let (min, max) = self.result_delay_ms(provider);
        known(min <= max, &format!("{provider}.result_delay_ms"), "is [from, to]")?;
        let limits = self.limits(provider);
        let sane = limits.rate_per_second.is_finite() && limits.rate_per_second >= 0.0;
        known(sane, &format!("{provider}.limits.rate_per_second"), "is 0 or more")?;
        known(
            limits.quota_window_ms > 0,
            &format!("{provider}.limits.quota_window_ms"),
            "is at least 1",
        )?;
        let status = self.faults(provider).error_status;
        known(
            (400..600).contains(&status),
            &format!("{provider}.faults.error_status"),
            "is from 400 to 599",
        )
    }

    pub(crate) fn limits(&self, provider: Provider) -> &LimitConfig {
        match provider {
            Provider::Ocean => &self.ocean.limits,
            Provider::Clodura => &self.clodura.limits,
        }
    }

    pub(crate) fn faults(&self, provider: Provider) -> &RequestFaults {
        match provider {
            Provider::Ocean => &self.ocean.faults,
            Provider::Clodura => &self.clodura.faults,
        }
    }

    pub(crate) fn webhooks(&self, provider: Provider) -> &WebhookFaults {
        match provider {
            Provider::Ocean => &self.ocean.webhooks,
            Provider::Clodura => &self.clodura.webhooks,
        }
    }

    pub(crate) fn result_delay_ms(&self, provider: Provider) -> (u64, u64) {
        match provider {
            Provider::Ocean => self.ocean.result_delay_ms,
            Provider::Clodura => self.clodura.result_delay_ms,
        }
    }
}

fn merge(whole: &mut Value, patch: &Value) {
    match (whole, patch) {
        (Value::Object(whole), Value::Object(patch)) => {
            for (name, part) in patch {
                merge(whole.entry(name.clone()).or_insert(Value::Null), part);
            }
        }
        (whole, patch) => *whole = patch.clone(),
    }
}

/// Checks what a knob's name promises: `…_rate` and `…_share` are from 0 to 1, `…_ms` is a time that a clock can hold.
fn check_values(path: &str, value: &Value) -> Result<(), ConfigError> {
    match value {
        Value::Object(parts) => parts.iter().try_for_each(|(name, part)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            check_values(&path, part)
        }),
        Value::Array(items) => items.iter().try_for_each(|item| check_values(path, item)),
        _ if path.ends_with("_rate") || path.ends_with("_share") => {
            // A value that is not a number here is one that JSON can't write: infinite or NaN.
            known(
                value.as_f64().is_some_and(|rate| (0.0..=1.0).contains(&rate)),
                path,
                "is from 0 to 1",
            )
        }
        _ if path.ends_with("_ms") => known(
            value.as_u64().is_some_and(|ms| ms <= LONGEST_MS),
            path,
            "is at most 1000000000000",
        ),
        _ => Ok(()),
    }
}

fn known(good: bool, name: &str, problem: &'static str) -> Result<(), ConfigError> {
    if good {
        return Ok(());
    }
    Err(ConfigError::Value { name: name.to_owned(), problem })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_changes_what_it_names() {
        let patched = Config::default()
            .merged(&json!({"ocean": {"hit_rate": 1.0, "faults": {"slow_ms": 7}}}));
        let patched = patched.expect("valid");
        assert_eq!(patched.ocean.hit_rate, 1.0);
        assert_eq!(patched.ocean.faults.slow_ms, 7);
        assert_eq!(patched.clodura, Config::default().clodura);
    }

    #[test]
    fn rates_that_are_no_numbers_are_refused() {
        let mut config = Config::default();
        config.ocean.hit_rate = f64::NAN;
        assert!(config.check().is_err());
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (patch, name) in [
            (json!({"ocaen": {}}), "ocaen"),
            (json!({"ocean": {"hit_rate": 2}}), "ocean.hit_rate"),
            (json!({"clodura": {"result_delay_ms": [9, 1]}}), "clodura.result_delay_ms"),
            (json!({"clodura": {"webhooks": {"lost_rate": -1}}}), "clodura.webhooks.lost_rate"),
            (json!({"clodura": {"missing_field_status": 500}}), "missing_field_status"),
            (json!({"ocean": {"result_delay_ms": [0, u64::MAX]}}), "ocean.result_delay_ms"),
            (json!({"delivery": {"concurrency": 0}}), "delivery.concurrency"),
        ] {
            let error = Config::default().merged(&patch).expect_err("refused").to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
