//! The command line and the environment, and what follows from them.

/// The durations and limits of the queue.
mod policy;
/// What a process does.
mod role;
/// Keys and the database's URL.
mod secrets;
/// How single settings are written.
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jobs::secret_file::SecretFile;
use jobs::{OceanPlan, PerPerson, Rate, duration};
use secrecy::SecretString;
use url::Url;

pub use self::role::Role;
pub use self::values::Grace;
use self::values::web_address;
pub(crate) use self::values::{is_this_machine, socket_address};
use crate::admin::TokensFile;
use crate::telemetry::LogFormat;

#[allow(missing_docs, reason = "clap would show it in place of the command's own text")]
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Stop once every row is finished (exit code 0), or once waiting alone can't finish the
    /// remaining rows (exit code 4)
    #[arg(long)]
    pub until_idle: bool,

    /// What this process does: receive webhooks, everything else, or both
    #[arg(long, env = "WORKER_ROLE", value_enum, default_value_t = Role::All)]
    pub role: Role,

    /// Use the bundled sandbox in place of the providers: it spends nothing and needs no key. The
    /// default database is then sqlite://sandbox.db
    #[arg(long)]
    pub sandbox: bool,

    /// A JSON file with the sandbox's settings (see crates/sandbox/README.md)
    #[arg(long, env = "SANDBOX_CONFIG", requires = "sandbox")]
    pub sandbox_config: Option<PathBuf>,

    /// The database: sqlite://FILE or postgres://USER@HOST/NAME [default: sqlite://reveal.db]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, help_heading = "Database")]
    pub database_url: Option<String>,

    /// A file with the database's URL, which keeps the password out of arguments and variables
    #[arg(long, env = "DATABASE_URL_FILE", value_parser = SecretFile::read, value_name = "FILE", help_heading = "Database")]
    pub database_url_file: Option<SecretFile>,

    /// Don't migrate the database's schema at start
    #[arg(long, help_heading = "Database")]
    pub no_migrate: bool,

    /// Ocean.io's API token. Without it Ocean is off, and rows that need it are held
    #[arg(long, env = "OCEAN_API_TOKEN", hide_env_values = true, help_heading = "Providers")]
    pub ocean_api_token: Option<SecretString>,

    /// A file with Ocean.io's API token
    #[arg(long, env = "OCEAN_API_TOKEN_FILE", value_parser = SecretFile::read, value_name = "FILE", help_heading = "Providers")]
    pub ocean_api_token_file: Option<SecretFile>,

    /// Clodura's API key. Without it Clodura is off, and rows that need it are held
    #[arg(long, env = "CLODURA_API_KEY", hide_env_values = true, help_heading = "Providers")]
    pub clodura_api_key: Option<SecretString>,

    /// A file with Clodura's API key
    #[arg(long, env = "CLODURA_API_KEY_FILE", value_parser = SecretFile::read, value_name = "FILE", help_heading = "Providers")]
    pub clodura_api_key_file: Option<SecretFile>,

    /// The base URL of Ocean.io's API
    #[arg(long, env = "OCEAN_BASE_URL", value_parser = web_address, default_value = providers::ocean::BASE_URL, help_heading = "Providers")]
    pub ocean_base_url: Url,

    /// The base URL of Clodura's API
    #[arg(long, env = "CLODURA_BASE_URL", value_parser = web_address, default_value = providers::clodura::BASE_URL, help_heading = "Providers")]
    pub clodura_base_url: Url,

    /// The IP address and port of the webhook listener. Put nothing else behind a public HTTPS
    /// proxy
    #[arg(long, env = "LISTEN_ADDR", value_parser = socket_address, default_value = "127.0.0.1:8787", help_heading = "Addresses")]
    pub listen_addr: SocketAddr,

    /// The public URL of the webhook listener, such as https://hooks.example.com. Ocean and
    /// Clodura's partners need it
    #[arg(long, env = "WEBHOOK_PUBLIC_URL", value_parser = web_address, help_heading = "Addresses")]
    pub webhook_public_url: Option<Url>,

    /// Until the first Ocean webhook arrives, only one call with at most this many people is out.
    /// 0 turns this off
    #[arg(long, env = "WEBHOOK_CANARY", default_value_t = 10, help_heading = "Addresses")]
    pub webhook_canary: usize,

    /// The IP address and port of health, metrics and dashboard
    #[arg(long, env = "ADMIN_ADDR", value_parser = socket_address, default_value = "127.0.0.1:8788", help_heading = "Addresses")]
    pub admin_addr: SocketAddr,

    /// A token with the role admin for the dashboard and /metrics. Some token is required unless
    /// ADMIN_ADDR is a loopback address
    #[arg(long, env = "ADMIN_TOKEN", hide_env_values = true, help_heading = "Addresses")]
    pub admin_token: Option<SecretString>,

    /// A file with ADMIN_TOKEN
    #[arg(long, env = "ADMIN_TOKEN_FILE", value_parser = SecretFile::read, value_name = "FILE", help_heading = "Addresses")]
    pub admin_token_file: Option<SecretFile>,

    /// A file with a line NAME ROLE TOKEN for each person or program. A viewer sees no people; an
    /// operator also sees rows, exports, cancels, retries, pauses and resumes; an admin also sets
    /// ceilings and reads the audit log
    #[arg(long, env = "ADMIN_TOKENS_FILE", value_parser = TokensFile::read, value_name = "FILE", help_heading = "Addresses")]
    pub admin_tokens_file: Option<TokensFile>,

    /// The most people in one request to Ocean (1 to 500)
    #[arg(long, env = "OCEAN_BATCH_SIZE", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=500), help_heading = "Providers")]
    pub ocean_batch_size: u16,

    /// The highest rate of requests to Ocean, over all workers on this database
    #[arg(long, env = "OCEAN_RATE", default_value = "60/m", help_heading = "Providers")]
    pub ocean_rate: Rate,

    /// The highest rate of requests to Clodura, over all workers on this database
    #[arg(long, env = "CLODURA_RATE", default_value = "5/s", help_heading = "Providers")]
    pub clodura_rate: Rate,

    /// The most open requests to Ocean in this process
    #[arg(long, env = "OCEAN_MAX_IN_FLIGHT", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Providers")]
    pub ocean_max_in_flight: u16,

    /// The most open requests to Clodura in this process
    #[arg(long, env = "CLODURA_MAX_IN_FLIGHT", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Providers")]
    pub clodura_max_in_flight: u16,

    /// Whether Clodura also asks its partners (revealPhoneNumberViaPartners)
    #[arg(long, env = "CLODURA_PARTNERS", default_value_t = true, action = clap::ArgAction::Set, help_heading = "Providers")]
    pub clodura_partners: bool,

    /// Ocean's plan: legacy (1 phone credit a number), unified (10 credits a number), or auto (the
    /// balance shows which)
    #[arg(long, env = "OCEAN_PLAN", default_value = "auto", help_heading = "Providers")]
    pub ocean_plan: OceanPlan,

    /// Credits reserved for each person before Ocean is asked. auto: the plan's price of a number,
    /// times the most numbers that one person had so far, but at least 3
    #[arg(
        long,
        env = "OCEAN_CREDITS_PER_PERSON",
        default_value = "auto",
        help_heading = "Providers"
    )]
    pub ocean_credits_per_person: PerPerson,

    /// Credits reserved for each person before Clodura is asked. auto: 1 if the balance shows
    /// direct dials, otherwise 20
    #[arg(
        long,
        env = "CLODURA_CREDITS_PER_PERSON",
        default_value = "auto",
        help_heading = "Providers"
    )]
    pub clodura_credits_per_person: PerPerson,

    /// How long to wait for a result before its tracking id is polled
    #[arg(long, env = "WEBHOOK_GRACE", default_value = "2m", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub webhook_grace: Duration,

    /// The first wait between two polls
    #[arg(long, env = "POLL_INTERVAL", default_value = "30s", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub poll_interval: Duration,

    /// The longest wait between two polls
    #[arg(long, env = "POLL_INTERVAL_MAX", default_value = "10m", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub poll_interval_max: Duration,

    /// How long to wait for a result. Then a last poll is made, and people without a result expire;
    /// a later webhook still counts
    #[arg(long, env = "RESULT_DEADLINE", default_value = "24h", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub result_deadline: Duration,

    /// How long until a request of unknown outcome is sent again, at the risk of paying twice.
    /// never: it waits for its webhook, as an accepted one does
    #[arg(
        long,
        env = "UNKNOWN_GRACE",
        default_value = "never",
        help_heading = "Results, retries and gates"
    )]
    pub unknown_grace: Grace,

    /// The first wait before the balance is read again when the credits are used up. It grows to an
    /// hour
    #[arg(long, env = "CREDITS_CHECK_INTERVAL", default_value = "5m", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub credits_check_interval: Duration,

    /// The first backoff of a refused person (exponential, full jitter)
    #[arg(long, env = "RETRY_BASE", default_value = "5s", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub retry_base: Duration,

    /// The longest backoff of a refused person
    #[arg(long, env = "RETRY_MAX", default_value = "15m", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub retry_max: Duration,

    /// The first wait before a closed gate is probed, if the provider names no time. It doubles
    /// each time
    #[arg(long, env = "GATE_BASE", default_value = "1m", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub gate_base: Duration,

    /// The longest wait between two probes of a closed gate
    #[arg(long, env = "GATE_MAX", default_value = "1h", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub gate_max: Duration,

    /// The number of refusals after which a person has failed. 402 and 429 never count
    #[arg(long, env = "MAX_ATTEMPTS", default_value_t = 8, value_parser = clap::value_parser!(i64).range(1..), help_heading = "Results, retries and gates")]
    pub max_attempts: i64,

    /// How long a worker may be silent before others take over its work
    #[arg(long, env = "HEARTBEAT_TIMEOUT", default_value = "30s", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub heartbeat_timeout: Duration,

    /// How long a webhook's body is kept after it arrived. never: it is not deleted
    #[arg(long, env = "RETAIN_BODIES", default_value = "never", help_heading = "Retention")]
    pub retain_bodies: Grace,

    /// How long the log of polls, balances, webhooks, and requests without people is kept. never:
    /// it is not deleted
    #[arg(long, env = "RETAIN_CALLS", default_value = "never", help_heading = "Retention")]
    pub retain_calls: Grace,

    /// How long finished batches and people with their numbers are kept (never: they are not
    /// deleted). Asking again for deleted people pays again
    #[arg(long, env = "RETAIN_PEOPLE", default_value = "never", help_heading = "Retention")]
    pub retain_people: Grace,

    /// How long a provider may take to answer a request. After that its outcome is unknown
    #[arg(long, env = "REQUEST_TIMEOUT", default_value = "60s", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub request_timeout: Duration,

    /// How long the worker may take to end after SIGTERM. Requests in flight may take all of it but
    /// the last 6s
    #[arg(long, env = "SHUTDOWN_TIMEOUT", default_value = "30s", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub shutdown_timeout: Duration,

    /// The directory that keeps webhooks while the database is unavailable
    #[arg(long, env = "SPOOL_DIR", default_value = "reveal-spool", help_heading = "Database")]
    pub spool_dir: PathBuf,

    /// The format of the log
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

impl Config {
    /// The database, by default one that suits the mode.
    #[must_use]
    pub fn database(&self) -> &str {
        let given = self.database_url.as_deref().filter(|url| !url.is_empty());
        match self.database_url_file.as_ref().map(SecretFile::text).or(given) {
            Some(url) => url,
            None if self.sandbox => "sqlite://sandbox.db",
            None => "sqlite://reveal.db",
        }
    }

    /// The providers' addresses to which keys would travel in clear text, by the variables that set them.
    pub fn readable_on_the_way(&self) -> impl Iterator<Item = (&'static str, &Url)> {
        let urls = [
            ("OCEAN_BASE_URL", &self.ocean_base_url),
            ("CLODURA_BASE_URL", &self.clodura_base_url),
        ];
        urls.into_iter().filter(|(_, url)| url.scheme() != "https" && !is_this_machine(url))
    }
}
