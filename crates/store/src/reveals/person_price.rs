//! What one more person may cost a batch with a ceiling: by that it is judged whether it is full.

use db::Conn;
use jobs::{Credits, Provider};

use crate::error::Result;

/// Writes down what one more person may cost, where a batch with a ceiling waits: whether it is full is judged by that.
/// Whether any was judged by another price. Counts are locked last of all, so this is a transaction of its own.
pub(crate) async fn reprice(conn: &mut Conn, provider: Provider, price: Credits) -> Result<bool> {
    let stale: Vec<(i64,)> = conn
        .fetch_all(
            "SELECT batch_id FROM batch_totals
             WHERE provider = $1 AND queued > 0 AND max_credits IS NOT NULL AND person_price <> $2
             ORDER BY batch_id FOR UPDATE",
            &[&provider.as_str(), &price.thousandths()],
        )
        .await?;
    if stale.is_empty() {
        return Ok(false);
    }
    conn.execute(
        "UPDATE batch_totals SET person_price = $2
         WHERE provider = $1 AND queued > 0 AND max_credits IS NOT NULL AND person_price <> $2",
        &[&provider.as_str(), &price.thousandths()],
    )
    .await?;
    Ok(true)
}
