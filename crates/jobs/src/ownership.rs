use std::cmp::Reverse;

/// A batch with rows that wait for a person. Cancelled batches are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanting {
    /// The ledger's number of the batch.
    pub batch: i64,
    /// Whether it is published. A batch that is loading may never be: its submit may die.
    pub published: bool,
    /// Whether its ceiling at the provider is reached.
    pub at_ceiling: bool,
    /// The priority that the user gave it.
    pub priority: i64,
}

/// Returns the batch that owns a waiting person: the one that is served soonest. A published batch comes before one that
/// is loading, one with room under its ceiling before one without; then the higher priority, then the older batch.
#[must_use]
pub fn owner(wanting: impl IntoIterator<Item = Wanting>) -> Option<i64> {
    let order = |it: &Wanting| (!it.published, it.at_ceiling, Reverse(it.priority), it.batch);
    wanting.into_iter().min_by_key(order).map(|first| first.batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanting(batch: i64, flags: &str, priority: i64) -> Wanting {
        let (published, at_ceiling) = (!flags.contains("loading"), flags.contains("full"));
        Wanting { batch, published, at_ceiling, priority }
    }

    #[test]
    fn the_batch_that_is_served_soonest_owns() {
        // The batches, each with what is special about it and its priority; the owner.
        type Case = (&'static [(i64, &'static str, i64)], Option<i64>);
        let table: &[Case] = &[
            (&[], None),
            (&[(7, "", 0)], Some(7)),
            (&[(2, "", 0), (1, "", 0)], Some(1)),
            (&[(1, "", 0), (2, "", 5)], Some(2)),
            (&[(1, "full", 5), (2, "", 0)], Some(2)),
            (&[(1, "loading", 9), (2, "full", 0)], Some(2)),
            (&[(1, "loading full", 9), (2, "loading", 0)], Some(2)),
            (&[(1, "loading", 0), (2, "loading", 1)], Some(2)),
        ];
        for (batches, expected) in table {
            let of = |&(batch, flags, priority): &(i64, &str, i64)| wanting(batch, flags, priority);
            assert_eq!(owner(batches.iter().map(of)), *expected, "{batches:?}");
            assert_eq!(owner(batches.iter().rev().map(of)), *expected, "{batches:?} reversed");
        }
    }
}
