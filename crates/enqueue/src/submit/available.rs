use jobs::{Clock, Provider};
use store::{Store, sqlite_file};

use super::environment::has_key;
use crate::context::with;
use crate::failure::Failure;
use crate::global::Global;

/// The providers that are set up: that a worker of this database could use last, or whose key is in the environment.
///
/// # Errors
/// No provider is set up, or the database can't be used.
pub async fn providers(global: &Global) -> Result<Vec<Provider>, Failure> {
    let url = global.database()?;
    let by_workers = match sqlite_file(url).is_none_or(|file| file.exists()) {
        true => {
            let store = Store::connect(url, !global.no_migrate, Clock::system()).await?;
            with(&store, async { Ok(store.workers().providers_set_up().await?) }).await?
        }
        false => Vec::new(),
    };
    let all = Provider::ALL.into_iter();
    let available: Vec<Provider> =
        all.filter(|provider| by_workers.contains(provider) || has_key(*provider)).collect();
    if available.is_empty() {
        return Err(Failure::Usage(
            "--providers available: no provider is set up; start a worker with a key on this database, \
             or name the providers"
                .into(),
        ));
    }
    Ok(available)
}
