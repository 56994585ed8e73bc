//! Checks that must hold at the end of every story, with or without faults.

use std::collections::BTreeMap;

use end_to_end::{Row, Scene, expected, read_csv};

/// How many rows in the export of a batch have each state.
pub type Tally = BTreeMap<String, usize>;

/// The export's rows, each with the columns that were revealed, by their names.
pub async fn exported(scene: &Scene, batch: &str) -> Vec<BTreeMap<String, String>> {
    let (header, records) = read_csv(&scene.export(batch).await);
    records.into_iter().map(|record| header.iter().cloned().zip(record).collect()).collect()
}

/// Compares the export of a batch with the sandbox's expected results, row by row. `excused` says
/// which wrong states are allowed for a row.
pub async fn equals_expected(
    scene: &Scene,
    batch: &str,
    rows: &[Row],
    excused: impl Fn(&Row, &str) -> bool,
) -> Tally {
    let exported = exported(scene, batch).await;
    assert_eq!(exported.len(), rows.len(), "rows of the export");
    let mut tally = Tally::new();
    for (shown, row) in exported.iter().zip(rows) {
        let get = |name: &str| shown[name].as_str();
        let state = get("reveal_state");
        *tally.entry(state.to_owned()).or_default() += 1;
        if excused(row, state) {
            assert_eq!(get("reveal_phones"), "", "{row:?} is {state} and has numbers");
            continue;
        }
        let (wanted, provider, phones) = expected(&scene.sandbox, row);
        let numbers = in_order(get("reveal_phones"));
        assert_eq!((state, numbers), (wanted, in_order(&phones)), "{row:?}: {shown:?}");
        assert_eq!(get("reveal_provider"), provider, "{row:?}");
    }
    tally
}

/// Sorts numbers: Clodura groups them by type, so their order has no meaning.
pub fn in_order(phones: &str) -> Vec<String> {
    let mut phones: Vec<String> = phones.split(';').map(str::to_owned).collect();
    phones.sort_unstable();
    phones
}

/// No row is excused.
pub fn no_row(_: &Row, _: &str) -> bool {
    false
}

/// Checks that no call is unfinished, and that the counts of `batch_status` are those of the rows.
pub async fn books_are_closed(scene: &Scene) {
    let db = &scene.db;
    let open = "SELECT COUNT(*) FROM call_log WHERE finished_at IS NULL";
    assert_eq!(db.int(open).await, 0, "{}", scene.describe().await);
    let kept = db
        .rows(
            "SELECT batch_id, total, queued, sending, awaiting, retrying, held, found, not_found,
                    failed, expired, cancelled FROM batch_status ORDER BY batch_id",
        )
        .await;
    let counted = db
        .rows(
            "SELECT batch_id, COUNT(*),
                    COUNT(CASE WHEN state = 'queued' THEN 1 END), COUNT(CASE WHEN state = 'sending' THEN 1 END),
                    COUNT(CASE WHEN state = 'awaiting' THEN 1 END), COUNT(CASE WHEN state = 'retrying' THEN 1 END),
                    COUNT(CASE WHEN state = 'held' THEN 1 END), COUNT(CASE WHEN state = 'found' THEN 1 END),
                    COUNT(CASE WHEN state = 'not_found' THEN 1 END), COUNT(CASE WHEN state = 'failed' THEN 1 END),
                    COUNT(CASE WHEN state = 'expired' THEN 1 END), COUNT(CASE WHEN state = 'cancelled' THEN 1 END)
             FROM row_status GROUP BY batch_id ORDER BY batch_id",
        )
        .await;
    assert_eq!(kept, counted, "batch_status beside what row_status counts");
}

/// Credits spent by all batches at a provider.
pub async fn spent(scene: &Scene, provider: &str) -> i64 {
    let sql = "SELECT COALESCE(SUM(credits_spent), 0) FROM batch_spend WHERE provider = ";
    scene.db.int(&format!("{sql}'{provider}'")).await
}
