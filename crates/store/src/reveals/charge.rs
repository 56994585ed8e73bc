//! The row that displays the charge for a person: the first row of the paying batch. All other rows of that person share the
//! charge.

use std::collections::{BTreeSet, HashMap};

use db::bulk::{ints, write_rows};
use db::{Conn, Ints, record};

use crate::error::Result;

/// Makes the first row of the paying batch display the charge for each of these people (reveal, payer).
pub(crate) async fn display_charges(conn: &mut Conn, paid: &[(i64, i64)]) -> Result<()> {
    let columns = vec![
        ("reveal", ints(paid.iter().map(|(reveal, _)| *reveal))),
        ("payer", ints(paid.iter().map(|(_, payer)| *payer))),
    ];
    // The sum `w.batch_id + 0` keeps both databases from reading all rows of a batch, which may be a million.
    write_rows(
        conn,
        "UPDATE batch_rows SET shared = CASE WHEN batch_id = e.payer AND row_number = (
            SELECT MIN(w.row_number) FROM batch_rows w
            WHERE w.reveal_id = e.reveal AND w.batch_id + 0 = e.payer AND w.ended IS NULL) THEN 0 ELSE 1 END
         FROM ROWS WHERE batch_rows.reveal_id = e.reveal AND batch_rows.ended IS NULL",
        columns,
    )
    .await?;
    Ok(())
}

record! {
    /// The batch that pays for a person in a call.
    struct PayerRow {
        reveal_id: i64,
        call_id: i64,
        payer: i64,
    }
}

/// Does the same for people who were asked when other rows displayed them. Their last call names the paying batch.
pub(crate) async fn display_charges_again(conn: &mut Conn, reveals: &BTreeSet<i64>) -> Result<()> {
    if reveals.is_empty() {
        return Ok(());
    }
    let asked: Vec<(i64, i64)> = conn
        .fetch_all(
            "SELECT r.id, r.call_id FROM IDS($1) AS e
             JOIN reveals r ON r.id = e.value WHERE r.call_id IS NOT NULL",
            &[&Ints::of(reveals)],
        )
        .await?;
    // Members are read by call, since that has an index, and each call once.
    let calls: BTreeSet<i64> = asked.iter().map(|(_, call)| *call).collect();
    let members: Vec<PayerRow> = conn
        .fetch_all(
            "SELECT m.reveal_id, m.call_id, m.payer FROM IDS($1) AS e
             JOIN call_reveals m ON m.call_id = e.value",
            &[&Ints::of(&calls)],
        )
        .await?;
    let payers: HashMap<(i64, i64), i64> =
        members.into_iter().map(|row| ((row.reveal_id, row.call_id), row.payer)).collect();
    let paid: Vec<(i64, i64)> =
        asked.into_iter().filter_map(|asked| Some((asked.0, *payers.get(&asked)?))).collect();
    display_charges(conn, &paid).await
}
