//! The operations of users: all kinds of submits, cancelling, and the other commands.

use jobs::Credits;
use jobs::Provider::{self, Clodura, Ocean};
use rand::RngExt;
use rand::seq::IndexedRandom;
use store::{ErasureTarget, RetryStates};

use super::Walk;
use crate::harness::HOUR;
use crate::harness::people::{Options, Who, clodura, linkedin, ocean};

impl Walk<'_> {
    /// Plays a random management command.
    pub(super) async fn manage(&mut self) -> &'static str {
        let provider = self.provider();
        let store = &self.bench.store;
        let Some(&batch) = self.batches.choose(&mut self.rng) else { return "no batch" };
        let batch = self.bench.batch_ref(batch).await;
        match self.rng.random_range(0..8) {
            0 => {
                store.gates().pause(provider).await.unwrap();
            }
            1..4 => {
                for provider in Provider::ALL {
                    store.gates().resume(provider).await.unwrap();
                }
            }
            4 => store
                .batches()
                .set_ceilings(&batch, &[(provider, Some(Credits::whole(50)))].into())
                .await
                .unwrap(),
            5 => {
                let who = format!("{provider}:p{}", 6 + self.done / 8);
                let target = ErasureTarget::Identifiers([who].into());
                for person in store.privacy().identify(&target).await.unwrap() {
                    store.privacy().erase(&person).await.unwrap();
                }
                return "erase";
            }
            _ => {
                let states = RetryStates { failed: true, expired: true, cancelled: true };
                store.batches().retry(&batch, states).await.unwrap();
                return "retry";
            }
        }
        "manage"
    }

    fn who(&mut self) -> Who {
        // As the walk goes on, new people are added, and recent ones are asked for again.
        let newest = 12 + self.done as u32 / 8;
        let n = self.rng.random_range(newest - 11..=newest);
        // Each address belongs to the person with the same id, but not every row names both.
        match self.rng.random_range(0..8) {
            0 | 1 => ocean(&format!("p{n}")),
            2 => clodura(&format!("p{n}")),
            3 => linkedin(&format!("p{n}")),
            4 => clodura(&format!("p{n}")).linkedin(&format!("p{n}")),
            5 => ocean(&format!("p{n}")).clodura(&format!("p{n}")),
            6 => ocean(&format!("p{n}")).clodura(&format!("p{n}")).by(&[Ocean, Clodura, Ocean]),
            _ => ocean(&format!("p{n}")).linkedin(&format!("p{n}")).by(&[Clodura, Ocean]),
        }
    }

    fn people(&mut self) -> Vec<Who> {
        (0..self.rng.random_range(1..=5)).map(|_| self.who()).collect()
    }

    fn options(&mut self) -> Options {
        let mut options = Options::priority(self.rng.random_range(0..3));
        for provider in Provider::ALL {
            if self.rng.random_ratio(1, 4) {
                let most = self.rng.random_range(0..4);
                options.max_credits.insert(provider, Credits::whole(most));
            }
        }
        if self.rng.random_ratio(1, 6) {
            options.refresh_before = Some(self.bench.store.now() - HOUR);
        }
        options
    }

    pub(super) async fn submit(&mut self) -> &'static str {
        let (people, options) = (self.people(), self.options());
        self.batches.push(self.bench.submit_with(&people, options).await);
        "submit"
    }

    pub(super) async fn begin(&mut self) -> &'static str {
        let options = self.options();
        self.loading.push((self.bench.begin(options).await, 0));
        "begin"
    }

    pub(super) async fn load_more(&mut self) -> &'static str {
        let people = self.people();
        if let Some((batch, rows)) = self.loading.first_mut() {
            // The batch may have been swept meanwhile.
            let mut more = crate::harness::people::rows(&people);
            more.iter_mut().for_each(|row| row.number += *rows);
            *rows += people.len() as i64;
            let _ = self.bench.store.batches().load(batch, more).await;
        }
        "load"
    }

    pub(super) async fn publish_or_abandon(&mut self) -> &'static str {
        if let Some((batch, _)) = self.loading.pop() {
            if self.rng.random_ratio(1, 3) {
                self.bench.store.batches().abandon(&batch).await.unwrap();
                return "abandon";
            }
            if self.bench.store.batches().publish(&batch, None).await.is_ok() {
                self.batches.push(self.bench.batch_number(&batch).await);
            }
        }
        "publish"
    }

    pub(super) async fn cancel(&mut self) -> &'static str {
        if let Some(&batch) = self.batches.choose(&mut self.rng) {
            self.batches.retain(|other| *other != batch);
            self.bench.cancel(batch).await;
        }
        "cancel"
    }
}
