//! Webhooks that came while the database was away: one file each, synced to disk, drained into the
//! inbox when the database is back, also after a crash.

use std::borrow::Cow;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jobs::{CallId, Provider};
use serde::{Deserialize, Serialize};
use store::{NewWebhook, Store};

/// How often the spool is looked into.
const DRAIN_INTERVAL: Duration = Duration::from_secs(1);

/// A directory of kept webhooks.
#[derive(Clone)]
pub struct Spool(Arc<PathBuf>);

/// The content of a file. `v` shows later versions how to read it.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    v: u32,
    provider: Provider,
    call_id: Cow<'a, str>,
    malformed: bool,
    body: Cow<'a, [u8]>,
}

impl Spool {
    /// A spool in `directory`, which is made when it is needed.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Spool(Arc::new(directory))
    }

    /// Keeps a webhook; durable when this returns.
    ///
    /// # Errors
    /// The disk is full or not writable.
    pub async fn keep(&self, webhook: Arc<NewWebhook>) -> std::io::Result<()> {
        let directory = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || write(&directory, &webhook)).await?
    }

    /// Moves spooled webhooks into the inbox, every second, until the process ends.
    pub async fn drain_forever(self, store: Store) {
        loop {
            if let Err(error) = self.drain(&store).await {
                tracing::warn!(%error, "the spool can't be drained yet");
            }
            tokio::time::sleep(DRAIN_INTERVAL).await;
        }
    }

    /// Moves spooled webhooks into the inbox. Returns how many. A crash midway leaves a webhook in both, which is
    /// harmless: applying is idempotent.
    ///
    /// # Errors
    /// The database is away, or a file can't be read.
    pub async fn drain(&self, store: &Store) -> anyhow::Result<usize> {
        let mut drained = 0;
        for path in self.files()? {
            match serde_json::from_slice::<Kept>(&tokio::fs::read(&path).await?) {
                Ok(kept) => {
                    let Kept { provider, call_id, malformed, body, .. } = kept;
                    let (call_id, body) = (call_id.into_owned(), body.into_owned());
                    store
                        .results()
                        .store_acknowledged(NewWebhook { provider, call_id, body, malformed })
                        .await?;
                    tokio::fs::remove_file(&path).await?;
                    drained += 1;
                }
                Err(error) => {
                    tracing::error!(file = %path.display(), %error, "a spooled webhook can't be read; set aside");
                    tokio::fs::rename(&path, path.with_extension("unreadable")).await?;
                }
            }
        }
        Ok(drained)
    }

    fn files(&self) -> std::io::Result<Vec<PathBuf>> {
        let entries = match std::fs::read_dir(self.0.as_path()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        // The names begin with a time, so this is the order in which they came.
        files.sort();
        Ok(files)
    }
}

/// Writes the file whole under another name, syncs it, renames it, and syncs the directory. After a power loss the
/// file is there, or the provider never got its 200.
fn write(directory: &Path, webhook: &NewWebhook) -> std::io::Result<()> {
    create(directory)?;
    let kept = Kept {
        v: 1,
        provider: webhook.provider,
        call_id: Cow::Borrowed(&webhook.call_id),
        malformed: webhook.malformed,
        body: Cow::Borrowed(&webhook.body),
    };
    let bytes = serde_json::to_vec(&kept)?;
    let name = CallId::generate().to_string();
    let part = directory.join(format!("{name}.part"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, directory.join(format!("{name}.json")))?;
    std::fs::File::open(directory)?.sync_all()
}

/// Creates the spool's directory, which only its owner can read: bodies hold people's numbers.
pub(crate) fn create(directory: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}
