//! The `enqueue` binary.

use std::process::ExitCode;

use clap::Parser;
use enqueue::cli::Cli;
use enqueue::failure::Failure;
use enqueue::output::say;
use enqueue::{run, telemetry};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // If this fails, there is no place left to report it.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    telemetry::init(cli.global.log_format);
    let ended = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run::run(cli)),
        Err(error) => Err(Failure::Failed(format!("can't start threads: {error}"))),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                say(&format!("enqueue: {message}"));
            }
            failure.exit_code()
        }
    }
}
