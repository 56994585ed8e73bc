use std::time::{Duration, Instant};

use end_to_end::{LONG, Process};
use sandbox::{Endpoint, Provider};

use super::Story;
use crate::operation::{Ending, Operation};
use crate::{books, faults, queries};

/// More credits than any story needs.
const ENOUGH: i64 = 100_000_000;
/// Longer than the poll lease of a killed worker, which is two minutes.
const IDLE: Duration = Duration::from_secs(200);
/// The sandbox is idle after this time at the latest.
const SETTLED: Duration = Duration::from_secs(60);

impl Story {
    /// Switches faults off, adds credits and opens all gates. Works until nothing is left, and checks everything.
    pub async fn end(&mut self) {
        for slot in 0..self.slots.len() {
            self.thaw(slot);
        }
        for (batch, process) in std::mem::take(&mut self.concurrent) {
            let ended = self.ended(process).await;
            self.check_exit(&["submit", &format!("batch-{batch:02}")], &ended, &[0]);
        }
        self.calm().await;
        self.work_to_the_end(&[0, 4]).await;
        self.check("all is done").await;
        if self.faults.is_empty() && self.raise_all_ceilings().await {
            self.work_to_the_end(&[0]).await;
            self.check("there are no ceilings any more").await;
        }
    }

    async fn calm(&mut self) {
        let sandbox = &self.scene.sandbox;
        drop(sandbox.merge_config(&faults::calm()).expect("a patch"));
        for endpoint in [Endpoint::OceanReveal, Endpoint::CloduraReveal] {
            sandbox.clear_script(endpoint);
        }
        for provider in [Provider::Ocean, Provider::Clodura] {
            sandbox.top_up(provider, ENOUGH);
        }
        sandbox.release_webhooks();
        for slot in 0..self.slots.len() {
            self.stop(slot).await;
        }
        for provider in [Provider::Ocean, Provider::Clodura] {
            self.play(&Operation::Resume(provider)).await;
        }
    }

    /// Runs a worker with `--until-idle` to its end, then another one until the last webhook has come.
    async fn work_to_the_end(&mut self, codes: &[i32]) {
        self.start(1, &[]);
        self.start(0, &["--until-idle"]);
        let Some(worker) = self.slots[0].worker.take() else { return };
        self.comes_to_its_end(worker, codes).await;
        self.start(0, &[]);
        if !self.scene.sandbox.wait_until_idle(SETTLED).await {
            self.faults.push("webhooks were still on their way after a minute".into());
        }
        self.scene.until("SELECT COUNT(*) FROM webhook_inbox WHERE outcome IS NULL", "0").await;
        // A call waits for its result until its deadline, even if no row waits for the result any more.
        let open = "SELECT COUNT(*) FROM calls WHERE state IN ('sending', 'accepted', 'unknown')";
        self.scene.until(open, "0").await;
        for slot in 0..self.slots.len() {
            self.stop(slot).await;
        }
        // A late webhook may have put a person back into the queue.
        self.start(0, &["--until-idle"]);
        let Some(worker) = self.slots[0].worker.take() else { return };
        self.comes_to_its_end(worker, codes).await;
    }

    async fn comes_to_its_end(&mut self, mut worker: Process, codes: &[i32]) {
        let started = Instant::now();
        while worker.exit_status().is_none() {
            if started.elapsed() > IDLE {
                let open = "SELECT state, reason, COUNT(*) FROM row_status GROUP BY state, reason";
                let open = self.scene.db.rows(open).await;
                self.faults.push(format!("--until-idle did not end within {IDLE:?}: {open:?}"));
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let ended = worker.ended(LONG).await;
        if !ended.code.is_some_and(|code| codes.contains(&code)) {
            self.faults.push(format!("--until-idle ended with {:?}: {}", ended.code, ended.stderr));
        }
    }

    async fn check(&mut self, when: &str) {
        let mut found = queries::ask(&self.scene, "always").await;
        found.extend(queries::ask(&self.scene, "at_rest").await);
        found.extend(books::check(&self.scene, &self.model, self.features).await);
        let panics = self.scene.log();
        found.extend(panics.lines().filter(|line| line.contains("panicked")).map(str::to_owned));
        self.faults.extend(found.into_iter().map(|fault| format!("when {when}: {fault}")));
    }

    /// Raises the ceilings of all held batches beyond any need. Returns whether there was a held batch.
    async fn raise_all_ceilings(&mut self) -> bool {
        let held = "SELECT DISTINCT b.name FROM row_status w JOIN batch_status b ON b.batch_id = w.batch_id
                    WHERE w.state = 'held'";
        let held = self.scene.db.column(held).await;
        for name in &held {
            let batch: usize = name.trim_start_matches("batch-").parse().expect("our name");
            self.model.submits[batch].ending = Ending::Waited;
            self.play(&Operation::Raise { batch, credits: ENOUGH }).await;
        }
        !held.is_empty()
    }
}
