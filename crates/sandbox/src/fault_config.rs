//! The knobs for what goes wrong. Rates are from 0 (never, the default) to 1 (always).

use serde::{Deserialize, Serialize};

use crate::endpoint::Kind;

/// What goes wrong with requests, decided by the seed and the request's place in the provider's series. At most one
/// fault hits a request, apart from `slow_rate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestFaults {
    /// Which requests are hit; requests to other endpoints are left alone and not counted.
    pub endpoints: Vec<Kind>,
    /// The answer comes late; the request is processed at once.
    pub slow_rate: f64,
    /// How late the answer comes.
    pub slow_ms: u64,
    /// The connection breaks and the request was not processed.
    pub drop_before_rate: f64,
    /// The connection breaks though the request was processed.
    pub drop_after_rate: f64,
    /// A plain `error_status`, not processed.
    pub error_before_rate: f64,
    /// A plain `error_status` though the request was processed.
    pub error_after_rate: f64,
    /// The status of both errors above: usually a 5xx or 408.
    pub error_status: u16,
    /// 503, not processed.
    pub unavailable_rate: f64,
    /// 408, not processed.
    pub request_timeout_rate: f64,
    /// 307 to `/sandbox/redirected`, which counts the clients that follow; not processed.
    pub redirect_rate: f64,
    /// 200 with a body that can't be read; processed.
    pub unreadable_rate: f64,
    /// Of every `burst_every` requests, the first `burst_length` are answered with 429; 0 is never.
    pub burst_every: u64,
    /// How many requests in a row are answered with 429.
    pub burst_length: u64,
    /// The `Retry-After` of the 429s in a burst.
    pub burst_retry_after_s: u64,
    /// Every key is refused.
    pub wrong_key: bool,
}

/// What goes wrong with webhooks. Decided by the seed and the number of the accepted request, `in_progress_rate` by the
/// person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookFaults {
    /// Never sent.
    pub lost_rate: f64,
    /// Sent twice.
    pub duplicated_rate: f64,
    /// How long after the first the second is sent.
    pub duplicate_delay_ms: u64,
    /// Sent late.
    pub late_rate: f64,
    /// How late the webhook is sent.
    pub late_ms: u64,
    /// The body is not JSON.
    pub malformed_rate: f64,
    /// The body ends in the middle.
    pub truncated_rate: f64,
    /// Held back by `out_of_order_ms`, so that results of later requests overtake it.
    pub out_of_order_rate: f64,
    /// How long the webhook is held back.
    pub out_of_order_ms: u64,
    /// Ocean's entries in reverse order.
    pub shuffled_rate: f64,
    /// Sent before the request that caused it is answered.
    pub early_rate: f64,
    /// With undocumented fields.
    pub extra_fields_rate: f64,
    /// Not quite as published, and to be read all the same: compressed, wrapped in `data` or in a list, with a
    /// byte-order mark, `NaN`, bytes that are not UTF-8, an entry that is null or broken, ids as numbers, or several
    /// numbers of a person in one text. An odd body is neither malformed nor truncated.
    pub odd_rate: f64,
    /// Each number is replaced by a text that is not a number.
    pub no_number_rate: f64,
    /// With one more person, who wasn't asked for. (In Clodura's standard shape, which has room for one person, this
    /// person's id replaces the right one.)
    pub unknown_person_rate: f64,
    /// Share of people whose Ocean entry says `inProgress`.
    pub in_progress_rate: f64,
    /// How long until a second webhook brings the rest; 0 is never.
    pub in_progress_followup_ms: u64,
}

impl Default for RequestFaults {
    fn default() -> Self {
        Self {
            endpoints: vec![Kind::Reveal],
            slow_rate: 0.0,
            slow_ms: 1_000,
            drop_before_rate: 0.0,
            drop_after_rate: 0.0,
            error_before_rate: 0.0,
            error_after_rate: 0.0,
            error_status: 500,
            unavailable_rate: 0.0,
            request_timeout_rate: 0.0,
            redirect_rate: 0.0,
            unreadable_rate: 0.0,
            burst_every: 0,
            burst_length: 1,
            burst_retry_after_s: 1,
            wrong_key: false,
        }
    }
}

impl Default for WebhookFaults {
    fn default() -> Self {
        Self {
            lost_rate: 0.0,
            duplicated_rate: 0.0,
            duplicate_delay_ms: 50,
            late_rate: 0.0,
            late_ms: 5_000,
            malformed_rate: 0.0,
            truncated_rate: 0.0,
            out_of_order_rate: 0.0,
            out_of_order_ms: 500,
            shuffled_rate: 0.0,
            early_rate: 0.0,
            extra_fields_rate: 0.0,
            odd_rate: 0.0,
            no_number_rate: 0.0,
            unknown_person_rate: 0.0,
            in_progress_rate: 0.0,
            in_progress_followup_ms: 0,
        }
    }
}
