//! How much memory the tree of a JSON text takes. The sizes are those of `serde_json` with glibc's allocator on 64 bits.

/// The bytes that a value takes in a list or an object, with the room that a growing list has to spare.
const VALUE: usize = 144;
/// The bytes that a list takes for its first value.
const LIST: usize = 160;
/// The bytes that an object takes for its first fields.
const OBJECT: usize = 704;

/// Returns an upper limit of the bytes that the tree of a JSON text takes, without reading it. Some trees take a hundred
/// times the room of their text: `{"":{"":…`. Punctuation inside of strings counts too.
#[must_use]
pub fn tree_bytes(text: &[u8]) -> usize {
    let bytes = |character| match character {
        b'{' => OBJECT,
        b'[' => LIST,
        b',' => VALUE,
        _ => 0,
    };
    text.iter().map(|character| bytes(*character)).sum::<usize>() + text.len()
}
