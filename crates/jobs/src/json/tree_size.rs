//! How much memory the tree of a JSON text takes. The sizes are those of `serde_json` with glibc's allocator on 64 bits.

/// The most bytes of memory that a tree may take. The results of 500 people with fifteen numbers each take half of it.
const LARGEST: usize = 16 * 1024 * 1024;
/// The bytes that a value takes in a list or an object, with the room that a growing list has to spare.
const VALUE: usize = 144;
/// The bytes that a list takes for its first value.
const LIST: usize = 160;
/// The bytes that an object takes for its first fields.
const OBJECT: usize = 704;

/// Returns whether a text from outside may be parsed. Some trees take a hundred times the room of their text: `{"":{"":…`.
#[must_use]
pub fn fits_in_memory(text: &[u8]) -> bool {
    tree_bytes(text) <= LARGEST
}

/// An upper limit of the bytes that the tree takes, without parsing. Punctuation inside of strings counts too.
fn tree_bytes(text: &[u8]) -> usize {
    let bytes = |character| match character {
        b'{' => OBJECT,
        b'[' => LIST,
        b',' => VALUE,
        _ => 0,
    };
    text.iter().map(|character| bytes(*character)).sum::<usize>() + text.len()
}
