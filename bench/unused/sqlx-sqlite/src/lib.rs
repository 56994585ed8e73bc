//! Empty: never compiled, see Cargo.toml.
