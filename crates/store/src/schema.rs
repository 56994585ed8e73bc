//! The schema of the ledger's database.

use db::Schema;

/// The ledger's migrations, and which tables and indexes its statements may read whole.
pub(crate) static SCHEMA: Schema = Schema {
    application: "reveal-queue",
    channel: "reveal_queue",
    sqlite: sqlx::migrate!("../../migrations/sqlite"),
    postgres: sqlx::migrate!("../../migrations/postgres"),
    // These tables grow with the people who are asked for.
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
    // These indexes hold only the work under way, which is never much.
    small_indexes: &["calls_sending", "webhook_inbox_pending", "webhook_inbox_put_off"],
};
