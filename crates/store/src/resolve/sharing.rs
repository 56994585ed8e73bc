//! Which answers are shared, and which of two reveals of one person is kept.

use jobs::{RevealState, Timestamp};

/// A failed person was never paid for, so asking afresh is what a new submit means; a result that is
/// older than the submit accepts is asked for again.
pub(crate) fn is_outdated(
    state: RevealState,
    revealed_at: Option<Timestamp>,
    refresh_before: Option<Timestamp>,
) -> bool {
    match state {
        RevealState::Failed => true,
        RevealState::Found | RevealState::NotFound => {
            matches!((refresh_before, revealed_at), (Some(limit), Some(at)) if at < limit)
        }
        _ => false,
    }
}

/// Whether a row that can't ask a provider itself shares what another row asks there.
pub(crate) fn is_worth_waiting_for(state: RevealState) -> bool {
    state == RevealState::Found || !state.is_finished()
}

/// Which of two reveals of the same person is to be kept: what has a result or may have cost money
/// goes before what merely waits.
pub(crate) fn preference(state: RevealState) -> u8 {
    match state {
        RevealState::Found => 6,
        RevealState::NotFound => 5,
        RevealState::Asked => 4,
        RevealState::Expired => 3,
        RevealState::Queued | RevealState::Retrying => 2,
        RevealState::Idle => 1,
        RevealState::Failed | RevealState::Cancelled => 0,
    }
}
