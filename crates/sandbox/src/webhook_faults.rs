//! From a result to the webhooks that carry it, and what goes wrong with them on the way.

use std::{sync::Arc, time::Duration};

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::{
    Provider,
    chance::Chance,
    config::{Config, WebhookFaults},
    odd::{self, people},
    queue::{Delivery, Work},
    sandbox_state::SandboxState,
};

/// Names a result, and so decides which faults it has.
pub(crate) struct Label {
    pub(crate) provider: Provider,
    /// The number of the accepted request.
    pub(crate) n: u64,
    pub(crate) url: Arc<str>,
    /// Set if the answer waits for the webhook to be out.
    pub(crate) early: Option<oneshot::Sender<()>>,
}

/// Whether the webhook of the n-th accepted request has to come before the answer.
pub(crate) fn comes_early(config: &Config, provider: Provider, n: u64) -> bool {
    ask(config, provider, n, "webhook early").hits(config.webhooks(provider).early_rate)
}

/// Sends a result: never, once or twice, now or later, whole or spoilt.
pub(crate) fn send(state: &SandboxState, config: &Config, label: Label, mut body: Value) {
    let Label { provider, n, url, early } = label;
    let faults = config.webhooks(provider);
    let hits = |question, rate| ask(config, provider, n, question).hits(rate);
    if hits("webhook lost", faults.lost_rate) {
        state.audit().webhooks(provider).lost += 1;
        return;
    }
    if hits("webhook shuffled", faults.shuffled_rate) {
        reverse_entries(&mut body);
    }
    // This label keeps its old word, because another one would give a seed other faults.
    if hits("webhook stranger", faults.unknown_person_rate) {
        add_unknown_person(&mut body, n);
    }
    if hits("webhook extra", faults.extra_fields_rate) {
        add_fields(&mut body);
    }
    if hits("webhook without numbers", faults.no_number_rate) {
        odd::without_numbers(&mut body);
    }
    let body = if hits("webhook odd", faults.odd_rate) {
        odd::written(ask(config, provider, n, "webhook oddity"), body)
    } else {
        written(&body, &hits, faults)
    };
    let delay = if early.is_some() { Duration::ZERO } else { delay(&hits, faults) };
    let copies = 1 + u64::from(hits("webhook duplicated", faults.duplicated_rate));
    state.audit().webhooks(provider).made += copies;
    if copies == 2 {
        let delivery = Delivery {
            provider,
            url: Arc::clone(&url),
            body: body.clone(),
            attempt: 1,
            early: None,
        };
        state
            .queue
            .push(delay + Duration::from_millis(faults.duplicate_delay_ms), Work::Send(delivery));
    }
    state.queue.push(delay, Work::Send(Delivery { provider, url, body, attempt: 1, early }));
}

fn ask(config: &Config, provider: Provider, n: u64, question: &str) -> Chance {
    Chance::new(config.seed, question).of(provider.name()).nth(n)
}

fn delay(hits: &impl Fn(&'static str, f64) -> bool, faults: &WebhookFaults) -> Duration {
    let late = u64::from(hits("webhook late", faults.late_rate)) * faults.late_ms;
    let behind =
        u64::from(hits("webhook out of order", faults.out_of_order_rate)) * faults.out_of_order_ms;
    Duration::from_millis(late + behind)
}

fn written(
    body: &Value,
    hits: &impl Fn(&'static str, f64) -> bool,
    faults: &WebhookFaults,
) -> Bytes {
    let text = body.to_string();
    if hits("webhook malformed", faults.malformed_rate) {
        return format!("{{'webhook': {text}").into();
    }
    if hits("webhook truncated", faults.truncated_rate) {
        let bytes = text.into_bytes();
        return Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
    }
    text.into()
}

fn reverse_entries(body: &mut Value) {
    if let Some(people) = people(body) {
        people.reverse();
    }
}

fn add_unknown_person(body: &mut Value, n: u64) {
    let id = format!("unknown-{n}");
    if let Some(people) = people(body) {
        let mut unknown = people.first().cloned().unwrap_or_else(|| json!({}));
        unknown["personId"] = id.into();
        people.insert(0, unknown);
    } else {
        body["personId"] = id.into();
    }
}

fn add_fields(body: &mut Value) {
    body["apiVersion"] = json!("2031-01");
    body["meta"] = json!({"took": [1, 2.5, null], "nested": {"phones": "none"}});
    if let Some(person) = people(body).and_then(|people| people.first_mut()) {
        person["confidence"] = json!(0.98);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_people_and_fields_fit_every_shape() {
        for mut body in [
            json!({"phones": [{"personId": "p1"}]}),
            json!({"people": [{"personId": "p1"}], "trackingId": "t"}),
            json!({"personId": "p1", "phoneNumbers": []}),
        ] {
            add_fields(&mut body);
            add_unknown_person(&mut body, 3);
            let text = body.to_string();
            assert!(text.contains("unknown-3") && text.contains("apiVersion"), "{text}");
        }
    }
}
