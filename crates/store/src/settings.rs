//! Whether the database holds real or made-up numbers, and the keys that live in it.

use std::time::Duration;

use db::Conn;
use jobs::Timestamp;

use crate::audit::{Action, Entry};
use crate::error::{Result, StoreError};
use crate::store::Store;

/// How long a webhook secret that was replaced still verifies: longer than any result may be late.
const SECRET_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

/// Whether the numbers in a database were bought or made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// Real providers.
    Live,
    /// The bundled sandbox.
    Sandbox,
}

impl Stamp {
    fn as_str(self) -> &'static str {
        match self {
            Stamp::Live => "live",
            Stamp::Sandbox => "sandbox",
        }
    }
}

/// Operations of what the database is used for, and its keys.
#[derive(Clone, Copy)]
pub struct Settings<'s> {
    store: &'s Store,
}

impl Store {
    /// Operations of what the database is used for, and its keys.
    #[must_use]
    pub fn settings(&self) -> Settings<'_> {
        Settings { store: self }
    }
}

impl Settings<'_> {
    /// Stamps a new database, and refuses one that is stamped otherwise.
    ///
    /// # Errors
    /// [`StoreError::Stamp`] if the database was first used as the other kind.
    pub async fn stamp(self, wanted: Stamp) -> Result<()> {
        self.store.db.write(move |conn| {
            Box::pin(async move {
                conn.execute(
                    "INSERT INTO settings (name, value) VALUES ('stamp', $1) ON CONFLICT (name) DO NOTHING",
                    &[&wanted.as_str()],
                )
                .await?;
                let found: String = conn.fetch_value(
                    "SELECT value FROM settings WHERE name = 'stamp'",
                    &[],
                )
                .await?;
                if found == wanted.as_str() {
                    Ok(())
                } else {
                    Err(StoreError::Stamp { found, wanted: wanted.as_str().to_owned() })
                }
            })
        })
        .await
    }

    /// Returns the keys for webhook signatures and when each was made, newest first. The newest key signs, and all of them
    /// verify.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn webhook_secrets(self) -> Result<Vec<(String, Timestamp)>> {
        self.dated_secrets("webhook").await
    }

    /// Makes a new key for webhook signatures. The webhook URLs of requests that are out stay unchanged.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn rotate_webhook_secret(self) -> Result<()> {
        let (actor, now) = (self.store.actor(), self.store.now());
        self.store
            .db
            .write(move |conn| {
                Box::pin(async move {
                    // Makes sure that there is a key to be replaced; otherwise the first one would be made twice.
                    dated_or_make(conn, "webhook", now).await?;
                    make(conn, "webhook", now).await?;
                    let entry = Entry::of(Action::Rotate).details("webhook-secret".to_owned());
                    entry.write(conn, actor, now).await
                })
            })
            .await
    }

    /// Returns the key for the hashes of erased people.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn erasure_key(self) -> Result<String> {
        let mut secrets = self.secrets("erasure").await?;
        secrets.pop().ok_or_else(|| StoreError::NotFound("the key for erasures is missing".into()))
    }

    /// Returns the key for the fingerprints that distinguish the providers' keys.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn fingerprint_key(self) -> Result<String> {
        let mut secrets = self.secrets("fingerprint").await?;
        secrets
            .pop()
            .ok_or_else(|| StoreError::NotFound("the key for fingerprints is missing".into()))
    }

    async fn secrets(self, purpose: &'static str) -> Result<Vec<String>> {
        let dated = self.dated_secrets(purpose).await?;
        Ok(dated.into_iter().map(|(secret, _)| secret).collect())
    }

    async fn dated_secrets(self, purpose: &'static str) -> Result<Vec<(String, Timestamp)>> {
        let now = self.store.now();
        let usable = usable(&mut self.store.db.read().await?, purpose, now).await?;
        if !usable.is_empty() {
            return Ok(usable);
        }
        self.store
            .db
            .write(move |conn| Box::pin(async move { dated_or_make(conn, purpose, now).await }))
            .await
    }
}

/// Returns the keys of a purpose, the newest first. Makes one if there is none.
pub(crate) async fn read_or_make(
    conn: &mut Conn,
    purpose: &'static str,
    now: Timestamp,
) -> Result<Vec<String>> {
    let dated = dated_or_make(conn, purpose, now).await?;
    Ok(dated.into_iter().map(|(secret, _)| secret).collect())
}

async fn dated_or_make(
    conn: &mut Conn,
    purpose: &'static str,
    now: Timestamp,
) -> Result<Vec<(String, Timestamp)>> {
    // One row that every database has serves as the lock: two processes must not make two keys.
    let _: Option<(i64,)> =
        conn.fetch_optional("SELECT next FROM reveal_ids WHERE one = 1 FOR UPDATE", &[]).await?;
    let usable = usable(conn, purpose, now).await?;
    if !usable.is_empty() {
        return Ok(usable);
    }
    Ok(vec![(make(conn, purpose, now).await?, now)])
}

/// Returns the keys that are still usable, the newest first.
async fn usable(
    conn: &mut Conn,
    purpose: &'static str,
    now: Timestamp,
) -> Result<Vec<(String, Timestamp)>> {
    let limit = if purpose == "webhook" { (now - SECRET_LIFETIME).0 } else { 0 };
    let found: Vec<(String, i64)> = conn
        .fetch_all(
            "SELECT secret, created_at FROM secrets WHERE purpose = $1 ORDER BY id DESC",
            &[&purpose],
        )
        .await?;
    // The newest key is always usable, however old: it signs. The lifetime of an older key starts when it is replaced.
    let replaced = std::iter::once(i64::MAX).chain(found.iter().map(|(_, created)| *created));
    let usable = found
        .iter()
        .zip(replaced)
        .filter(|(_, replaced)| *replaced >= limit)
        .map(|((secret, created), _)| (secret.clone(), Timestamp(*created)));
    Ok(usable.collect())
}

async fn make(conn: &mut Conn, purpose: &'static str, now: Timestamp) -> Result<String> {
    let secret = new_secret();
    conn.execute(
        "INSERT INTO secrets (purpose, secret, created_at) VALUES ($1, $2, $3)",
        &[&purpose, &secret.as_str(), &now.0],
    )
    .await?;
    Ok(secret)
}

/// 256 bits from the system's generator, as hex.
fn new_secret() -> String {
    use std::fmt::Write;
    let bytes: [u8; 32] = rand::random();
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
