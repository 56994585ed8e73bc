use jobs::Clock;
use store::Store;

use crate::cli::{Cli, Command, Global};
use crate::failure::Failure;
use crate::output::say;
use crate::{export, forget, manage, manual, status, submit};

/// Does what the command line says.
///
/// # Errors
/// It could not; the failure carries the exit code.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Submit(args) => submit::submit(*args, global).await,
        Command::Status(args) => status::status(&open(global).await?, &args).await,
        Command::Export(args) => export::export(&open(global).await?, &args).await,
        Command::Cancel(args) => {
            change(global, async |store| manage::cancel(store, &args).await).await
        }
        Command::Retry(args) => {
            change(global, async |store| manage::retry(store, &args).await).await
        }
        Command::Pause(args) => {
            change(global, async |store| manage::pause(store, &args).await).await
        }
        Command::Resume(args) => {
            change(global, async |store| manage::resume(store, &args).await).await
        }
        Command::Erase(args) => {
            change(global, async |store| forget::erase(store, &args).await).await
        }
        Command::Purge(args) => {
            change(global, async |store| forget::purge(store, &args).await).await
        }
        Command::Migrate => migrate(global).await,
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { folder } => manual::pages(&folder),
    }
}

/// Changes something in the ledger, and ends when others know of it, however it ended.
pub(crate) async fn change(
    global: &Global,
    work: impl AsyncFnOnce(&Store) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let store = open(global).await?;
    let done = work(&store).await;
    store.others_told().await;
    done
}

/// Opens the ledger.
pub(crate) async fn open(global: &Global) -> Result<Store, Failure> {
    let store = Store::connect(&global.database_url, !global.no_migrate, Clock::system()).await?;
    store.ping().await?;
    Ok(store)
}

async fn migrate(global: &Global) -> Result<(), Failure> {
    if global.no_migrate {
        return Err(Failure::Usage("migrate and --no-migrate contradict each other".to_owned()));
    }
    open(global).await?;
    say("The database's schema is up to date.");
    Ok(())
}
