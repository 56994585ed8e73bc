//! The accounts' credits.

use crate::config::{CloduraConfig, OceanConfig, Plan};

/// Ocean's credits, in the pool that pays. The price of one number is reserved for each person who is being verified.
/// In the end every number is charged, which may be more. A debt is shown as nothing left, and paid by the next top-up.
#[derive(Debug)]
pub(crate) struct OceanAccount {
    pub(crate) one_time: i64,
    pub(crate) recurrent: i64,
    pub(crate) reserved: i64,
    /// The cost of lookups, in thousandths of a credit.
    pub(crate) looked_up: i64,
}

/// Why a reservation was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too few credits are left.
    Insufficient,
    /// Enough credits are left, but running verifications may need them.
    Pending,
}

impl OceanAccount {
    pub(crate) fn new(config: &OceanConfig) -> Self {
        Self { one_time: config.one_time, recurrent: config.recurrent, reserved: 0, looked_up: 0 }
    }

    pub(crate) fn left(&self) -> i64 {
        self.one_time.saturating_add(self.recurrent) - (self.looked_up + 999) / 1_000
    }

    /// Returns what the balance shows as `oneTime` and `recurrent`. A debt of one pool is subtracted from the other.
    pub(crate) fn shown(&self) -> (f64, f64) {
        let thousandths = |credits: i64| credits.saturating_mul(1_000);
        let debt = thousandths(self.one_time.min(0)).saturating_sub(self.looked_up);
        let recurrent = thousandths(self.recurrent).saturating_add(debt);
        let one_time = thousandths(self.one_time.max(0)).saturating_add(recurrent.min(0));
        (one_time.max(0) as f64 / 1_000.0, recurrent.max(0) as f64 / 1_000.0)
    }

    /// Reserves `credits` for a request, if enough are left.
    pub(crate) fn reserve(&mut self, credits: i64) -> Result<(), Refusal> {
        if self.left() < credits {
            return Err(Refusal::Insufficient);
        }
        if self.left() - self.reserved < credits {
            return Err(Refusal::Pending);
        }
        self.reserved += credits;
        Ok(())
    }

    /// Ends a reservation, and charges. The subscription's credits go first.
    pub(crate) fn settle(&mut self, reserved: i64, charged: i64) {
        self.reserved -= reserved;
        let from_recurrent = charged.min(self.recurrent.max(0));
        self.recurrent -= from_recurrent;
        self.one_time -= charged - from_recurrent;
    }

    pub(crate) fn top_up(&mut self, credits: i64) {
        self.one_time = self.one_time.saturating_add(credits);
    }
}

/// Clodura's credits, under either kind of plan.
#[derive(Debug)]
pub(crate) struct CloduraAccount {
    pub(crate) remaining: i64,
    pub(crate) direct_dials: i64,
    pub(crate) max_direct_dials: i64,
    pub(crate) contacts_view: i64,
    pub(crate) max_contacts: i64,
    pub(crate) reserved: i64,
}

impl CloduraAccount {
    pub(crate) fn new(config: &CloduraConfig) -> Self {
        Self {
            remaining: config.remaining_credits,
            direct_dials: 0,
            max_direct_dials: config.max_direct_dials,
            contacts_view: 0,
            max_contacts: config.max_contacts,
            reserved: 0,
        }
    }

    pub(crate) fn left(&self, plan: Plan) -> i64 {
        match plan {
            Plan::Payg => self.remaining,
            Plan::Prospect => (self.max_direct_dials - self.direct_dials)
                .min(self.max_contacts - self.contacts_view),
        }
    }

    /// Admits a request; false when the credits are exhausted. A direct dial is reserved for each person under way,
    /// since the standard shape can't say later that there was none. The other plans can say so, so they only need the
    /// price of the cheapest find.
    pub(crate) fn admit(&mut self, plan: Plan, cheapest: i64) -> bool {
        let room = match plan {
            Plan::Payg => self.remaining >= cheapest,
            Plan::Prospect => self.left(plan) - self.reserved >= 1,
        };
        if room && plan == Plan::Prospect {
            self.reserved += 1;
        }
        room
    }

    /// Ends a reservation that [`Self::admit`] made.
    pub(crate) fn release(&mut self, plan: Plan) {
        if plan == Plan::Prospect {
            self.reserved -= 1;
        }
    }

    /// Charges for a find, in the plan's currency, and returns how many credits that is.
    pub(crate) fn charge(&mut self, plan: Plan, price: i64) -> i64 {
        match plan {
            Plan::Payg => {
                self.remaining -= price;
                price
            }
            Plan::Prospect => {
                self.direct_dials += 1;
                self.contacts_view += 1;
                1
            }
        }
    }

    pub(crate) fn top_up(&mut self, plan: Plan, credits: i64) {
        match plan {
            Plan::Payg => self.remaining = self.remaining.saturating_add(credits),
            Plan::Prospect => {
                self.max_direct_dials = self.max_direct_dials.saturating_add(credits);
                self.max_contacts = self.max_contacts.saturating_add(credits);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ocean_reserves_then_charges_by_number() {
        let mut account = OceanAccount { one_time: 5, recurrent: 5, reserved: 0, looked_up: 0 };
        assert_eq!(account.reserve(11), Err(Refusal::Insufficient));
        assert_eq!(account.reserve(6), Ok(()));
        assert_eq!(account.reserve(5), Err(Refusal::Pending));
        account.settle(6, 7);
        assert_eq!((account.recurrent, account.one_time, account.reserved), (0, 3, 0));
        assert_eq!(account.reserve(4), Err(Refusal::Insufficient));
        account.settle(0, 4);
        account.top_up(3);
        assert_eq!(account.left(), 2, "the debt is paid first");
    }

    #[test]
    fn lookups_cost_parts_of_credits() {
        let mut account = OceanAccount { one_time: 5, recurrent: 1, reserved: 0, looked_up: 0 };
        assert_eq!(account.shown(), (5.0, 1.0));
        account.looked_up = 50;
        assert_eq!((account.left(), account.shown()), (5, (5.0, 0.95)));
        account.looked_up = 1_250;
        assert_eq!((account.left(), account.shown()), (4, (4.75, 0.0)));
    }

    #[test]
    fn prospect_keeps_a_dial_for_each_person_under_way() {
        let config = CloduraConfig { max_direct_dials: 1, ..CloduraConfig::default() };
        let mut account = CloduraAccount::new(&config);
        assert!(account.admit(Plan::Prospect, 10));
        assert!(!account.admit(Plan::Prospect, 10));
        account.release(Plan::Prospect);
        assert!(account.admit(Plan::Prospect, 10));
        account.release(Plan::Prospect);
        account.charge(Plan::Prospect, 10);
        assert!(!account.admit(Plan::Prospect, 10));
    }
}
