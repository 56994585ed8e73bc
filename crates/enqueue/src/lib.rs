//! Submits batches of people and manages them.

/// What users submit: files in, rows or an error for each bad line out.
pub mod input;
