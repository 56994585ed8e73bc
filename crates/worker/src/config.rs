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
    /// Stop once every row is finished (exit code 0), or once all that is left waits for what
    /// waiting alone can't end (exit code 4)
    #[arg(long)]
    pub until_idle: bool,

    /// What this process does: receive webhooks, work, or both
    #[arg(long, env = "WORKER_ROLE", value_enum, default_value_t = Role::All)]
    pub role: Role,

    /// Use the bundled stand-in for both providers: spends nothing, needs no key. The default
    /// database is then sqlite://sandbox.db
    #[arg(long)]
    pub sandbox: bool,

    /// A JSON file that sets up the sandbox (see crates/sandbox/README.md)
    #[arg(long, env = "SANDBOX_CONFIG", requires = "sandbox")]
    pub sandbox_config: Option<PathBuf>,

    /// sqlite://FILE or postgres://USER@HOST/NAME [default: sqlite://reveal.db]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, help_heading = "Database")]
    pub database_url: Option<String>,

    /// A file that holds the database's URL, so that no argument or variable holds a password
    #[arg(long, env = "DATABASE_URL_FILE", value_parser = SecretFile::read, value_name = "FILE", help_heading = "Database")]
    pub database_url_file: Option<SecretFile>,

    /// Don't bring the database's schema up to date at start
    #[arg(long, help_heading = "Database")]
    pub no_migrate: bool,

    /// Ocean.io's API token; without it Ocean is off
    #[arg(long, env = "OCEAN_API_TOKEN", hide_env_values = true, help_heading = "Providers")]
    pub ocean_api_token: Option<SecretString>,

    /// A file that holds Ocean.io's API token
    #[arg(long, env = "OCEAN_API_TOKEN_FILE", value_parser = SecretFile::read, value_name = "FILE", help_heading = "Providers")]
    pub ocean_api_token_file: Option<SecretFile>,

    /// Clodura's API key; without it Clodura is off
    #[arg(long, env = "CLODURA_API_KEY", hide_env_values = true, help_heading = "Providers")]
    pub clodura_api_key: Option<SecretString>,

    /// A file that holds Clodura's API key
    #[arg(long, env = "CLODURA_API_KEY_FILE", value_parser = SecretFile::read, value_name = "FILE", help_heading = "Providers")]
    pub clodura_api_key_file: Option<SecretFile>,

    /// Where Ocean.io's API is
    #[arg(long, env = "OCEAN_BASE_URL", value_parser = web_address, default_value = providers::ocean::BASE_URL, help_heading = "Providers")]
    pub ocean_base_url: Url,

    /// Where Clodura's API is
    #[arg(long, env = "CLODURA_BASE_URL", value_parser = web_address, default_value = providers::clodura::BASE_URL, help_heading = "Providers")]
    pub clodura_base_url: Url,

    /// Where webhooks are received: the only thing to put behind a public HTTPS proxy
    #[arg(long, env = "LISTEN_ADDR", value_parser = socket_address, default_value = "127.0.0.1:8787", help_heading = "Addresses")]
    pub listen_addr: SocketAddr,

    /// How providers reach the webhook listener, such as https://hooks.example.com. Needed for
    /// Ocean and for Clodura's partners
    #[arg(long, env = "WEBHOOK_PUBLIC_URL", value_parser = web_address, help_heading = "Addresses")]
    pub webhook_public_url: Option<Url>,

    /// Until a first Ocean webhook has come in, only one call of at most so many people is out;
    /// 0 turns that off
    #[arg(long, env = "WEBHOOK_CANARY", default_value_t = 10, help_heading = "Addresses")]
    pub webhook_canary: usize,

    /// Health, metrics and dashboard
    #[arg(long, env = "ADMIN_ADDR", value_parser = socket_address, default_value = "127.0.0.1:8788", help_heading = "Addresses")]
    pub admin_addr: SocketAddr,

    /// Asked for by the dashboard, and by /metrics as a bearer token; needed where ADMIN_ADDR can be
    /// reached by others. Its holder may do everything there
    #[arg(long, env = "ADMIN_TOKEN", hide_env_values = true, help_heading = "Addresses")]
    pub admin_token: Option<SecretString>,

    /// A file that holds ADMIN_TOKEN
    #[arg(long, env = "ADMIN_TOKEN_FILE", value_parser = SecretFile::read, value_name = "FILE", help_heading = "Addresses")]
    pub admin_token_file: Option<SecretFile>,

    /// A file with a line NAME ROLE TOKEN for each person or program that may see the dashboard.
    /// viewer: sees how things stand, and no people; operator: sees rows, exports, cancels, retries,
    /// pauses and resumes; admin: sets ceilings and reads the audit log, too
    #[arg(long, env = "ADMIN_TOKENS_FILE", value_parser = TokensFile::read, value_name = "FILE", help_heading = "Addresses")]
    pub admin_tokens_file: Option<TokensFile>,

    /// Most people in one Ocean request (1 to 500)
    #[arg(long, env = "OCEAN_BATCH_SIZE", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=500), help_heading = "Providers")]
    pub ocean_batch_size: u16,

    /// Most requests to Ocean over all workers on this database
    #[arg(long, env = "OCEAN_RATE", default_value = "60/m", help_heading = "Providers")]
    pub ocean_rate: Rate,

    /// Most requests to Clodura over all workers on this database
    #[arg(long, env = "CLODURA_RATE", default_value = "5/s", help_heading = "Providers")]
    pub clodura_rate: Rate,

    /// Most open requests to Ocean in this process
    #[arg(long, env = "OCEAN_MAX_IN_FLIGHT", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Providers")]
    pub ocean_max_in_flight: u16,

    /// Most open requests to Clodura in this process
    #[arg(long, env = "CLODURA_MAX_IN_FLIGHT", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Providers")]
    pub clodura_max_in_flight: u16,

    /// Let Clodura ask its partners, too (revealPhoneNumberViaPartners)
    #[arg(long, env = "CLODURA_PARTNERS", default_value_t = true, action = clap::ArgAction::Set, help_heading = "Providers")]
    pub clodura_partners: bool,

    /// Ocean's plan: legacy (a pool of phone credits, 1 a number), unified (one pool, 10 a number), or
    /// auto, which tells by the balance
    #[arg(long, env = "OCEAN_PLAN", default_value = "auto", help_heading = "Providers")]
    pub ocean_plan: OceanPlan,

    /// Credits reserved for each person before Ocean is asked; auto: the plan's price for the most
    /// numbers that one person had so far, at least 3
    #[arg(
        long,
        env = "OCEAN_CREDITS_PER_PERSON",
        default_value = "auto",
        help_heading = "Providers"
    )]
    pub ocean_credits_per_person: PerPerson,

    /// Credits reserved for each person before Clodura is asked; auto: 1 where the balance shows
    /// direct dials, else 20
    #[arg(
        long,
        env = "CLODURA_CREDITS_PER_PERSON",
        default_value = "auto",
        help_heading = "Providers"
    )]
    pub clodura_credits_per_person: PerPerson,

    /// How long a result may be out before its tracking id is polled
    #[arg(long, env = "WEBHOOK_GRACE", default_value = "2m", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub webhook_grace: Duration,

    /// The first wait between two polls
    #[arg(long, env = "POLL_INTERVAL", default_value = "30s", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub poll_interval: Duration,

    /// The longest wait between two polls
    #[arg(long, env = "POLL_INTERVAL_MAX", default_value = "10m", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub poll_interval_max: Duration,

    /// No result by then, and none at a last poll: expired (a later webhook is still taken)
    #[arg(long, env = "RESULT_DEADLINE", default_value = "24h", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub result_deadline: Duration,

    /// When a request of unknown outcome is sent again, at the risk of paying twice; never: it
    /// waits for its webhook like an accepted one
    #[arg(
        long,
        env = "UNKNOWN_GRACE",
        default_value = "never",
        help_heading = "Results, retries and gates"
    )]
    pub unknown_grace: Grace,

    /// How soon the balance is asked again while credits are out (grows to an hour)
    #[arg(long, env = "CREDITS_CHECK_INTERVAL", default_value = "5m", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub credits_check_interval: Duration,

    /// First backoff of a refused person (exponential, full jitter)
    #[arg(long, env = "RETRY_BASE", default_value = "5s", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub retry_base: Duration,

    /// Longest backoff of a refused person
    #[arg(long, env = "RETRY_MAX", default_value = "15m", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub retry_max: Duration,

    /// How soon a closed gate is probed where the provider names no time, doubling
    #[arg(long, env = "GATE_BASE", default_value = "1m", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub gate_base: Duration,

    /// Longest wait between two probes of a closed gate
    #[arg(long, env = "GATE_MAX", default_value = "1h", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub gate_max: Duration,

    /// Refusals after which a person has failed; 402 and 429 never count
    #[arg(long, env = "MAX_ATTEMPTS", default_value_t = 8, value_parser = clap::value_parser!(i64).range(1..), help_heading = "Results, retries and gates")]
    pub max_attempts: i64,

    /// A worker silent for that long has its work taken over
    #[arg(long, env = "HEARTBEAT_TIMEOUT", default_value = "30s", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub heartbeat_timeout: Duration,

    /// How long bodies of webhooks are kept after they came; never: for good
    #[arg(long, env = "RETAIN_BODIES", default_value = "never", help_heading = "Retention")]
    pub retain_bodies: Grace,

    /// How long the log of polls, balances, webhooks, and requests without people is kept; never: for good
    #[arg(long, env = "RETAIN_CALLS", default_value = "never", help_heading = "Retention")]
    pub retain_calls: Grace,

    /// How long finished batches and people with their numbers are kept; asking for them again pays
    /// again; never: for good
    #[arg(long, env = "RETAIN_PEOPLE", default_value = "never", help_heading = "Retention")]
    pub retain_people: Grace,

    /// How long a provider may take to answer a request; its outcome is unknown after that
    #[arg(long, env = "REQUEST_TIMEOUT", default_value = "60s", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub request_timeout: Duration,

    /// How long requests in flight may take to finish after SIGTERM
    #[arg(long, env = "SHUTDOWN_TIMEOUT", default_value = "30s", value_parser = duration::parse, help_heading = "Results, retries and gates")]
    pub shutdown_timeout: Duration,

    /// Where webhooks are kept while the database is away
    #[arg(long, env = "SPOOL_DIR", default_value = "reveal-spool", help_heading = "Database")]
    pub spool_dir: PathBuf,

    /// How logs are written
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
