//! Plays a story with the real programs, and drives everything to its end.

mod ending; // drives everything to its end

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use end_to_end::{Ended, LONG, Process, Scene, csv_of, free_port};
use sandbox::Provider;

use crate::faults;
use crate::model::{Model, keys};
use crate::operation::{Ending, Operation, Submit};
use crate::plan::Features;

/// A worker stays stopped no longer than this.
const FROZEN: Duration = Duration::from_millis(2_500);

/// A place for a worker, with a fixed listen address, so that webhooks reach the slot's next worker, too.
#[derive(Default)]
struct Slot {
    settings: BTreeMap<&'static str, String>,
    worker: Option<Process>,
    frozen: Option<Instant>,
}

/// A story that is being played.
pub struct Story {
    scene: Arc<Scene>,
    features: Features,
    /// The operations so far.
    pub model: Model,
    /// The faults found so far.
    pub faults: Vec<String>,
    slots: [Slot; 2],
    concurrent: Vec<(usize, Process)>,
    frozen_meanwhile: bool,
}

impl Story {
    /// A story at its beginning.
    pub fn new(scene: Arc<Scene>, features: Features) -> Story {
        let model = Model::new(scene.sandbox.config());
        let slots = [(); 2].map(|()| {
            let address = format!("127.0.0.1:{}", free_port());
            let url = format!("http://{address}");
            let settings = [("LISTEN_ADDR", address), ("WEBHOOK_PUBLIC_URL", url)].into();
            Slot { settings, ..Slot::default() }
        });
        let (faults, concurrent) = (Vec::new(), Vec::new());
        Story { scene, features, model, faults, slots, concurrent, frozen_meanwhile: false }
    }

    /// Plays one operation.
    pub async fn play(&mut self, operation: &Operation) {
        self.thaw_in_time();
        match operation {
            Operation::Submit(submit) => self.submit(submit).await,
            Operation::Start(slot) => self.start(*slot, &[]),
            Operation::Kill(slot) => self.kill(*slot),
            Operation::Stop(slot) => self.stop(*slot).await,
            Operation::Freeze(slot) => self.freeze(*slot),
            Operation::Thaw(slot) => self.thaw(*slot),
            Operation::Faults(patch) => {
                drop(self.scene.sandbox.merge_config(patch).expect("a patch"))
            }
            Operation::Calm => {
                drop(self.scene.sandbox.merge_config(&faults::calm()).expect("a patch"))
            }
            Operation::Script(endpoint, response) => {
                self.scene.sandbox.script(*endpoint, vec![response.clone()]);
            }
            Operation::Hold => self.scene.sandbox.hold_webhooks(),
            Operation::Release => self.scene.sandbox.release_webhooks(),
            Operation::TopUp(provider, credits) => self.scene.sandbox.top_up(*provider, *credits),
            Operation::Wait(ms) => self.wait(Duration::from_millis(*ms)).await,
            command => self.command(command).await,
        }
    }

    async fn submit(&mut self, submit: &Submit) {
        let batch = self.model.submits.len();
        self.model.submits.push(submit.clone());
        self.scene.know(&submit.rows);
        let arguments = arguments(batch, submit);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut process = self.scene.start_enqueue(&arguments, Some(csv_of(&submit.rows)));
        match submit.ending {
            Ending::Concurrent => self.concurrent.push((batch, process)),
            Ending::Killed(ms) => {
                self.wait(Duration::from_millis(ms)).await;
                process.kill();
            }
            Ending::Waited => {
                let ended = self.ended(process).await;
                if !self.check_exit(&arguments, &ended, &[0]) {
                    // The batch may or may not exist.
                    self.model.submits[batch].ending = Ending::Killed(0);
                }
            }
        }
    }

    /// Plays an operation that is a command of `enqueue` other than submit.
    async fn command(&mut self, operation: &Operation) {
        let (arguments, batch, codes) = self.read(operation);
        if batch.is_some_and(|batch| batch >= self.model.submits.len()) {
            return;
        }
        let mut codes = codes.to_vec();
        // A batch that may not exist may not be found.
        let unsure = batch.is_some_and(|n| self.model.submits[n].ending != Ending::Waited);
        if unsure || (batch.is_some() && self.model.purges > 0) {
            codes.extend([1, 2]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let process = self.scene.start_enqueue(&arguments, None);
        let ended = self.ended(process).await;
        self.check_exit(&arguments, &ended, &codes);
    }

    /// Returns the arguments, the batch of the command, and the allowed exit codes. Records the operation in the model.
    fn read(&mut self, operation: &Operation) -> (Vec<String>, Option<usize>, &'static [i32]) {
        let name = |batch: &usize| Model::name(*batch);
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match operation {
            Operation::Cancel(batch) => {
                self.model.cancelled.insert(*batch);
                (words(&["cancel", &name(batch)]), Some(*batch), &[0])
            }
            Operation::Retry { batch, states, pay_again } => {
                let mut all: Vec<String> = words(&["retry", &name(batch), "--states", states]);
                if *pay_again {
                    self.model.paid_again.push(*batch);
                    all.push("--pay-again".into());
                }
                (all, Some(*batch), if *pay_again { &[0] } else { &[0, 2] })
            }
            Operation::Raise { batch, credits } => {
                let ceilings =
                    self.model.submits.get(*batch).map(|submit| ceilings(submit, *credits));
                let all = [
                    "resume",
                    "--batch",
                    &name(batch),
                    "--max-credits",
                    &ceilings.unwrap_or_default(),
                ];
                (words(&all), Some(*batch), &[0])
            }
            Operation::Priority { batch, priority } => {
                (words(&["priority", &name(batch), &priority.to_string()]), Some(*batch), &[0])
            }
            Operation::Erase(identifier) => {
                self.model.erased.insert(identifier.clone());
                let by = if identifier.starts_with("https://") { "--linkedin" } else { "--person" };
                (words(&["erase", by, identifier]), None, &[0])
            }
            Operation::Purge(age) => {
                self.model.purges += 1;
                (words(&["purge", "--older-than", age]), None, &[0])
            }
            Operation::Pause(provider) => (words(&["pause", &provider.to_string()]), None, &[0]),
            Operation::Resume(provider) => (words(&["resume", &provider.to_string()]), None, &[0]),
            other => panic!("{other:?} is no command"),
        }
    }

    /// Whether a command ended as it should. While a worker is stopped, the database may be locked.
    fn check_exit(&mut self, arguments: &[&str], ended: &Ended, codes: &[i32]) -> bool {
        let good = ended.code.is_some_and(|code| codes.contains(&code));
        let excused = self.frozen_meanwhile && ended.code == Some(1);
        if !good && !excused {
            self.faults.push(format!(
                "enqueue {arguments:?} ended with {:?}: {}",
                ended.code, ended.stderr
            ));
        }
        good
    }

    fn start(&mut self, slot: usize, arguments: &[&str]) {
        if self.slots[slot].worker.as_mut().is_some_and(|worker| worker.exit_status().is_none()) {
            return;
        }
        self.look_at_the_dead(slot);
        let mut worker = self.scene.worker();
        for (name, value) in &self.slots[slot].settings {
            worker = worker.set(name, value);
        }
        for argument in arguments {
            worker = worker.arg(argument);
        }
        self.slots[slot].worker = Some(worker.spawn());
    }

    /// Records a fault if the slot's worker has ended by itself.
    fn look_at_the_dead(&mut self, slot: usize) {
        let Some(mut worker) = self.slots[slot].worker.take() else { return };
        if let Some(status) = worker.exit_status() {
            self.faults
                .push(format!("a worker ended by itself: {status}: {}", worker.stderr().text()));
        }
    }

    fn kill(&mut self, slot: usize) {
        self.look_at_the_dead(slot);
        self.slots[slot].frozen = None;
    }

    async fn stop(&mut self, slot: usize) {
        self.thaw(slot);
        let Some(mut worker) = self.slots[slot].worker.take() else { return };
        if let Some(status) = worker.exit_status() {
            self.faults
                .push(format!("a worker ended by itself: {status}: {}", worker.stderr().text()));
            return;
        }
        worker.signal("TERM");
        let ended = self.ended(worker).await;
        // Until a worker handles the signal, SIGTERM kills it.
        if ended.code != Some(0) && ended.signal != Some(15) {
            self.faults
                .push(format!("a worker ended with {:?} on SIGTERM: {}", ended.code, ended.stderr));
        }
    }

    fn freeze(&mut self, slot: usize) {
        let Slot { worker: Some(worker), frozen, .. } = &mut self.slots[slot] else { return };
        if frozen.is_none() && worker.exit_status().is_none() {
            worker.signal("STOP");
            *frozen = Some(Instant::now());
        }
    }

    fn thaw(&mut self, slot: usize) {
        let Slot { worker, frozen, .. } = &mut self.slots[slot];
        if let (Some(worker), Some(_)) = (worker, frozen.take())
            && worker.exit_status().is_none()
        {
            worker.signal("CONT");
        }
    }

    fn thaw_in_time(&mut self) {
        for slot in 0..self.slots.len() {
            let frozen = self.slots[slot].frozen;
            self.frozen_meanwhile |= frozen.is_some();
            if frozen.is_some_and(|since| since.elapsed() > FROZEN) {
                self.thaw(slot);
            }
        }
    }

    async fn wait(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.thaw_in_time();
            let left = until.saturating_duration_since(Instant::now());
            tokio::time::sleep(left.min(Duration::from_millis(50))).await;
        }
    }

    /// Waits for a process' end. Meanwhile no worker stays stopped for too long.
    async fn ended(&mut self, mut process: Process) -> Ended {
        let started = Instant::now();
        self.frozen_meanwhile = false;
        while process.exit_status().is_none() && started.elapsed() < LONG {
            self.thaw_in_time();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        process.ended(Duration::ZERO).await
    }
}

fn arguments(batch: usize, submit: &Submit) -> Vec<String> {
    let mut all: Vec<String> =
        ["submit", "-", "--format", "csv", "--json", "--name"].map(str::to_owned).into();
    all.push(Model::name(batch));
    if let Some(providers) = &submit.providers {
        all.extend(["--providers".to_owned(), listed(providers.iter().map(ToString::to_string))]);
    }
    if let Some(credits) = submit.ceiling {
        all.extend(["--max-credits".to_owned(), ceilings(submit, credits)]);
    }
    all.push(format!("--priority={}", submit.priority));
    if let Some(age) = submit.refresh {
        all.extend(["--refresh-after".to_owned(), age.to_owned()]);
    }
    all
}

/// The same ceiling for every provider of the batch.
fn ceilings(submit: &Submit, credits: i64) -> String {
    let providers = submit.rows.iter().flat_map(keys).map(|(kind, _)| kind.provider());
    let chosen =
        |provider: &Provider| submit.providers.as_ref().is_none_or(|all| all.contains(provider));
    let providers: BTreeSet<Provider> = providers.filter(chosen).collect();
    listed(providers.iter().map(|provider| format!("{provider}={credits}")))
}

fn listed(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(",")
}
