//! Connections to a Postgres server: for reading, for writing, and for notifications.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgListener, PgSslMode};
use sqlx::{Connection, PgConnection, PgPool};

use crate::backend::Backend;
use crate::error::{DbError, Result};
use crate::postgres::migrate;
use crate::postgres::notify::{Notifier, NotifierId};
use crate::postgres::pool::{PATIENCE, pool_of, with_settings};
use crate::postgres::pooler::{self, Pooling};
use crate::redacted_url::redacted_url;
use crate::schema::Schema;
use crate::signals::Changes;
use crate::transaction::Durability;
use crate::unusable;

/// A transaction finds everything by an index. Left alone, Postgres would plan with statistics of tables that were empty when
/// it last looked, scan them, and keep such a plan.
const BY_INDEX: [(&str, &str); 10] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_bitmapscan", "off"),
    ("max_parallel_workers_per_gather", "0"),
    // Joins are done in the order in which they are written: the parameters come first.
    ("join_collapse_limit", "1"),
    ("from_collapse_limit", "1"),
    // Reading a row costs more than finding the right one.
    ("random_page_cost", "0.1"),
    ("cpu_tuple_cost", "1"),
    ("jit", "off"),
];

/// Readers read little at a time, in the order of an index. Parallel workers, sorting everything that follows, scanning a table
/// for a few thousand rows, or compiling the query would all take longer.
const BY_ITSELF: [(&str, &str); 4] = [
    ("max_parallel_workers_per_gather", "0"),
    ("enable_bitmapscan", "off"),
    ("random_page_cost", "1.1"),
    ("jit", "off"),
];

/// Pages that a connection evicts are written to the disk soon. The system would keep them until the server's next checkpoint,
/// and a commit would wait behind all of them: 100 to 250 ms while many rows come in.
const STEADILY: [(&str, &str); 1] = [("backend_flush_after", "256kB")];

/// A process that was stopped, or whose machine is gone, may hold a lock for which all others wait. So the server ends idle
/// transactions, statements that take longer than any of ours, and dead connections. Values in the URL take precedence.
const NOT_FOR_EVER: [(&str, &str); 6] = [
    ("idle_in_transaction_session_timeout", "20s"),
    ("statement_timeout", "10min"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30s"),
];

/// The parallel transaction meets no lock, unless the tables are altered at the same time. That would wait for the first
/// transaction, which waits for the parallel one in this process, where the server can't see the deadlock.
const IN_TIME: [(&str, &str); 1] = [("lock_timeout", "10s")];

/// How long the server may take to take a notification.
const LONGEST_ANSWER: Duration = Duration::from_secs(1);

/// Connects; also says what the database is called in messages.
pub(crate) async fn open_postgres(
    url: &str,
    schema: &'static Schema,
    migrate: bool,
    changes: &Changes,
) -> Result<(Backend, String)> {
    let options = parse(url)?
        .application_name(schema.application)
        .statement_cache_capacity(256)
        // Nothing is read as text, and PgBouncer refuses to start with it.
        .extra_float_digits(None);
    first_connection(&options).await?;
    if migrate {
        migrate::migrate(&options, &schema.postgres).await?;
    }
    let place = unusable::place(&options);
    let readers = with_settings(pool_of(4), &BY_ITSELF).connect_lazy_with(options.clone());
    let writing = [&BY_INDEX[..], &STEADILY, &limits(&options)].concat();
    let in_time = [&writing[..], &IN_TIME].concat();
    let writers = with_settings(pool_of(12), &writing).connect_lazy_with(options.clone());
    // A pool of its own: a transaction must not wait for a second connection of the pool that it has one of.
    let parallel = with_settings(pool_of(1), &in_time).connect_lazy_with(options.clone());
    let notifying = pool_of(1).acquire_timeout(LONGEST_ANSWER);
    let notifier = Notifier::start(notifying, options, schema.channel);
    tokio::spawn(listen(readers.clone(), schema.channel, changes.clone(), notifier.id()));
    Ok((Backend::Postgres { writers, parallel, readers, notifier }, place))
}

/// The limits that the URL sets none of its own for.
fn limits(options: &PgConnectOptions) -> Vec<(&'static str, &'static str)> {
    let own = options.get_options().unwrap_or_default();
    NOT_FOR_EVER.into_iter().filter(|(name, _)| !own.contains(name)).collect()
}

/// What sqlx doesn't know in a URL it would put into the log, value and all: a password whose key was misspelt.
fn parse(url: &str) -> Result<PgConnectOptions> {
    let bad = || DbError::Url { url: redacted_url(url) };
    let mut url = url::Url::parse(url).map_err(|_| bad())?;
    let (known, unknown): (Vec<_>, Vec<_>) =
        url.query_pairs().into_owned().partition(|(key, _)| is_parameter(key));
    for (key, _) in &unknown {
        tracing::warn!(
            "DATABASE_URL: {key:?} is no parameter of a connection and counts for nothing"
        );
    }
    url.query_pairs_mut().clear().extend_pairs(known);
    PgConnectOptions::from_str(url.as_str()).map_err(|_| bad())
}

fn is_parameter(key: &str) -> bool {
    const KNOWN: [&str; 17] = [
        "sslmode",
        "ssl-mode",
        "sslrootcert",
        "ssl-root-cert",
        "ssl-ca",
        "sslcert",
        "ssl-cert",
        "sslkey",
        "ssl-key",
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "password",
        "application_name",
        "options",
    ];
    KNOWN.contains(&key) || key.starts_with("options[")
}

/// A pool would try again until its patience ends, and then name no cause. A server that is starting is waited for.
async fn first_connection(options: &PgConnectOptions) -> Result<()> {
    let started = Instant::now();
    loop {
        let error = match connect_once(options).await {
            Ok(Pooling::Session) => return Ok(()),
            Ok(Pooling::Shared) => return Err(unusable::shared_sessions(options)),
            Ok(Pooling::Exhausted) => return Err(unusable::no_second_session(options)),
            Err(error) => error,
        };
        if !unusable::is_starting(&error) || started.elapsed() > PATIENCE {
            return Err(unusable::postgres(options, &error));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn connect_once(options: &PgConnectOptions) -> sqlx::Result<Pooling> {
    let connecting = tokio::time::timeout(PATIENCE, PgConnection::connect_with(options)).await;
    let late = |_| {
        let late = std::io::Error::other(format!("nothing within {PATIENCE:?}"));
        Err(sqlx::Error::Io(late))
    };
    let mut conn = connecting.unwrap_or_else(late)?;
    let pooling = pooler::pooling(&mut conn, options, PATIENCE).await?;
    if matches!(pooling, Pooling::Session) {
        warn_of_clear_text(&mut conn, options).await;
    }
    let _ = conn.close().await;
    Ok(pooling)
}

/// Without an `sslmode` that requires TLS, a server without TLS gets the password and everything else in clear text.
async fn warn_of_clear_text(conn: &mut PgConnection, options: &PgConnectOptions) {
    if !may_fall_back(options) {
        return;
    }
    let encrypted =
        sqlx::query_scalar::<_, bool>("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    if encrypted.fetch_optional(conn).await.ok().flatten() == Some(false) {
        tracing::warn!(
            host = options.get_host(),
            "the connection to Postgres is not encrypted; add sslmode=verify-full to DATABASE_URL, or sslmode=disable if the network is trusted"
        );
    }
}

/// Whether a connection that leaves this machine may be in clear text without the user's choice.
fn may_fall_back(options: &PgConnectOptions) -> bool {
    let asked_for = !matches!(options.get_ssl_mode(), PgSslMode::Prefer | PgSslMode::Allow);
    let host = options.get_host().trim_matches(['[', ']']);
    let loopback = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let here =
        options.get_socket().is_some() || host.starts_with('/') || host == "localhost" || loopback;
    !asked_for && !here
}

/// How a transaction begins.
pub(crate) fn begin(durability: Durability) -> &'static str {
    match durability {
        Durability::Full => "BEGIN",
        Durability::WithTheNext => "BEGIN; SET LOCAL synchronous_commit = off",
    }
}

/// Hands other processes' notifications on to this one. A lost connection is made again; what was missed
/// meanwhile is made up for by waking everybody.
async fn listen(pool: PgPool, channel: &'static str, changes: Changes, own: NotifierId) {
    while !pool.is_closed() {
        if let Ok(mut listener) = PgListener::connect_with(&pool).await
            && listener.listen(channel).await.is_ok()
        {
            changes.wake_all();
            while let Ok(notification) = listener.recv().await {
                if own.is(notification.process_id()) {
                    continue;
                }
                changes.wake_one(notification.payload());
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
