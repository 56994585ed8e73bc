//! A row as an export writes it.

use jobs::{Credits, Timestamp};

/// A row with what became of it.
#[derive(Clone)]
pub struct ExportRow<'a> {
    /// The row's place in the batch, from 1.
    pub number: i64,
    /// The caller's own columns, as JSON.
    pub fields: &'a str,
    /// As `row_status` shows it.
    pub state: &'a str,
    /// The provider whose reveal the row shows.
    pub provider: Option<&'a str>,
    /// The numbers, where the person was found.
    pub phones: Vec<ExportPhone<'a>>,
    /// What the row cost; 0 if it shares another row's charge.
    pub credits: Credits,
    /// As `row_status` shows it.
    pub reason: Option<&'a str>,
    /// When the result came.
    pub revealed_at: Option<Timestamp>,
}

/// A number. Has no `Debug`: numbers are personal data.
#[derive(Clone)]
pub struct ExportPhone<'a> {
    /// In E.164 where it can be parsed, else as the provider gave it.
    pub number: &'a str,
    /// Its type, as [`jobs::PhoneType`] writes it.
    pub kind: Option<&'a str>,
    /// Its country, by ISO 3166.
    pub country: Option<&'a str>,
}
