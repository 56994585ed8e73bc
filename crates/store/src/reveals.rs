//! The state of each reveal, the rows that display it, and the counts that follow.

pub(crate) mod charge;
pub(crate) mod counters;
pub(crate) mod displayed_rows;
pub(crate) mod ownership;
pub(crate) mod person_price;
pub(crate) mod transition;
pub(crate) mod unclaimed_range;
pub(crate) mod waterfall;
