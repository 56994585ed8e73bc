//! How a row leaves, for `enqueue export` and the dashboard alike: the caller's columns as they were,
//! in their order, and what was revealed.

/// CSV.
pub mod csv;
/// JSON Lines.
pub mod jsonl;
/// The form in which the ledger keeps a row's own columns.
pub mod kept;

use store::ExportRow;

/// Columns that an export adds. A caller's column of such a name comes from an earlier export and
/// is dropped, or the next export would have it twice.
pub const RESERVED: [&str; 7] = [
    "reveal_state",
    "reveal_provider",
    "reveal_phones",
    "reveal_phone_types",
    "reveal_credits",
    "reveal_reason",
    "reveal_at",
];

/// A row's numbers and their types, each with `;` between.
fn joined(row: &ExportRow) -> (String, String) {
    let (mut numbers, mut kinds) = (String::new(), String::new());
    for (place, phone) in row.phones.iter().enumerate() {
        if place > 0 {
            numbers.push(';');
            kinds.push(';');
        }
        numbers.push_str(phone.number);
        kinds.push_str(phone.kind.unwrap_or(""));
    }
    (numbers, kinds)
}
