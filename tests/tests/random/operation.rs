//! The possible operations, and how often each occurs.

use end_to_end::Row;
use rand::RngExt;
use rand::rngs::StdRng;
use sandbox::{Endpoint, Provider, ScriptedResponse};
use serde_json::Value;

use crate::faults;
use crate::people::Pool;
use crate::plan::Features;

/// One operation of a story. Batches are named by their place in the story, workers by their slot.
#[derive(Debug, Clone)]
pub enum Operation {
    /// `enqueue submit`
    Submit(Submit),
    /// `enqueue cancel`
    Cancel(usize),
    /// `enqueue retry --states`, with or without `--pay-again`
    Retry { batch: usize, states: &'static str, pay_again: bool },
    /// `enqueue resume --batch --max-credits`
    Raise { batch: usize, credits: i64 },
    /// `enqueue priority`
    Priority { batch: usize, priority: i64 },
    /// `enqueue erase`, by an id or an address
    Erase(String),
    /// `enqueue purge --older-than`
    Purge(&'static str),
    /// `enqueue pause`
    Pause(Provider),
    /// `enqueue resume`
    Resume(Provider),
    /// Starts a worker, if it isn't running.
    Start(usize),
    /// kill -9
    Kill(usize),
    /// SIGTERM
    Stop(usize),
    /// SIGSTOP
    Freeze(usize),
    /// SIGCONT
    Thaw(usize),
    /// Switches faults of the providers on, by a patch of the sandbox's configuration.
    Faults(Value),
    /// Switches all faults off.
    Calm,
    /// Sets the next answers of an endpoint.
    Script(Endpoint, ScriptedResponse),
    /// Holds all webhooks back from now on.
    Hold,
    /// Releases the webhooks.
    Release,
    /// Adds credits, or takes them away.
    TopUp(Provider, i64),
    /// Waits for this many milliseconds.
    Wait(u64),
}

/// A submit.
#[derive(Debug, Clone)]
pub struct Submit {
    /// The file.
    pub rows: Vec<Row>,
    /// `--providers`
    pub providers: Option<Vec<Provider>>,
    /// `--max-credits`, the same for each provider
    pub ceiling: Option<i64>,
    /// `--priority`
    pub priority: i64,
    /// `--refresh-after`
    pub refresh: Option<&'static str>,
    /// How it ends.
    pub ending: Ending,
}

/// How a submit ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The story waits for its end.
    Waited,
    /// The story goes on meanwhile.
    Concurrent,
    /// kill -9 after this many milliseconds.
    Killed(u64),
}

/// Makes up operations.
pub struct Writer<'a> {
    features: Features,
    pool: &'a Pool,
    /// The ceiling of each batch, as submitted or last raised.
    ceilings: Vec<Option<i64>>,
}

impl<'a> Writer<'a> {
    /// A writer for one story.
    pub fn new(features: Features, pool: &'a Pool) -> Self {
        Writer { features, pool, ceilings: Vec::new() }
    }

    /// Returns the next operation. The first one is a submit.
    pub fn next(&mut self, random: &mut StdRng) -> Operation {
        loop {
            let dice = match self.ceilings.len() {
                0 => 0,
                _ => random.random_range(0..100),
            };
            if let Some(operation) = self.write(dice, random) {
                return operation;
            }
        }
    }

    fn write(&mut self, dice: u32, random: &mut StdRng) -> Option<Operation> {
        let f = self.features;
        let batch = random.random_range(0..self.ceilings.len().max(1));
        let slot = usize::from(random.random_bool(0.4));
        let provider = [Provider::Ocean, Provider::Clodura][random.random_range(0..2)];
        Some(match dice {
            0..22 => self.submit(random),
            22..25 => Operation::Cancel(batch),
            25..32 => self.retry(batch, random),
            32..34 => {
                let ceiling = self.ceilings[batch].as_mut()?;
                *ceiling += random.random_range(1..80);
                Operation::Raise { batch, credits: *ceiling }
            }
            34..37 if f.erasures => Operation::Erase(self.pool.identifier(random)),
            37..39 if f.purges => Operation::Purge(["0s", "1s"][random.random_range(0..2)]),
            39..41 => Operation::Pause(provider),
            41..44 => Operation::Resume(provider),
            44..56 => Operation::Start(slot),
            56..61 => Operation::Kill(slot),
            61..63 => Operation::Stop(slot),
            63..66 if f.freezes => Operation::Freeze(slot),
            66..70 if f.freezes => Operation::Thaw(slot),
            70..77 if f.faults => Operation::Faults(faults::weather(random)),
            77..80 if f.faults => Operation::Calm,
            80..83 if f.faults => {
                let (endpoint, response) = faults::answer(random);
                Operation::Script(endpoint, response)
            }
            83..84 => Operation::Hold,
            84..86 => Operation::Release,
            86..88 if f.faults => Operation::TopUp(provider, faults::credits(random)),
            88..91 => {
                Operation::Priority { batch, priority: [-2, 0, 2, 7][random.random_range(0..4)] }
            }
            91..100 => Operation::Wait(random.random_range(10..700)),
            _ => return None,
        })
    }

    fn submit(&mut self, random: &mut StdRng) -> Operation {
        let providers = self.providers(random);
        let all = providers.clone().unwrap_or_else(|| vec![Provider::Ocean, Provider::Clodura]);
        let count = [1, 2, 3, 6, 12, 40][random.random_range(0..6)];
        let rows = (0..count).map(|_| self.pool.row(random, &all)).collect();
        let f = self.features;
        let ceiling = (f.ceilings && random.random_bool(0.4)).then(|| random.random_range(0..60));
        self.ceilings.push(ceiling);
        Operation::Submit(Submit {
            rows,
            providers,
            ceiling,
            priority: [0, 0, 0, 1, 5, -1][random.random_range(0..6)],
            refresh: (f.refreshes && random.random_bool(0.4))
                .then(|| ["0s", "500ms", "2s"][random.random_range(0..3)]),
            ending: match random.random_range(0..10) {
                0 | 1 if f.overlaps => Ending::Concurrent,
                2 | 3 if f.overlaps => Ending::Killed(random.random_range(1..120)),
                _ => Ending::Waited,
            },
        })
    }

    fn providers(&self, random: &mut StdRng) -> Option<Vec<Provider>> {
        let (ocean, clodura) = (Provider::Ocean, Provider::Clodura);
        match random.random_range(0..10) {
            0 => Some(vec![ocean]),
            1 => Some(vec![clodura]),
            2 | 3 => Some(vec![ocean, clodura]),
            4 => Some(vec![clodura, ocean]),
            5 if self.features.twice => Some(vec![ocean, clodura, ocean]),
            _ => None,
        }
    }

    fn retry(&self, batch: usize, random: &mut StdRng) -> Operation {
        let states = ["failed", "cancelled", "failed,cancelled", "failed,expired,cancelled"];
        let pay_again = self.features.pay_again && random.random_bool(0.6);
        let states =
            if pay_again { "failed,expired,cancelled" } else { states[random.random_range(0..4)] };
        Operation::Retry { batch, states, pay_again }
    }
}
