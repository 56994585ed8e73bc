//! The price of one more person for a batch with a ceiling. This price decides whether the ceiling is reached.

use db::Conn;
use jobs::{Credits, Provider};

use crate::error::Result;

/// Writes the price of one more person to waiting batches with a ceiling. Counts are locked last of all, so this needs its
/// own transaction.
pub(crate) async fn reprice(conn: &mut Conn, provider: Provider, price: Credits) -> Result<()> {
    let _: Vec<(i64,)> = conn
        .fetch_all(
            "SELECT batch_id FROM batch_totals
             WHERE provider = $1 AND queued > 0 AND max_credits IS NOT NULL AND person_price <> $2
             ORDER BY batch_id FOR UPDATE",
            &[&provider.as_str(), &price.thousandths()],
        )
        .await?;
    conn.execute(
        "UPDATE batch_totals SET person_price = $2
         WHERE provider = $1 AND queued > 0 AND max_credits IS NOT NULL AND person_price <> $2",
        &[&provider.as_str(), &price.thousandths()],
    )
    .await?;
    Ok(())
}
