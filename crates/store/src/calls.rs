//! Requests that may cost credits: claimed, sent, answered, polled, given up.

mod accepted;
pub(crate) mod claim;
pub(crate) mod claimed;
pub(crate) mod deadlines;
mod ended;
mod looked_up;
mod not_found;
pub(crate) mod polls;
pub(crate) mod response;
