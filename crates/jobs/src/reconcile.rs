use serde::Serialize;

use crate::{Credits, Provider, Timestamp};

/// A balance of an account, and what the ledger had spent when the balance was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The provider of the account.
    pub provider: Provider,
    /// When the balance was read.
    pub at: Timestamp,
    /// Credits left in the account.
    pub credits: Credits,
    /// Credits that the ledger had spent in all.
    pub ledger_spent: Credits,
    /// Credits that the ledger held reserved for results that were out.
    pub reserved: Credits,
}

/// One day (UTC) of a provider, as far as readings cover it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The provider of the account.
    pub provider: Provider,
    /// The date, as `2026-11-27`.
    pub day: String,
    /// Credits that the ledger says were spent.
    pub ledger: Credits,
    /// Credits that the account lost.
    pub account: Credits,
    /// Credits that came into the account: a top-up, a renewal.
    pub added: Credits,
    /// Credits that the account lost and the ledger does not know of. Negative if the ledger booked more.
    pub unexplained: Credits,
    /// Reserved credits of results that were out at the last reading of the day, and may still explain a difference.
    pub reserved: Credits,
}

/// Compares the ledger's spending with the accounts' balances. `readings` are in the order of their time. The change
/// between two readings counts for the day of the later one. Where the balance rose, the account is taken to have lost
/// what the ledger says, and to have been topped up by the rest.
#[must_use]
pub fn by_day(readings: &[Reading]) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for provider in Provider::ALL {
        let of: Vec<&Reading> = readings.iter().filter(|r| r.provider == provider).collect();
        for pair in of.windows(2) {
            let [before, after] = pair else { continue };
            let day: String = after.at.iso8601().chars().take(10).collect();
            let same = |last: &&mut Day| last.provider == provider && last.day == day;
            if days.last_mut().filter(same).is_none() {
                days.push(Day::new(provider, day));
            }
            if let Some(day) = days.last_mut() {
                day.count(before, after);
            }
        }
    }
    days
}

impl Day {
    fn new(provider: Provider, day: String) -> Self {
        let none = Credits::ZERO;
        Day {
            provider,
            day,
            ledger: none,
            account: none,
            added: none,
            unexplained: none,
            reserved: none,
        }
    }

    fn count(&mut self, before: &Reading, after: &Reading) {
        let ledger = after.ledger_spent - before.ledger_spent;
        let lost = before.credits - after.credits;
        self.ledger += ledger;
        if lost < Credits::ZERO {
            self.account += ledger;
            self.added += ledger - lost;
        } else {
            self.account += lost;
        }
        self.unexplained = self.account - self.ledger;
        self.reserved = after.reserved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provider::{Clodura, Ocean};

    const HOUR: i64 = 3_600_000;

    fn reading(provider: Provider, hour: i64, credits: i64, spent: i64) -> Reading {
        Reading {
            provider,
            at: Timestamp(hour * HOUR),
            credits: Credits::whole(credits),
            ledger_spent: Credits::whole(spent),
            reserved: Credits::ZERO,
        }
    }

    fn shown(days: &[Day]) -> Vec<(Provider, &str, [i64; 4])> {
        let whole = |credits: Credits| credits.thousandths() / 1000;
        let day = |d: &Day| [d.ledger, d.account, d.added, d.unexplained].map(whole);
        days.iter().map(|d| (d.provider, &*d.day, day(d))).collect()
    }

    #[test]
    fn what_the_ledger_knows_is_explained() {
        let readings = [
            reading(Ocean, 1, 1000, 0),
            reading(Clodura, 1, 50, 0),
            // Charged before the ledger heard of it, and booked by the next reading.
            reading(Ocean, 2, 970, 20),
            reading(Ocean, 3, 970, 30),
            reading(Clodura, 30, 40, 10),
            // Another program used 5.
            reading(Ocean, 30, 955, 40),
            // A top-up of 500 while 10 were spent.
            reading(Ocean, 31, 1445, 50),
        ];
        assert_eq!(
            shown(&by_day(&readings)),
            [
                (Ocean, "1970-01-01", [30, 30, 0, 0]),
                (Ocean, "1970-01-02", [20, 25, 500, 5]),
                (Clodura, "1970-01-02", [10, 10, 0, 0]),
            ]
        );
    }

    #[test]
    fn one_reading_says_nothing() {
        assert!(by_day(&[]).is_empty());
        assert!(by_day(&[reading(Ocean, 1, 1000, 0)]).is_empty());
    }
}
