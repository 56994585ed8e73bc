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
        Command::Cancel(args) => manage::cancel(&open(global).await?, &args).await,
        Command::Retry(args) => manage::retry(&open(global).await?, &args).await,
        Command::Pause(args) => manage::pause(&open(global).await?, &args).await,
        Command::Resume(args) => manage::resume(&open(global).await?, &args).await,
        Command::Erase(args) => forget::erase(&open(global).await?, &args).await,
        Command::Purge(args) => forget::purge(&open(global).await?, &args).await,
        Command::Migrate => migrate(global).await,
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { folder } => manual::pages(&folder),
    }
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
