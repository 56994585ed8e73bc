use std::future::Future;

use jobs::outcome::{LookupOutcome, Refusal, RevealOutcome};
use jobs::verdict::on_refusal;
use store::{Answer, StoreError};

use crate::app::App;
use crate::metrics::Kind;

/// The reason given for a call of which nothing left.
const NOT_SENT: &str = "not sent within 5 s";

/// The outcome of a call, whatever it asked for.
pub trait Outcome: Clone + Send {
    /// What the call asked for.
    const KIND: Kind;

    /// The outcome of a request that left and whose fate is not known.
    fn unknown(why: String) -> Self;

    /// Whether the provider did what the call asked for.
    fn went_well(&self) -> bool;

    /// One word for logs.
    fn label(&self) -> &'static str;

    /// Writes the outcome down in the ledger.
    fn record(
        self,
        app: &App,
        answer: Answer,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl Outcome for RevealOutcome {
    const KIND: Kind = Kind::Reveal;

    fn unknown(why: String) -> Self {
        RevealOutcome::Unknown { why }
    }

    fn went_well(&self) -> bool {
        matches!(self, RevealOutcome::Accepted { .. } | RevealOutcome::NotFound)
    }

    fn label(&self) -> &'static str {
        match self {
            RevealOutcome::Accepted { .. } => "accepted",
            RevealOutcome::Undocumented { .. } => "undocumented",
            RevealOutcome::NotSent => "not_sent",
            RevealOutcome::NotFound => "not_found",
            RevealOutcome::Unknown { .. } => "unknown",
            RevealOutcome::Refused(refusal) => kind(refusal),
        }
    }

    async fn record(self, app: &App, answer: Answer) -> Result<(), StoreError> {
        let policy = &app.policy;
        match self {
            RevealOutcome::Accepted { tracking_id } => {
                app.store.calls().answer_accepted(answer, tracking_id, policy).await
            }
            RevealOutcome::Undocumented { tracking_id, why } => {
                app.store.calls().answer_undocumented(answer, tracking_id, why, policy).await
            }
            RevealOutcome::NotSent => {
                app.store.calls().give_back(answer.call, NOT_SENT.to_owned()).await
            }
            RevealOutcome::NotFound => app.store.calls().answer_not_found(answer, policy).await,
            RevealOutcome::Unknown { why } => {
                app.store.calls().answer_unknown(answer, why, policy).await
            }
            RevealOutcome::Refused(refusal) => refused(app, answer, refusal).await,
        }
    }
}

impl Outcome for LookupOutcome {
    const KIND: Kind = Kind::Lookup;

    fn unknown(why: String) -> Self {
        LookupOutcome::Unknown { why }
    }

    fn went_well(&self) -> bool {
        matches!(self, LookupOutcome::Answered(_))
    }

    fn label(&self) -> &'static str {
        match self {
            LookupOutcome::Answered(_) => "answered",
            LookupOutcome::NotSent => "not_sent",
            LookupOutcome::Unknown { .. } => "unknown",
            LookupOutcome::Refused(refusal) => kind(refusal),
        }
    }

    async fn record(self, app: &App, answer: Answer) -> Result<(), StoreError> {
        match self {
            LookupOutcome::Answered(matches) => {
                app.store.calls().answer_looked_up(answer, matches).await
            }
            LookupOutcome::NotSent => {
                app.store.calls().give_back(answer.call, NOT_SENT.to_owned()).await
            }
            LookupOutcome::Unknown { why } => {
                app.store.calls().answer_unknown(answer, why, &app.policy).await
            }
            LookupOutcome::Refused(refusal) => refused(app, answer, refusal).await,
        }
    }
}

async fn refused(app: &App, answer: Answer, refusal: Refusal) -> Result<(), StoreError> {
    let text = describe(&refusal);
    app.store.calls().answer_refused(answer, text, on_refusal(refusal), &app.policy).await
}

fn kind(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::CreditsPending => "credits_pending",
        Refusal::CreditsInsufficient => "credits_insufficient",
        Refusal::RateLimited { .. } => "rate_limited",
        Refusal::Misconfigured { .. } => "misconfigured",
        Refusal::BadPeople(_) => "bad_people",
        Refusal::BadRequest { .. } => "bad_request",
        Refusal::Unavailable { .. } => "unavailable",
    }
}

/// Describes a refusal for the journal: its kind, and the provider's words.
fn describe(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Misconfigured { message }
        | Refusal::BadRequest { message }
        | Refusal::Unavailable { message, .. } => format!("{}: {message}", kind(refusal)),
        Refusal::BadPeople(people) => format!("{}: {} named", kind(refusal), people.len()),
        _ => kind(refusal).to_owned(),
    }
}
