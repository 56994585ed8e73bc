//! With which batch a person's turn comes.

use std::collections::{HashMap, HashSet};

use jobs::RevealState;

use crate::people::resolve::{Known, People, Place};

impl People {
    /// Lets a person who so far waited for nobody have their turn with `batch`; whether it was so.
    pub(crate) fn queue(&mut self, place: Place, batch: i64) -> bool {
        let known = &mut self.reveals[place.0];
        let idle = known.state == RevealState::Idle;
        if idle {
            known.state = RevealState::Queued;
            known.lane = Some(batch);
            known.woken = true;
        }
        idle
    }

    /// Has a person's turn come with `batch` who so far waited for nobody, or for batches that are not there as
    /// yet, and may never be; whether it was so.
    pub(crate) fn take_turn(&mut self, place: Place, batch: i64, loading: &HashSet<i64>) -> bool {
        let known = &mut self.reveals[place.0];
        let waits = matches!(known.state, RevealState::Queued | RevealState::Retrying);
        if waits && known.lane.is_some_and(|lane| loading.contains(&lane)) {
            known.lane = Some(batch);
            self.taken_over.push(known.id);
            return true;
        }
        self.queue(place, batch)
    }

    /// Those whose turn came with a batch that nobody sees yet.
    pub(crate) fn taken_over(&self) -> &[i64] {
        &self.taken_over
    }

    /// Those who were known before and wait for nobody.
    pub(crate) fn idle(&self) -> impl Iterator<Item = i64> {
        let idle = |known: &&Known| !known.fresh && known.state == RevealState::Idle;
        self.reveals.iter().filter(idle).map(|known| known.id)
    }

    /// Those who were found.
    pub(crate) fn found(&self) -> impl Iterator<Item = i64> {
        let found = |known: &&Known| known.state == RevealState::Found;
        self.reveals.iter().filter(found).map(|known| known.id)
    }

    /// The batches in whose turn the queued among `ids` are sent.
    pub(crate) fn lanes(&self, ids: &HashSet<i64>) -> HashMap<i64, i64> {
        let waits = |state| matches!(state, RevealState::Queued | RevealState::Retrying);
        self.reveals
            .iter()
            .filter(|known| !known.fresh && waits(known.state) && ids.contains(&known.id))
            .filter_map(|known| Some((known.id, known.lane?)))
            .collect()
    }
}
