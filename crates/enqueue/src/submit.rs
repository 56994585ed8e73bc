//! Reads people ahead on a thread of its own, loads them in short transactions into a hidden batch, and publishes the
//! batch at the end: all of it or nothing.

/// The command line.
mod args;
/// Providers that are set up.
mod available;
/// Bad rows, counted.
mod bad_rows;
/// `--max-credits`.
pub mod ceilings;
/// What people may cost and how fast they are asked.
mod cost_and_time;
/// The end of the input: it is accepted or refused.
mod end_of_input;
/// A worker's settings in this command's environment.
mod environment;
/// From the reader into the ledger.
mod load;
/// `--lookup`.
mod lookup;
/// What a batch will cost and how long it takes.
mod outlook;
/// Identifiers that occur in too many rows.
mod repeats;
/// The report of a submit.
mod report;
/// Rows on their way.
mod row_buffer;
/// The reader's thread.
mod row_stream;

use std::collections::BTreeMap;

use jobs::outlook::Outlook;
use jobs::{BatchId, Clock, Credits, Provider};
use store::{Loaded, NewBatch, Preview, Published, Store, sqlite_file};

pub use args::SubmitArgs;
pub use cost_and_time::Prices;

use crate::context::{unless_stopped, with};
use crate::failure::Failure;
use crate::global::Global;
use crate::input::{Format, Reader};
use crate::output::{print_line, say};
use crate::signals::stopped;
use crate::wait;
use end_of_input::{finished, keep_rejected};
use load::{Sink, load};
use outlook::outlooks;
use report::Report;
use row_stream::{Input, Order, RowStream};

/// `enqueue submit`.
pub async fn submit(mut args: SubmitArgs, global: &Global) -> Result<(), Failure> {
    let available = match args.asks_available() {
        true => available::providers(global).await?,
        false => Vec::new(),
    };
    for provider in args.choose(&available) {
        say(&format!(
            "--providers names {provider} more than once; it is asked once, where it is named first"
        ));
    }
    lookup::check(args.lookup(), &args.waterfall(), args.asks_available())
        .map_err(Failure::Usage)?;
    let reader = Reader::open(&args.sources(), args.reading())?;
    reader.recognised().iter().for_each(|line| say(line));
    if args.dry_run {
        return dry_run(&args, reader, global).await;
    }
    let store = Store::connect(global.database()?, !global.no_migrate, Clock::system()).await?;
    with(&store, submit_to(&store, &args, reader)).await
}

async fn submit_to(store: &Store, args: &SubmitArgs, reader: Reader) -> Result<(), Failure> {
    let mut sink = begin(store, args, &reader).await?;
    let mut stream = read(reader, args);
    let outcome = tokio::select! {
        outcome = enqueue(store, args, &mut sink, &mut stream) => outcome,
        stop = stopped() => Err(Failure::Interrupted("interrupted; nothing was enqueued".into(), stop)),
    };
    let report = match outcome {
        Ok(report) => report,
        Err(failure) => {
            if let Sink::Batch(loading) = &sink {
                // A batch that can't be withdrawn now is swept by the next process that uses the database.
                let _ = store.batches().abandon(loading).await;
            }
            return Err(failure);
        }
    };
    print_report(args, &report)?;
    match (&report.batch_id, args.wait) {
        (Some(batch), true) => {
            wait::until_finished(store, &store.reports().find_batch(batch).await?).await
        }
        _ => Ok(()),
    }
}

/// Begins a batch. Begins none if a batch was published under this key already: the result can only be that batch or
/// a refusal.
async fn begin(store: &Store, args: &SubmitArgs, reader: &Reader) -> Result<Sink, Failure> {
    if let Some(key) = &args.idempotency_key
        && store.batches().idempotency_key_is_taken(key).await?
    {
        return Ok(Sink::Nowhere);
    }
    let header = (reader.format() == Format::Csv).then(|| reader.columns());
    let new = NewBatch {
        name: args.name().map(str::to_owned),
        header,
        priority: args.priority,
        max_credits: Default::default(),
        refresh_before: args.refresh_before(&Clock::system()),
        wants_mobile: args.wants_mobile(),
    };
    let loading = store.batches().begin_batch(new).await?;
    store.batches().note_form(&loading, &reader.form()).await?;
    Ok(Sink::Batch(loading))
}

async fn enqueue(
    store: &Store,
    args: &SubmitArgs,
    sink: &mut Sink,
    stream: &mut RowStream,
) -> Result<Report, Failure> {
    let loaded = load(store, sink, stream).await?;
    let input = finished(stream, args).await?;
    let key = args.idempotency_key.clone().map(|key| (key, input.fingerprint.clone()));
    let ceilings = ceilings_of(args, &input)?;
    report::contradictions(&loaded).iter().for_each(|line| say(line));
    let mut report = report(store, args, &input, &loaded, &ceilings).await?;
    let published = match sink {
        Sink::Batch(loading) => {
            store.batches().note_keys(loading, &input.columns).await?;
            store.batches().note_sources(loading, &args.source_paths()).await?;
            store.batches().set_ceilings(&loading.as_batch(), &ceilings).await?;
            keep_rejected(input)?;
            (store.batches().publish(loading, key).await?, loading.batch_id)
        }
        _ => {
            let (key, fingerprint) = key.unwrap_or_default();
            let before =
                store.batches().idempotent_batch(&key, &fingerprint).await?.ok_or_else(|| {
                    Failure::Failed(
                        "the batch of this key has just been purged; submit again".into(),
                    )
                })?;
            (Published::Before(before), before)
        }
    };
    let batch = match published {
        (Published::Now, batch) => batch,
        (Published::Before(batch), _) => {
            report = before(report, batch);
            batch
        }
    };
    report.batch_id = Some(batch.to_string());
    Ok(report)
}

/// Reports that the same content was enqueued before.
fn before(report: Report, batch: BatchId) -> Report {
    say(&format!("The same was enqueued before as batch {batch}; nothing was enqueued now."));
    Report {
        queued: 0,
        suppressed: 0,
        shared: report.rows,
        max_credits_needed: BTreeMap::new(),
        providers: BTreeMap::new(),
        ..report
    }
}

fn ceilings_of(
    args: &SubmitArgs,
    input: &Input,
) -> Result<BTreeMap<Provider, Option<Credits>>, Failure> {
    let Some(ceilings) = &args.max_credits else { return Ok(BTreeMap::new()) };
    ceilings
        .for_batch(&input.providers)
        .map_err(|error| Failure::Usage(format!("--max-credits: {error}")))
}

async fn report(
    store: &Store,
    args: &SubmitArgs,
    input: &Input,
    loaded: &Loaded,
    ceilings: &BTreeMap<Provider, Option<Credits>>,
) -> Result<Report, Failure> {
    let providers = outlooks(store, args, loaded, ceilings).await?;
    let worst_case = |(provider, outlook): (&Provider, &Outlook)| (*provider, outlook.worst_case);
    Ok(Report {
        batch_id: None,
        rows: input.rows,
        queued: loaded.rows - loaded.shared - loaded.erased - loaded.suppressed,
        shared: loaded.shared,
        suppressed: loaded.suppressed,
        rejected: input.bad.count,
        max_credits_needed: providers.iter().map(worst_case).collect(),
        providers,
    })
}

/// Standard output gets the batch's id, or the whole report as JSON; people get sentences.
fn print_report(args: &SubmitArgs, report: &Report) -> Result<(), Failure> {
    let text = report.text();
    if args.json {
        say(&text);
        let object = serde_json::to_string(report)
            .map_err(|error| Failure::Failed(format!("the report can't be written: {error}")))?;
        print_line(&object)?;
    } else if let Some(batch) = &report.batch_id {
        say(&text);
        print_line(batch)?;
    } else {
        print_line(&text)?;
    }
    Ok(())
}

/// Counts what a submit would do. A SQLite database that isn't there is not created: every person is new then.
async fn dry_run(args: &SubmitArgs, reader: Reader, global: &Global) -> Result<(), Failure> {
    let nowhere = tempfile::tempdir()
        .map_err(|error| Failure::Failed(format!("no temporary folder can be made: {error}")))?;
    let there = sqlite_file(global.database()?).is_none_or(|file| file.exists());
    let (url, migrate) = match there {
        true => (global.database()?.to_owned(), !global.no_migrate),
        false => (format!("sqlite://{}", nowhere.path().join("dry-run.db").display()), true),
    };
    let store = Store::connect(&url, migrate, Clock::system()).await?;
    with(&store, unless_stopped(preview(args, &store, reader))).await
}

async fn preview(args: &SubmitArgs, store: &Store, reader: Reader) -> Result<(), Failure> {
    let preview = Preview::new(args.refresh_before(&Clock::system()));
    let mut sink = Sink::Preview(Box::new(preview.wanting_mobile(args.wants_mobile())));
    let mut stream = read(reader, args);
    let loaded = load(store, &mut sink, &mut stream).await?;
    let input = finished(&mut stream, args).await?;
    let ceilings = ceilings_of(args, &input)?;
    report::contradictions(&loaded).iter().for_each(|line| say(line));
    let report = report(store, args, &input, &loaded, &ceilings).await?;
    print_report(args, &report)
}

/// Starts reading. Under a ceiling perhaps not all people are asked: then the input's first people go first.
fn read(reader: Reader, args: &SubmitArgs) -> RowStream {
    let order = match args.max_credits {
        Some(_) => Order::AsTheyStand,
        None => Order::AsTheyAreFiled,
    };
    row_stream::start(
        reader,
        (args.waterfall(), args.lookup()),
        args.fingerprint(),
        args.skip_invalid,
        order,
    )
}
