use std::collections::BTreeSet;
use std::io;
use std::ops::RangeInclusive;
use std::thread;

use jobs::Provider;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::bad_rows::BadRows;
use super::repeats::Repeats;
use super::row_buffer::RowBuffer;
use crate::input::{BadRow, ContentHasher, Format, InputError, Line, Reader, Rejected, Row};

/// How many rows are passed on together. The longer the ledger's index is, the fewer people of a run share a page of
/// the index, so runs grow with the input.
const RUN: RangeInclusive<usize> = 50_000..=128_000;
/// A run has one row for this many rows read before it, within [`RUN`].
const SHARE_OF_READ: i64 = 4;
/// How many bytes of text a run has at most, its last row not counted.
const RUN_BYTES: usize = 32 * 1024 * 1024;

/// A reader on a thread of its own, which reads ahead of the loading.
pub struct RowStream {
    /// Good rows, run by run.
    pub runs: mpsc::Receiver<RowBuffer>,
    /// The result of the whole input; comes once all was read.
    pub end: oneshot::Receiver<Result<Input, ReadError>>,
}

/// The order in which rows are passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they are in the input.
    AsTheyStand,
    /// Each run in the order in which the ledger files people, if there are many rows: ids come in no order, and
    /// filing each on its own costs a page of an index.
    AsTheyAreFiled,
}

/// The result of reading an input.
#[derive(Debug)]
pub struct Input {
    /// Good rows.
    pub rows: i64,
    /// Bad rows.
    pub bad: BadRows,
    /// What looks wrong and is not refused, in words.
    pub warnings: Vec<String>,
    /// The providers that at least one row asks.
    pub providers: BTreeSet<Provider>,
    /// The caller's columns.
    pub columns: Vec<String>,
    /// The fingerprint of options and good rows.
    pub fingerprint: String,
    /// Where the bad rows are, if they are to be kept.
    pub rejected: Option<Rejected>,
}

/// Why the input could not be read to its end.
#[derive(Debug)]
pub enum ReadError {
    /// The input's fault, or the file system's.
    Input(InputError),
    /// The bad rows can't be written out.
    Rejected(io::Error),
}

/// Starts reading. With `keep_bad`, bad rows are collected for writing out and the good ones go on. Without it, the
/// first bad row ends the runs, and the rest is only read for its faults.
pub fn start(
    reader: Reader,
    (providers, lookup): (Vec<Provider>, Option<Provider>),
    fingerprint: ContentHasher,
    keep_bad: bool,
    order: Order,
) -> RowStream {
    let (sender, runs) = mpsc::channel(1);
    let (end_sender, end) = oneshot::channel();
    let runtime = Handle::current();
    // A thread, not a task of the runtime: standard input may block it for good, and a blocked task would keep the
    // process from ending.
    thread::spawn(move || {
        let reading = Reading {
            rejected: keep_bad.then(|| reader.rejected()),
            input: Input {
                rows: 0,
                bad: BadRows::default(),
                warnings: Vec::new(),
                providers: BTreeSet::new(),
                columns: Vec::new(),
                fingerprint: String::new(),
                rejected: None,
            },
            order,
            run: RowBuffer::of(&providers, lookup),
            run_length: run_length(0),
            sender: Some(sender),
            runtime,
        };
        // Fails only if the receiver has given up.
        let _ = end_sender.send(reading.run(reader, fingerprint));
    });
    RowStream { runs, end }
}

struct Reading {
    input: Input,
    rejected: Option<Rejected>,
    order: Order,
    run: RowBuffer,
    run_length: usize,
    sender: Option<mpsc::Sender<RowBuffer>>,
    runtime: Handle,
}

impl Reading {
    fn run(mut self, mut reader: Reader, mut hasher: ContentHasher) -> Result<Input, ReadError> {
        // The columns of CSV are known now, those of JSON Lines in the end.
        if reader.format() == Format::Csv {
            hasher.columns(&reader.columns());
        }
        let mut repeats = Repeats::default();
        for line in reader.by_ref() {
            match line.map_err(ReadError::Input)? {
                Line::Row(row) => {
                    hasher.row(&row);
                    repeats.add(&row);
                    self.take(&row);
                }
                Line::Bad(bad) => {
                    self.input.bad.add(&bad);
                    match &mut self.rejected {
                        Some(rejected) => {
                            rejected.write(&bad).map_err(ReadError::Rejected)?;
                            self.leave_out(&bad);
                        }
                        None => self.sender = None,
                    }
                }
            }
        }
        self.pass_on();
        self.input.warnings = repeats.warnings();
        self.input.warnings.extend(reader.left_out());
        self.input.columns = reader.columns();
        if reader.format() == Format::Jsonl {
            hasher.columns(&self.input.columns);
        }
        self.input.fingerprint = hasher.finish();
        self.input.rejected = self.rejected;
        Ok(self.input)
    }

    fn take(&mut self, row: &Row) {
        self.input.rows += 1;
        self.input.providers.extend(row.waterfall.iter());
        if self.sender.is_none() {
            return;
        }
        self.run.push(row);
        if self.run.len() >= self.run_length || self.run.bytes() >= RUN_BYTES {
            self.pass_on();
        }
    }

    /// Notes a bad row: the ledger keeps bad rows, so that an export can give them back in their place.
    fn leave_out(&mut self, bad: &BadRow) {
        if self.sender.is_none() {
            return;
        }
        self.run.push_rejected(self.input.bad.count, bad);
        if self.run.bytes() >= RUN_BYTES {
            self.pass_on();
        }
    }

    /// Passes on the rows that were read, and waits until they are taken: one run is being loaded while the next is
    /// read, and a third would only cost memory.
    fn pass_on(&mut self) {
        self.run_length = run_length(self.input.rows);
        let next = RowBuffer::after(&self.run, self.run_length, RUN_BYTES);
        let mut run = std::mem::replace(&mut self.run, next);
        // An input that doesn't fill one run keeps its order: there is nothing to gain.
        if self.order == Order::AsTheyAreFiled && self.input.rows >= *RUN.start() as i64 {
            run.sort();
        }
        if let Some(sender) = &self.sender
            && !run.brings_nothing()
            && (sender.blocking_send(run).is_err()
                || self.runtime.block_on(sender.reserve()).is_err())
        {
            // No more rows are taken; the faults of the rest are still worth reporting.
            self.sender = None;
        }
    }
}

/// How many rows the next run has, after `read` rows.
fn run_length(read: i64) -> usize {
    usize::try_from(read / SHARE_OF_READ).unwrap_or(0).clamp(*RUN.start(), *RUN.end())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::input::{Options, Source};

    /// The numbers of the rows of a made-up file, run by run, as they are passed on.
    async fn passed_on(rows: usize, order: Order) -> Vec<Vec<i64>> {
        let mut file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
        let ids = (1..=rows).map(|n| format!("{:07}\n", (n * 7_919) % 1_000_003));
        let text: String = ids.collect();
        write!(file, "ocean_person_id\n{text}").unwrap();
        let source = Source::File(file.path().to_owned());
        let reader = Reader::open(&[source], Options::default()).unwrap();
        let mut stream =
            start(reader, (vec![Provider::Ocean], None), ContentHasher::new(), false, order);
        let mut runs = Vec::new();
        while let Some(run) = stream.runs.recv().await {
            runs.push(run.map(|row| row.number).collect());
        }
        assert_eq!(stream.end.await.unwrap().unwrap().rows, rows as i64);
        runs
    }

    #[tokio::test]
    async fn many_rows_come_run_by_run_as_they_are_filed() {
        let runs = passed_on(60_000, Order::AsTheyAreFiled).await;
        let lengths: Vec<usize> = runs.iter().map(Vec::len).collect();
        assert_eq!(lengths, [50_000, 10_000]);
        let id = |number: &i64| (*number as usize * 7_919) % 1_000_003;
        assert!(runs.iter().all(|run| run.is_sorted_by_key(id)));
    }

    #[tokio::test]
    async fn few_rows_and_those_under_a_ceiling_keep_their_order() {
        let all = |rows: usize| (1..=rows as i64).collect::<Vec<i64>>();
        assert_eq!(passed_on(100, Order::AsTheyAreFiled).await, [all(100)]);
        assert_eq!(passed_on(50_000, Order::AsTheyStand).await, [all(50_000)]);
    }

    #[test]
    fn runs_grow_with_the_input() {
        let lengths = [0, 200_000, 400_000, 1_000_000_000].map(run_length);
        assert_eq!(lengths, [50_000, 50_000, 100_000, 128_000]);
    }
}
