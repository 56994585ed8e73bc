//! What the ledger keeps in its database.

use db::Schema;

/// The ledger's migrations, and what its statements may read.
pub(crate) static SCHEMA: Schema = Schema {
    application: "reveal-queue",
    channel: "reveal_queue",
    sqlite: sqlx::migrate!("../../migrations/sqlite"),
    postgres: sqlx::migrate!("../../migrations/postgres"),
    // They grow with the people who are asked for.
    large_tables: &[
        "reveals",
        "batch_rows",
        "row_waterfall",
        "calls",
        "call_reveals",
        "phones",
        "identity_links",
        "webhook_inbox",
        "free_requests",
    ],
    // What is under way at a moment, which is never much.
    small_indexes: &["calls_sending", "webhook_inbox_pending"],
};
