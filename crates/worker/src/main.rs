//! The `worker` binary.

use std::process::ExitCode;

use clap::Parser;
use worker::config::Config;
use worker::start::{Ended, LAST_PATIENCE, run};
use worker::telemetry;

fn main() -> ExitCode {
    let config = Config::parse();
    telemetry::init(config.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("worker: can't start threads: {error}");
            return ExitCode::from(1);
        }
    };
    let ended = runtime.block_on(run(config));
    runtime.shutdown_timeout(LAST_PATIENCE);
    match ended {
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
