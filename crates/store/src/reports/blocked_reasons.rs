//! Why a provider's people are not being asked, in words for the status.

use std::fmt;

use db::{Conn, record};
use jobs::duration::display;
use jobs::{Credits, GateReason, GateState, OffReason, Provider, Timestamp};

use crate::decode::parse_provider;
use crate::error::Result;
use crate::gates::gate::{Gate, GateRow, gate_columns};

record! {
    struct Read {
        provider: String,
        message: Option<String>,
        shown_as: Option<String>,
        gate: GateRow,
    }
}

/// A gate as it is shown.
pub(crate) struct ShownGate {
    pub(crate) provider: Provider,
    pub(crate) gate: Gate,
    /// What the views show of rows in its queue instead of `queued`: `held` or `retrying`.
    pub(crate) shown_as: Option<String>,
    /// The provider's own words on why it is closed.
    message: Option<String>,
}

/// Why something waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The cause, and when it ends.
    pub text: String,
    /// The command that ends the waiting, as it follows the text. The dashboard has buttons in place of the command.
    command: String,
}

impl Why {
    pub(crate) fn new(text: String) -> Self {
        Why { text, command: String::new() }
    }

    fn or_command(text: String, command: String) -> Self {
        Why { text, command }
    }

    /// Puts other words before the text.
    pub(crate) fn behind(self, before: &str) -> Self {
        Why { text: format!("{before}{}", self.text), ..self }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, self.command)
    }
}

/// Reads every provider's gate without locking it.
pub(crate) async fn read_gates(conn: &mut Conn) -> Result<Vec<ShownGate>> {
    let found: Vec<Read> = conn.fetch_all(
        concat!(
            "SELECT provider, message, ",
            gate_columns!(),
            ", (SELECT h.shown_as FROM provider_holds h WHERE h.provider = provider_gates.provider) AS shown_as
             FROM provider_gates ORDER BY provider DESC"
        ),
        &[],
    )
    .await?;
    found
        .into_iter()
        .map(|Read { provider, message, shown_as, gate }| {
            let provider = parse_provider(&provider, 0)?;
            Ok(ShownGate { provider, gate: Gate::of(gate, provider)?, shown_as, message })
        })
        .collect()
}

/// Why a gate is shut that waiting alone won't open, and what to do about it.
pub(crate) fn needs_operator(shown: &ShownGate) -> Option<Why> {
    let (provider, gate) = (shown.provider, &shown.gate);
    let closed_for = gate.breaker.reason.filter(|_| gate.breaker.state == GateState::Closed);
    match (gate.off_reason, closed_for) {
        (Some(OffReason::NoKey), _) => Some(Why::new(format!(
            "no worker has a key for it; set {} and restart worker",
            key_name(provider)
        ))),
        (Some(OffReason::NoWebhookUrl), _) => Some(Why::new(
            "no worker can be reached by its webhooks; set WEBHOOK_PUBLIC_URL and restart worker"
                .to_owned(),
        )),
        _ if gate.breaker.paused => {
            Some(Why::or_command("paused".to_owned(), format!("; enqueue resume {provider}")))
        }
        (_, Some(GateReason::Misconfigured)) => Some(Why::or_command(
            format!("misconfigured{}; fix it and restart worker", said(shown)),
            format!(", or: enqueue resume {provider}"),
        )),
        (_, Some(GateReason::CreditsInsufficient)) => Some(Why::new(
            "the account has too few credits; it goes on by itself once there are more".to_owned(),
        )),
        _ => None,
    }
}

/// Why a gate is shut just now, whether or not waiting will open it.
pub(crate) fn shut_by(shown: &ShownGate, now: Timestamp) -> Option<Why> {
    let gate = &shown.gate;
    if let Some(text) = needs_operator(shown) {
        return Some(text);
    }
    if gate.breaker.state == GateState::Open {
        return None;
    }
    let reason = gate.breaker.reason.map_or("closed", GateReason::as_str).replace('_', " ");
    let next = match gate.breaker.until {
        _ if gate.breaker.state == GateState::Probing && gate.breaker.probe_out => {
            "one request is out to see whether it may go on".to_owned()
        }
        _ if gate.breaker.state == GateState::Probing => "one request is tried at once".to_owned(),
        Some(until) if until > now => format!("next try in {}", display(until.since(now))),
        _ => "next try at once".to_owned(),
    };
    Some(Why::new(format!("{reason}{}; {next}", said(shown))))
}

/// The provider's own words, where they are kept.
fn said(shown: &ShownGate) -> String {
    shown.message.as_deref().map(|message| format!(" ({message})")).unwrap_or_default()
}

fn key_name(provider: Provider) -> &'static str {
    match provider {
        Provider::Ocean => "OCEAN_API_TOKEN",
        Provider::Clodura => "CLODURA_API_KEY",
    }
}

/// A batch that reached its ceiling, and how to raise it.
pub(crate) fn ceiling(provider: Provider, batch: &str, max_credits: Option<Credits>) -> Why {
    let max = max_credits.unwrap_or_default().counted();
    Why::or_command(
        format!("its ceiling of {max} is reached"),
        format!("; enqueue resume --batch {batch} --max-credits {provider}=N"),
    )
}

/// `1 row`, `1,286 rows`.
pub(crate) fn count(n: i64, what: &str) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::from(if n < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let plural = if n == 1 { "" } else { "s" };
    format!("{text} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use crate::reports::blocked_reasons::count;

    #[test]
    fn counts_read_like_prose() {
        assert_eq!(count(1, "row"), "1 row");
        assert_eq!(count(0, "row"), "0 rows");
        assert_eq!(count(999, "row"), "999 rows");
        assert_eq!(count(1_234_567, "credit"), "1,234,567 credits");
        assert_eq!(count(-1_000, "row"), "-1,000 rows");
    }
}
