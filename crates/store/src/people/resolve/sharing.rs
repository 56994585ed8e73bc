//! The batch that owns a waiting person.

use std::collections::{HashMap, HashSet};

use jobs::RevealState;

use crate::people::resolve::{Known, People, Place};

impl People {
    /// Queues an idle person for `batch`. Returns whether the person was idle.
    pub(crate) fn queue(&mut self, place: Place, batch: i64) -> bool {
        let known = &mut self.reveals[place.0];
        let idle = known.state == RevealState::Idle;
        if idle {
            known.state = RevealState::Queued;
            known.owner = Some(batch);
            known.woken = true;
        }
        idle
    }

    /// Makes `batch` the owner of a person who is idle, or who is owned by a batch that still loads and may never be published.
    /// Returns whether the person was either.
    pub(crate) fn take_ownership(
        &mut self,
        place: Place,
        batch: i64,
        loading: &HashSet<i64>,
    ) -> bool {
        let known = &mut self.reveals[place.0];
        let waits = matches!(known.state, RevealState::Queued | RevealState::Retrying);
        if waits && known.owner.is_some_and(|owner| loading.contains(&owner)) {
            known.owner = Some(batch);
            self.taken_over.push(known.id);
            return true;
        }
        self.queue(place, batch)
    }

    /// Returns the reveals taken over from batches that still load.
    pub(crate) fn taken_over(&self) -> &[i64] {
        &self.taken_over
    }

    /// Returns the idle reveals that were known before.
    pub(crate) fn idle(&self) -> impl Iterator<Item = i64> {
        let idle = |known: &&Known| !known.fresh && known.state == RevealState::Idle;
        self.reveals.iter().filter(idle).map(|known| known.id)
    }

    /// Returns the found reveals.
    pub(crate) fn found(&self) -> impl Iterator<Item = i64> {
        let found = |known: &&Known| known.state == RevealState::Found;
        self.reveals.iter().filter(found).map(|known| known.id)
    }

    /// Returns the owning batches of the queued reveals among `ids`.
    pub(crate) fn owners(&self, ids: &HashSet<i64>) -> HashMap<i64, i64> {
        let waits = |state| matches!(state, RevealState::Queued | RevealState::Retrying);
        self.reveals
            .iter()
            .filter(|known| !known.fresh && waits(known.state) && ids.contains(&known.id))
            .filter_map(|known| Some((known.id, known.owner?)))
            .collect()
    }
}
