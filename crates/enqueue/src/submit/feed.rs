use std::collections::BTreeSet;
use std::io;
use std::thread;

use jobs::Provider;
use store::{NewRow, NewStep};
use tokio::sync::{mpsc, oneshot};

use crate::input::{ContentHasher, Format, InputError, Line, Reader, Rejected, Row};

/// How many rows are passed on together.
const RUN: usize = 50_000;
/// How many runs are read ahead of the database.
const AHEAD: usize = 1;
/// How many bad rows are listed; somebody who has more has made one mistake many times.
const MOST_LISTED: usize = 1_000;

/// A reader on a thread of its own, ahead of whoever takes the rows.
pub struct Feed {
    /// Good rows, run by run.
    pub runs: mpsc::Receiver<Vec<NewRow>>,
    /// What the whole input came to; comes once all was read.
    pub end: oneshot::Receiver<Result<Input, FeedError>>,
}

/// The order in which rows are passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they stand in the input.
    AsTheyStand,
    /// Where there are many, each run in the order in which the ledger files people: ids come in no
    /// order, and each that is filed on its own costs a page of an index.
    AsTheyAreFiled,
}

/// What an input came to.
#[derive(Debug)]
pub struct Input {
    /// Good rows.
    pub rows: i64,
    /// Bad ones.
    pub bad: BadRows,
    /// Who is asked by at least one row.
    pub providers: BTreeSet<Provider>,
    /// The caller's columns.
    pub columns: Vec<String>,
    /// The fingerprint of options and good rows.
    pub fingerprint: String,
    /// Where the bad rows are, if they are to be kept.
    pub rejected: Option<Rejected>,
}

/// Bad rows, in words.
#[derive(Debug, Default)]
pub struct BadRows {
    /// The first of them.
    pub listed: Vec<String>,
    /// All of them.
    pub count: i64,
}

/// Why the input could not be read to its end.
#[derive(Debug)]
pub enum FeedError {
    /// The input's fault, or the file system's.
    Input(InputError),
    /// The bad rows can't be written out.
    Rejected(io::Error),
}

impl BadRows {
    fn add(&mut self, line: impl FnOnce() -> String) {
        self.count += 1;
        if self.listed.len() < MOST_LISTED {
            self.listed.push(line());
        }
    }
}

/// Starts reading. With `keep_bad` bad rows are collected for writing out and the good ones go on;
/// without, the first bad one ends the runs, and the rest is only read for what is wrong with it.
pub fn start(
    reader: Reader,
    providers: Vec<Provider>,
    fingerprint: ContentHasher,
    keep_bad: bool,
    order: Order,
) -> Feed {
    let (sender, runs) = mpsc::channel(AHEAD);
    let (told, end) = oneshot::channel();
    // No task of the runtime: standard input may keep it waiting for good, and so the process.
    thread::spawn(move || {
        let reading = Reading {
            rejected: keep_bad.then(|| reader.rejected()),
            input: Input {
                rows: 0,
                bad: BadRows::default(),
                providers: BTreeSet::new(),
                columns: Vec::new(),
                fingerprint: String::new(),
                rejected: None,
            },
            providers,
            order,
            run: Vec::new(),
            sender: Some(sender),
        };
        // Whoever was to be told has given up.
        let _ = told.send(reading.run(reader, fingerprint));
    });
    Feed { runs, end }
}

struct Reading {
    input: Input,
    rejected: Option<Rejected>,
    /// The providers chosen for the batch.
    providers: Vec<Provider>,
    order: Order,
    run: Vec<NewRow>,
    sender: Option<mpsc::Sender<Vec<NewRow>>>,
}

impl Reading {
    fn run(mut self, mut reader: Reader, mut hasher: ContentHasher) -> Result<Input, FeedError> {
        // The columns of CSV are known now, those of JSON Lines in the end.
        if reader.format() == Format::Csv {
            hasher.columns(&reader.columns());
        }
        for line in reader.by_ref() {
            match line.map_err(FeedError::Input)? {
                Line::Row(row) => {
                    hasher.row(&row);
                    self.take(row);
                }
                Line::Bad(bad) => {
                    self.input.bad.add(|| bad.to_string());
                    match &mut self.rejected {
                        Some(rejected) => rejected.write(&bad).map_err(FeedError::Rejected)?,
                        None => self.sender = None,
                    }
                }
            }
        }
        self.pass_on();
        self.input.columns = reader.columns();
        if reader.format() == Format::Jsonl {
            hasher.columns(&self.input.columns);
        }
        self.input.fingerprint = hasher.finish();
        self.input.rejected = self.rejected;
        Ok(self.input)
    }

    fn take(&mut self, row: Row) {
        self.input.rows += 1;
        self.input.providers.extend(row.waterfall.iter());
        if self.sender.is_none() {
            return;
        }
        self.run.push(new_row(self.input.rows, row, &self.providers));
        if self.run.len() >= RUN {
            self.pass_on();
        }
    }

    fn pass_on(&mut self) {
        let mut run = std::mem::take(&mut self.run);
        put_in_order(&mut run, self.order, self.input.rows);
        if let Some(sender) = &self.sender
            && !run.is_empty()
            && sender.blocking_send(run).is_err()
        {
            // Nobody takes rows any more; what is wrong with the rest is still worth saying.
            self.sender = None;
        }
    }
}

/// An input that doesn't fill one run keeps its order: there is nothing to gain.
fn put_in_order(run: &mut [NewRow], order: Order, read: i64) {
    if order == Order::AsTheyAreFiled && read >= RUN as i64 {
        run.sort_by(|a, b| filed_under(a).cmp(&filed_under(b)));
    }
}

/// Where the person whom a row asks for first stands in the ledger's index.
fn filed_under(row: &NewRow) -> Option<(Provider, &str)> {
    row.steps.iter().find_map(|step| Some((step.provider, &**row.asked_by(step)?)))
}

/// A row as the ledger takes it. A provider that the row can't be asked at is a step, too, for people
/// whom other rows make known there.
fn new_row(number: i64, row: Row, providers: &[Provider]) -> NewRow {
    let identifiers = &row.identifiers;
    let steps = providers
        .iter()
        .map(|&provider| {
            let asked = identifiers.for_provider(provider);
            let is_it = |identifier| Some(identifier) == asked;
            NewStep { provider, asks_by: identifiers.iter().position(is_it) }
        })
        .collect();
    let identifiers = identifiers.iter().map(|identifier| identifier.encode().into()).collect();
    NewRow { number, fields: row.fields, identifiers, steps, erased: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: i64, provider: Provider, identifier: &str) -> NewRow {
        NewRow {
            number,
            fields: "[]".into(),
            identifiers: [identifier.into()].into(),
            steps: [NewStep { provider, asks_by: Some(0) }].into_iter().collect(),
            erased: false,
        }
    }

    fn ordered(order: Order, read: i64) -> Vec<i64> {
        let (ocean, clodura) = (Provider::Ocean, Provider::Clodura);
        let mut run = [
            row(1, clodura, "a"),
            row(2, ocean, "z"),
            row(3, ocean, "b"),
            row(4, clodura, "a"),
            row(5, ocean, "b"),
        ];
        put_in_order(&mut run, order, read);
        run.iter().map(|row| row.number).collect()
    }

    #[test]
    fn many_rows_come_as_they_are_filed_and_the_first_of_a_person_first() {
        assert_eq!(ordered(Order::AsTheyAreFiled, RUN as i64), [3, 5, 2, 1, 4]);
    }

    #[test]
    fn few_rows_and_those_under_a_ceiling_keep_their_order() {
        assert_eq!(ordered(Order::AsTheyAreFiled, 5), [1, 2, 3, 4, 5]);
        assert_eq!(ordered(Order::AsTheyStand, RUN as i64), [1, 2, 3, 4, 5]);
    }
}
