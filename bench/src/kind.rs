use std::fmt;

/// The kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// Returns the target for this kind of database.
    pub fn target(self, sqlite: f64, postgres: f64) -> f64 {
        match self {
            Kind::Sqlite => sqlite,
            Kind::Postgres => postgres,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgres",
        })
    }
}
