use jobs::Clock;
use store::{DbError, Store, StoreError};

use crate::alias::{self, AliasCommand};
use crate::cli::{Cli, Command};
use crate::context::{change, existing, with};
use crate::failure::Failure;
use crate::global::Global;
use crate::output::say;
use crate::rotate::{self, RotateCommand};
use crate::status::StatusArgs;
use crate::{
    elsewhere, export, forget, manage, manual, reconcile, replay, status, submit, suppress,
};

/// Runs the command that the command line names.
///
/// # Errors
/// The command failed; the failure carries the exit code.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Submit(args) => submit::submit(*args, global).await,
        Command::Status(args) => status(global, &args).await,
        Command::Export(args) => {
            existing(global, async |store| export::export(store, &args).await).await
        }
        Command::Cancel(args) => {
            existing(global, async |store| manage::cancel(store, &args).await).await
        }
        Command::Retry(args) => {
            existing(global, async |store| manage::retry(store, &args).await).await
        }
        Command::Priority(args) => {
            existing(global, async |store| manage::priority(store, &args).await).await
        }
        Command::Pause(args) => {
            change(global, async |store| manage::pause(store, &args).await).await
        }
        Command::Resume(args) => {
            change(global, async |store| manage::resume(store, &args).await).await
        }
        Command::Reconcile(args) => {
            existing(global, async |store| reconcile::reconcile(store, &args).await).await
        }
        Command::Erase(args) => {
            change(global, async |store| forget::erase(store, &args).await).await
        }
        Command::Purge(args) => {
            existing(global, async |store| forget::purge(store, &args).await).await
        }
        Command::Suppress(command) => {
            change(global, async |store| suppress::suppress(store, &command).await).await
        }
        Command::Replay(args) => {
            change(global, async |store| replay::replay(store, &args).await).await
        }
        Command::Alias(AliasCommand::Split(args)) => {
            change(global, async |store| alias::split(store, &args).await).await
        }
        Command::Rotate(RotateCommand::WebhookSecret) => {
            change(global, rotate::webhook_secret).await
        }
        Command::Migrate => migrate(global).await,
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { folder } => manual::pages(&folder),
    }
}

/// A missing database has no batches. That is a failure only if a batch is asked for by name.
async fn status(global: &Global, args: &StatusArgs) -> Result<(), Failure> {
    match Store::connect_existing(global.database()?, !global.no_migrate, Clock::system()).await {
        Ok(store) => {
            let done = with(&store, status::status(&store, args)).await;
            elsewhere::say_if_empty(
                global,
                done.map_err(|failure| elsewhere::hint(global, failure)),
            )
        }
        Err(StoreError::Database(DbError::Missing { place }))
            if args.batch.is_none() && !global.no_migrate =>
        {
            status::nothing(&place, args)?;
            elsewhere::say_if_empty(global, Ok(false))
        }
        Err(error) => Err(elsewhere::hint(global, error.into())),
    }
}

async fn migrate(global: &Global) -> Result<(), Failure> {
    if global.no_migrate {
        return Err(Failure::Usage("migrate and --no-migrate contradict each other".to_owned()));
    }
    change(global, async |_| Ok(())).await?;
    say("The database's schema is up to date.");
    Ok(())
}
