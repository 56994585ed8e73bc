//! The knobs of the two providers.

use serde::{Deserialize, Serialize};

use crate::fault_config::{RequestFaults, WebhookFaults};

/// The knobs of Ocean.io.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OceanConfig {
    /// Share of people who have a number.
    pub hit_rate: f64,
    /// Share of the people with a number who have two or three.
    pub several_rate: f64,
    /// Share of LinkedIn handles that a lookup matches. Handles with a marker always match; handles that begin with
    /// `unlisted-` never do.
    pub match_rate: f64,
    /// The accepted tokens; with none listed, any will do.
    pub keys: Vec<String>,
    /// Which pool pays, and how much for a number.
    pub plan: OceanPlan,
    /// Which of the two published bodies a webhook has.
    pub body: OceanBody,
    /// Whether a webhook says what it was charged (`creditsUsed`).
    pub reports_credits_used: bool,
    /// Bought credits at the start.
    pub one_time: i64,
    /// Credits of the subscription at the start, used up first.
    pub recurrent: i64,
    /// Whether asking for a person again is charged again.
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

/// The knobs of Clodura.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CloduraConfig {
    /// Share of people who have a number at Clodura or a partner.
    pub hit_rate: f64,
    /// Share of the people with a number who have two or three.
    pub several_rate: f64,
    /// Share of the people with a number who are in Clodura's own database; the rest are found only with partners.
    pub own_share: f64,
    /// The accepted keys; with none listed, any will do.
    pub keys: Vec<String>,
    /// Decides the currency and the shape of results.
    pub plan: Plan,
    /// Credits at the start (`payg`).
    pub remaining_credits: i64,
    /// Direct dials of the plan (`prospect`).
    pub max_direct_dials: i64,
    /// Exports of the plan (`prospect`); each person found uses one direct dial and one export.
    pub max_contacts: i64,
    /// Whether the balance writes its maxima as text.
    pub numbers_as_text: bool,
    /// Whether asking for a person again is charged again.
    pub charge_repeats: bool,
    /// How long a result takes, from and to.
    pub result_delay_ms: (u64, u64),
    /// For how long after acceptance tracking answers 404.
    pub track_unknown_ms: u64,
    /// How long after acceptance tracking answers 404 again; 0 is never.
    pub track_forgets_ms: u64,
    /// Whether tracking answers 404 for a finished person without a number.
    pub track_not_found_404: bool,
    /// Share of the people without a number who are answered with 404 at once instead of with a result.
    pub not_found_404_rate: f64,
    /// Share of people whose search ends for want of credits before any source is asked, whatever the account holds
    /// (`payg`).
    pub insufficient_rate: f64,
    /// Share of the people found by a partner whose partner has an undocumented name (`payg`).
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

/// How many requests a provider accepts. Refused requests don't count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitConfig {
    /// Requests a second; 0 is no limit.
    pub rate_per_second: f64,
    /// How many requests may come at once after a pause.
    pub burst: u32,
    /// Requests in each quota window; 0 is no limit.
    pub quota: u64,
    /// How long the quota's window is.
    pub quota_window_ms: u64,
    /// Whether a 429 says when to come back.
    pub send_retry_after: bool,
    /// Requests that come this soon after the first 429 had already left the client, and don't count as disobedience.
    pub retry_after_tolerance_ms: u64,
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
    /// The text of the reveal endpoint.
    MightBeInsufficient,
    /// The text that is listed with the balance.
    MightUseAll,
}

/// Ocean's two kinds of plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OceanPlan {
    /// A pool of phone credits, 1 for each number.
    Legacy,
    /// One pool of credits, 10 for each number.
    Unified,
}

impl OceanPlan {
    /// The price of a number.
    pub(crate) fn price(self) -> i64 {
        match self {
            OceanPlan::Legacy => 1,
            OceanPlan::Unified => 10,
        }
    }
}

/// The two bodies that Ocean's documentation shows for a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OceanBody {
    /// `{"phones": [{"personId", "status", "numbers"}]}`
    Phones,
    /// `{"results": [{"personId", "phone": {"status", "numbers"}}]}`
    Results,
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

impl Default for OceanConfig {
    fn default() -> Self {
        Self {
            hit_rate: 0.6,
            several_rate: 0.15,
            match_rate: 0.8,
            keys: Vec::new(),
            plan: OceanPlan::Legacy,
            body: OceanBody::Phones,
            reports_credits_used: true,
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
