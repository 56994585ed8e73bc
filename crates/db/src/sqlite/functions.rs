//! SQLite's functions of our own.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;

/// Teaches SQLite the function `nth(list, place)`: the number at that place, from 0, of a list that is a blob of such.
pub(crate) fn nth(conn: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    conn.create_scalar_function("nth", 2, flags, |args| {
        let ValueRef::Blob(list) = args.get_raw(0) else { return Ok(None) };
        let place = usize::try_from(args.get::<i64>(1)?);
        let bytes = place.ok().and_then(|place| list.as_chunks::<8>().0.get(place));
        Ok(bytes.map(|bytes| i64::from_le_bytes(*bytes)))
    })
}
