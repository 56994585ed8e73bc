//! The `worker` binary.

use std::process::ExitCode;

use clap::Parser;
use jobs::WorkerId;
use worker::cli::{Cli, Command};
use worker::config::Config;
use worker::doctor;
use worker::error::StartError;
use worker::health;
use worker::listen::Inherited;
use worker::otlp::Exports;
use worker::start::{Ended, LAST_PATIENCE, run};
use worker::telemetry;

fn main() -> ExitCode {
    let inherited = Inherited::take();
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Healthcheck(options)) => check_health(&options),
        Some(Command::Doctor(options)) => start(examine(*options)),
        None => start(work(cli.config, inherited)),
    }
}

fn start(program: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("worker: can't start threads: {error}");
            return ExitCode::from(1);
        }
    };
    let code = runtime.block_on(program);
    runtime.shutdown_timeout(LAST_PATIENCE);
    code
}

async fn work(config: Config, inherited: Inherited) -> ExitCode {
    match export_and_run(config, inherited).await {
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

async fn export_and_run(config: Config, inherited: Inherited) -> Result<Ended, StartError> {
    let worker = WorkerId::generate();
    let exports = Exports::from_environment(worker)?;
    telemetry::init(config.log_format, exports.layer());
    run(worker, config, inherited, exports).await
}

async fn examine(options: doctor::Options) -> ExitCode {
    telemetry::init(options.config.log_format, None);
    match doctor::examine(&options).await {
        Ok(report) => report.print(options.json),
        Err(error) => {
            eprintln!("worker doctor: {error}");
            error.exit_code()
        }
    }
}

fn check_health(options: &health::Options) -> ExitCode {
    match health::check(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("worker healthcheck: {error}");
            ExitCode::from(1)
        }
    }
}
