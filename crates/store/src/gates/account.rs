//! The assumed state of a provider's account between two readings of its balance.

use db::Conn;
use jobs::{Credits, Provider};

use crate::error::Result;
use crate::gates::gate::Gate;

/// The credits that all batches together spent at a provider, purged batches included, and the credits that they hold
/// reserved for people who are out.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spending {
    pub(crate) spent: Credits,
    pub(crate) reserved: Credits,
}

impl Spending {
    pub(crate) async fn read(conn: &mut Conn, provider: Provider, gate: &Gate) -> Result<Self> {
        let sums: Option<(i64, i64)> = conn
            .fetch_optional(
                // Counts that still change are found by their epoch, past the old versions that Postgres keeps. A left
                // join begins with the batches; the other way round all versions would be read.
                "SELECT CAST(COALESCE(SUM(t.credits_spent), 0) AS BIGINT),
                    CAST(COALESCE(SUM(t.credits_reserved), 0) AS BIGINT)
                 FROM batches b LEFT JOIN batch_totals t ON t.batch_id = b.id AND t.provider = $1
                    AND t.epoch >= CASE WHEN b.finished_at IS NULL THEN (
                        SELECT n.epoch FROM batch_totals n WHERE n.batch_id = b.id AND n.provider = $1
                        ORDER BY n.epoch DESC LIMIT 1) ELSE 0 END",
                &[&provider.as_str()],
            )
            .await?;
        let (spent, reserved) = sums.unwrap_or_default();
        Ok(Spending {
            spent: gate.purged_spent + Credits::from_thousandths(spent),
            reserved: Credits::from_thousandths(reserved),
        })
    }
}

/// The credits in an account, by the last reading and the spending since.
pub(crate) struct Account {
    pub(crate) left: Credits,
    /// The part of `left` that people who are out may still cost.
    pub(crate) reserved: Credits,
}

impl Account {
    /// Returns `None` if the balance was never read.
    pub(crate) async fn read(
        conn: &mut Conn,
        provider: Provider,
        gate: &Gate,
    ) -> Result<Option<Self>> {
        let Some(credits) = gate.balance_credits else { return Ok(None) };
        let Spending { spent, reserved } = Spending::read(conn, provider, gate).await?;
        Ok(Some(Account { left: credits - (spent - gate.balance_spent), reserved }))
    }

    /// The credits that may still be reserved; negative if the account was used for something else.
    pub(crate) fn room(&self) -> Credits {
        self.left - self.reserved
    }
}
