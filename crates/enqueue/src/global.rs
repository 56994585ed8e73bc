use clap::Args;
use jobs::secret_file::{self, SecretFile};

use crate::failure::Failure;
use crate::telemetry::LogFormat;

/// The heading of the options that all commands have, below a command's own options.
const GLOBAL: &str = "Global options";

/// The database where none is named.
const USUAL_DATABASE: &str = "sqlite://reveal.db";

/// What all commands have in common.
#[derive(Debug, Args)]
pub struct Global {
    /// The database: sqlite://FILE (submit creates a missing file) or postgres://USER@HOST/NAME
    /// [default: sqlite://reveal.db]
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        help_heading = GLOBAL
    )]
    pub database_url: Option<String>,

    /// A file with the database's URL, which keeps the password out of arguments and variables
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL_FILE",
        value_parser = SecretFile::read,
        value_name = "FILE",
        help_heading = GLOBAL
    )]
    pub database_url_file: Option<SecretFile>,

    /// Don't migrate the database's schema at start
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub no_migrate: bool,

    /// The format of the log. RUST_LOG filters it (default: warnings)
    #[arg(
        long,
        global = true,
        env = "LOG_FORMAT",
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        help_heading = GLOBAL
    )]
    pub log_format: LogFormat,
}

impl Global {
    /// The database's URL.
    ///
    /// # Errors
    /// The URL is given twice.
    pub fn database(&self) -> Result<&str, Failure> {
        let given = self.database_url.as_deref().filter(|url| !url.is_empty());
        let file = self.database_url_file.as_ref();
        secret_file::one_of("DATABASE_URL", given.is_some(), file).map_err(Failure::Usage)?;
        Ok(file.map(SecretFile::text).or(given).unwrap_or(USUAL_DATABASE))
    }
}
