//! The `worker` binary.

use std::process::ExitCode;

use clap::Parser;
use worker::cli::{Cli, Command};
use worker::config::Config;
use worker::doctor::{self, Options};
use worker::listen::Inherited;
use worker::start::{Ended, LAST_PATIENCE, run};
use worker::telemetry;

fn main() -> ExitCode {
    let inherited = Inherited::take();
    let cli = Cli::parse();
    let config = match &cli.command {
        Some(Command::Doctor(options)) => &options.config,
        None => &cli.config,
    };
    telemetry::init(config.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("worker: can't start threads: {error}");
            return ExitCode::from(1);
        }
    };
    let code = match cli.command {
        Some(Command::Doctor(options)) => runtime.block_on(examine(*options)),
        None => runtime.block_on(work(cli.config, inherited)),
    };
    runtime.shutdown_timeout(LAST_PATIENCE);
    code
}

async fn work(config: Config, inherited: Inherited) -> ExitCode {
    match run(config, inherited).await {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::Stuck(reasons)) => {
            eprintln!("worker: what is left waits for something that waiting alone can't end:");
            for reason in reasons {
                eprintln!("  {reason}");
            }
            ExitCode::from(4)
        }
        Err(error) => {
            eprintln!("worker: {error}");
            error.exit_code()
        }
    }
}

async fn examine(options: Options) -> ExitCode {
    match doctor::examine(&options).await {
        Ok(report) => report.print(options.json),
        Err(error) => {
            eprintln!("worker doctor: {error}");
            error.exit_code()
        }
    }
}
