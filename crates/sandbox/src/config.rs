//! Every knob, with its default. The JSON has the same names; what is left out keeps its default.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Provider;
pub use crate::fault_config::{RequestFaults, WebhookFaults};

/// How the sandbox behaves. All of it but `listen`, `delivery.concurrency` and the accounts' credits takes effect at
/// once when it is changed at run time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Decides who has which numbers and whom each fault hits.
    pub seed: u64,
    /// Ocean.io
    pub ocean: OceanConfig,
    /// Clodura
    pub clodura: CloduraConfig,
    /// How webhooks are sent.
    pub delivery: DeliveryConfig,
}

/// Ocean.io's side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OceanConfig {
    /// Share of people who have a number.
    pub hit_rate: f64,
    /// Share of those who have two or three.
    pub several_rate: f64,
    /// The accepted tokens; with none listed, any will do.
    pub keys: Vec<String>,
    /// Bought credits at the start.
    pub one_time: i64,
    /// Credits of the subscription at the start, used up first.
    pub recurrent: i64,
    /// Whether asking for somebody again is charged again.
    pub charge_repeats: bool,
    /// How long a result takes, from and to.
    pub result_delay_ms: (u64, u64),
    /// Most people in one request.
    pub max_people: usize,
    /// How precisely a 422 says which id it refuses.
    pub locate: Locate,
    /// Which of the two documented texts a 402 for pending credits has.
    pub pending_text: PendingText,
    /// Rate and quota.
    pub limits: LimitConfig,
    /// What goes wrong with requests.
    pub faults: RequestFaults,
    /// What goes wrong with webhooks.
    pub webhooks: WebhookFaults,
}

/// Clodura's side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CloduraConfig {
    /// Share of people for whom Clodura or a partner has a number.
    pub hit_rate: f64,
    /// Share of those who have two or three.
    pub several_rate: f64,
    /// Share of those whom Clodura's own database has; the others are found only with partners.
    pub own_share: f64,
    /// The accepted keys; with none listed, any will do.
    pub keys: Vec<String>,
    /// Decides what is paid with and which shape results have.
    pub plan: Plan,
    /// Credits at the start (`payg`).
    pub remaining_credits: i64,
    /// Direct dials of the plan (`prospect`).
    pub max_direct_dials: i64,
    /// Exports of the plan (`prospect`); each number found uses one of both.
    pub max_contacts: i64,
    /// Whether the balance writes its maxima as text.
    pub numbers_as_text: bool,
    /// Whether asking for somebody again is charged again.
    pub charge_repeats: bool,
    /// How long a result takes, from and to.
    pub result_delay_ms: (u64, u64),
    /// For how long after acceptance tracking answers 404.
    pub track_unknown_ms: u64,
    /// How long after acceptance tracking answers 404 again; 0 is never.
    pub track_forgets_ms: u64,
    /// Whether tracking answers 404 for a finished person without a number.
    pub track_not_found_404: bool,
    /// Share of the people without a number who are answered with 404 at once instead of by a result.
    pub not_found_404_rate: f64,
    /// Share of people for whom the partners can't be asked for want of credits, whatever the account holds (`payg`).
    pub insufficient_rate: f64,
    /// Share of the people found by a partner whose partner has a name that is in no documentation (`payg`).
    pub unknown_partner_rate: f64,
    /// The status for a missing `personId`, `linkedinUrl` or `webhookUrl`: 400, 403 or 422.
    pub missing_field_status: u16,
    /// Whether the plan doesn't include the endpoint: every request is answered with 403.
    pub plan_forbids: bool,
    /// Rate and quota.
    pub limits: LimitConfig,
    /// What goes wrong with requests.
    pub faults: RequestFaults,
    /// What goes wrong with webhooks.
    pub webhooks: WebhookFaults,
}

/// How many requests a provider takes. Refused ones count for nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitConfig {
    /// Requests a second; 0 is no limit.
    pub rate_per_second: f64,
    /// How many may come at once after a pause.
    pub burst: u32,
    /// Requests in each quota window; 0 is no limit.
    pub quota: u64,
    /// How long the quota's window is.
    pub quota_window_ms: u64,
    /// Whether a 429 says when to come back.
    pub send_retry_after: bool,
    /// Requests that come so soon after the first 429 had already left the client: they aren't counted as disobedience.
    pub retry_after_tolerance_ms: u64,
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

/// What `loc` of a 422 names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Locate {
    /// `["body", "personIds", 3]`
    Element,
    /// `["body", "personIds"]`
    Field,
    /// There is no `loc`.
    Absent,
}

/// The two texts of Ocean's 402 for credits that are reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PendingText {
    /// The one of the reveal endpoint.
    MightBeInsufficient,
    /// The one listed beside the balance.
    MightUseAll,
}

/// Clodura's two kinds of plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// Prospect and Prospect Pro: direct dials, results in the standard shape.
    Prospect,
    /// Free Forever, Max and PAYG: 10–20 credits a find, results in the multi-provider shape.
    Payg,
}

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It isn't of the expected form.
    #[error("configuration: {0}")]
    Shape(#[from] serde_json::Error),
    /// A value makes no sense.
    #[error("configuration: {name}: {problem}")]
    Value {
        /// Which one.
        name: String,
        /// What is wrong with it.
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

impl Default for OceanConfig {
    fn default() -> Self {
        Self {
            hit_rate: 0.6,
            several_rate: 0.15,
            keys: Vec::new(),
            one_time: 100_000,
            recurrent: 900_000,
            charge_repeats: true,
            result_delay_ms: (100, 1_000),
            max_people: 500,
            locate: Locate::Element,
            pending_text: PendingText::MightBeInsufficient,
            limits: LimitConfig { quota: 1_000, ..LimitConfig::default() },
            faults: RequestFaults::default(),
            webhooks: WebhookFaults::default(),
        }
    }
}

impl Default for CloduraConfig {
    fn default() -> Self {
        Self {
            hit_rate: 0.5,
            several_rate: 0.1,
            own_share: 0.5,
            keys: Vec::new(),
            plan: Plan::Payg,
            remaining_credits: 10_000_000,
            max_direct_dials: 1_000_000,
            max_contacts: 1_000_000,
            numbers_as_text: true,
            charge_repeats: true,
            result_delay_ms: (100, 1_000),
            track_unknown_ms: 0,
            track_forgets_ms: 0,
            track_not_found_404: false,
            not_found_404_rate: 0.0,
            insufficient_rate: 0.0,
            unknown_partner_rate: 0.0,
            missing_field_status: 422,
            plan_forbids: false,
            limits: LimitConfig::default(),
            faults: RequestFaults::default(),
            webhooks: WebhookFaults::default(),
        }
    }
}

impl Default for LimitConfig {
    fn default() -> Self {
        Self {
            rate_per_second: 0.0,
            burst: 1,
            quota: 0,
            quota_window_ms: 24 * 60 * 60 * 1_000,
            send_retry_after: true,
            retry_after_tolerance_ms: 250,
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
        let (ocean, clodura) = (&self.ocean, &self.clodura);
        rate("ocean.hit_rate", ocean.hit_rate)?;
        rate("ocean.several_rate", ocean.several_rate)?;
        for (name, value) in [
            ("hit_rate", clodura.hit_rate),
            ("several_rate", clodura.several_rate),
            ("own_share", clodura.own_share),
            ("not_found_404_rate", clodura.not_found_404_rate),
            ("insufficient_rate", clodura.insufficient_rate),
            ("unknown_partner_rate", clodura.unknown_partner_rate),
        ] {
            rate(&format!("clodura.{name}"), value)?;
        }
        for provider in [Provider::Ocean, Provider::Clodura] {
            self.check_provider(provider)?;
        }
        let statuses = [400, 403, 422];
        known(
            statuses.contains(&clodura.missing_field_status),
            "clodura.missing_field_status",
            "is 400, 403 or 422",
        )?;
        known(self.delivery.concurrency > 0, "delivery.concurrency", "is at least 1")?;
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
        let rates =
            self.faults(provider).rates().into_iter().map(|(name, value)| ("faults", name, value));
        let webhooks = self
            .webhooks(provider)
            .rates()
            .into_iter()
            .map(|(name, value)| ("webhooks", name, value));
        for (part, name, value) in rates.chain(webhooks) {
            rate(&format!("{provider}.{part}.{name}"), value)?;
        }
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

fn rate(name: &str, value: f64) -> Result<(), ConfigError> {
    known((0.0..=1.0).contains(&value), name, "is from 0 to 1")
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
    fn nonsense_is_refused_by_name() {
        for (patch, name) in [
            (json!({"ocaen": {}}), "ocaen"),
            (json!({"ocean": {"hit_rate": 2}}), "ocean.hit_rate"),
            (json!({"clodura": {"result_delay_ms": [9, 1]}}), "clodura.result_delay_ms"),
            (json!({"clodura": {"webhooks": {"lost_rate": -1}}}), "clodura.webhooks.lost_rate"),
            (json!({"clodura": {"missing_field_status": 500}}), "missing_field_status"),
        ] {
            let error = Config::default().merged(&patch).expect_err("refused").to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
