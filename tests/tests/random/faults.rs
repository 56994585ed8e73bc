//! Faults of the providers.

use rand::RngExt;
use rand::rngs::StdRng;
use sandbox::{Endpoint, LimitConfig, RequestFaults, ScriptedResponse, WebhookFaults};
use serde_json::{Value, json};

/// Some faults of one provider or both, as a patch of the sandbox's configuration.
pub fn weather(random: &mut StdRng) -> Value {
    let mut patch = json!({});
    for provider in ["ocean", "clodura"] {
        if random.random_bool(0.7) {
            patch[provider] = of_one(random);
        }
    }
    patch
}

fn of_one(random: &mut StdRng) -> Value {
    let mut patch = json!({"faults": {}, "webhooks": {}, "limits": {}});
    for _ in 0..random.random_range(1..4) {
        let rate = [0.1, 0.3, 0.6, 1.0][random.random_range(0..4)];
        let requests = &mut patch["faults"];
        match random.random_range(0..12) {
            0 => *requests = json!({"slow_rate": rate, "slow_ms": random.random_range(200..3_000)}),
            1 => requests["drop_before_rate"] = rate.into(),
            2 => requests["drop_after_rate"] = rate.into(),
            3 => requests["error_before_rate"] = rate.into(),
            4 => requests["error_after_rate"] = rate.into(),
            5 => requests["unavailable_rate"] = rate.into(),
            6 => requests["request_timeout_rate"] = rate.into(),
            7 => requests["redirect_rate"] = (rate / 3.0).into(),
            8 => requests["unreadable_rate"] = rate.into(),
            9 => {
                requests["burst_every"] = random.random_range(2..8).into();
                requests["burst_length"] = random.random_range(1..3).into();
                requests["burst_retry_after_s"] = random.random_range(0..2).into();
            }
            10 => requests["wrong_key"] = true.into(),
            _ => {
                patch["limits"] =
                    json!({"quota": random.random_range(1..6), "quota_window_ms": 1_500})
            }
        }
    }
    let requests = &mut patch["faults"];
    // 503 says that nothing was accepted, which is wrong for 'error after'; the other statuses leave it open.
    requests["error_status"] =
        [500, 502, 504, 408, 520, 522, 524][random.random_range(0..7)].into();
    let endpoints =
        [json!(["reveal"]), json!(["reveal", "track"]), json!(["reveal", "track", "balance"])];
    requests["endpoints"] = endpoints[random.random_range(0..3)].clone();
    for _ in 0..random.random_range(0..3) {
        spoil_webhooks(random, &mut patch["webhooks"]);
    }
    patch
}

fn spoil_webhooks(random: &mut StdRng, webhooks: &mut Value) {
    let names = [
        "lost",
        "duplicated",
        "late",
        "malformed",
        "truncated",
        "out_of_order",
        "shuffled",
        "early",
        "extra_fields",
        "odd",
        "unknown_person",
        "in_progress",
    ];
    let name = names[random.random_range(0..names.len())];
    webhooks[format!("{name}_rate")] = [0.1, 0.3, 0.6, 1.0][random.random_range(0..4)].into();
    webhooks["late_ms"] = random.random_range(200..4_000).into();
    webhooks["in_progress_followup_ms"] = [0, 300, 1_500][random.random_range(0..3)].into();
}

/// A patch that switches all faults off.
pub fn calm() -> Value {
    let value = |part| serde_json::to_value(part).expect("it is plain data");
    let mut patch = json!({});
    for provider in ["ocean", "clodura"] {
        patch[provider]["faults"] = serde_json::to_value(RequestFaults::default()).expect("data");
        patch[provider]["webhooks"] = serde_json::to_value(WebhookFaults::default()).expect("data");
        patch[provider]["limits"] = value(LimitConfig::default());
    }
    patch
}

/// An amount of credits to add or, if negative, to take away.
pub fn credits(random: &mut StdRng) -> i64 {
    [5, 30, 1_000_000, -1_000_000, -999_995, -20_000_000][random.random_range(0..6)]
}

/// An answer that is no acceptance, or one that hides an acceptance.
pub fn answer(random: &mut StdRng) -> (Endpoint, ScriptedResponse) {
    let endpoint = [Endpoint::OceanReveal, Endpoint::CloduraReveal][random.random_range(0..2)];
    let page = "<html><body>Just a moment...</body></html>";
    let pending = "Credits might be insufficient because of pending phone verifications. Please try again later.";
    let all = [
        (402, json!({"detail": pending}), None),
        (
            402,
            json!({"detail": "Insufficient phone credits", "message": "Credits exhausted"}),
            None,
        ),
        (402, json!({"detail": "Monthly spending limit reached"}), None),
        (422, json!({"detail": [{"msg": "Value error", "type": "value_error"}]}), None),
        (429, json!({"detail": "Too many requests"}), Some("0")),
        (429, json!({"detail": "Too many requests"}), Some("0.5")),
        (429, json!({"detail": "Too many requests"}), Some("soon")),
        (429, json!({"detail": "Too many requests"}), Some("Wed, 21 Oct 2015 07:28:00 GMT")),
        (403, json!(page), None),
        (503, json!(page), Some("1")),
        (521, json!(page), None),
        (524, json!(page), None),
        (200, json!(page), None),
        (200, json!({"error": "internal"}), None),
    ];
    let (status, body, retry_after) = all[random.random_range(0..all.len())].clone();
    let mut response = ScriptedResponse::new(status, body);
    if let Some(value) = retry_after {
        response.headers.insert("retry-after".into(), value.into());
    }
    // These statuses leave open whether the order was accepted, so half of the orders are.
    response.accept = matches!(status, 200 | 524) && random.random_bool(0.5);
    response.delay_ms = [0, 0, 0, 300, 2_500][random.random_range(0..5)];
    response.times = random.random_range(1..4);
    (endpoint, response)
}
