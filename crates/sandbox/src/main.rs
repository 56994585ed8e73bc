//! The sandbox as a program of its own: prints its base URL and serves until SIGTERM or SIGINT.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::{Parser, builder::BoolishValueParser};
use sandbox::{Config, Sandbox};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A local stand-in for Ocean.io and Clodura. Both are served at the one address that is printed on stdout.
///
/// Every knob of crates/sandbox/README.md can be given in --config and by --set; the other flags set the main knobs by
/// name. A flag wins over --set, which wins over --config. Steer a running sandbox at /sandbox/… (see the README).
///
/// Logs go to stderr, filtered by RUST_LOG [default: info]. Exit codes: 0 stopped by SIGTERM or SIGINT, 1 failed while
/// running, 2 wrong usage.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The IP address and port to listen on; port 0 chooses a free one [default: 127.0.0.1:8790]
    #[arg(long, env = "SANDBOX_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// A JSON file with any of the knobs, as in {"ocean": {"hit_rate": 0.9}}
    #[arg(long, env = "SANDBOX_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// One knob by its path, as in ocean.faults.drop_after_rate=0.1; may be given several times
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,

    /// Answer at once, without delays or a quota, for measurements
    #[arg(long, env = "SANDBOX_INSTANT", value_parser = BoolishValueParser::new())]
    instant: bool,

    /// The seed that decides which numbers people have, and which requests a fault hits [default: 1]
    #[arg(long, env = "SANDBOX_SEED", value_name = "N")]
    seed: Option<u64>,

    /// Share of people who have a number at Ocean [default: 0.6]
    #[arg(long, env = "SANDBOX_OCEAN_HIT_RATE", value_name = "RATE")]
    ocean_hit_rate: Option<f64>,

    /// Share of people who have a number at Clodura or a partner [default: 0.5]
    #[arg(long, env = "SANDBOX_CLODURA_HIT_RATE", value_name = "RATE")]
    clodura_hit_rate: Option<f64>,

    /// Ocean's recurrent phone credits at the start; its one-time credits are then 0 [default: 900000, and 100000 one-time]
    #[arg(long, env = "SANDBOX_OCEAN_CREDITS", value_name = "N")]
    ocean_credits: Option<i64>,

    /// Clodura's credits at the start (direct dials on prospect) [default: 10000000; 1000000 on prospect]
    #[arg(long, env = "SANDBOX_CLODURA_CREDITS", value_name = "N")]
    clodura_credits: Option<i64>,

    /// Ocean's plan: legacy (1 credit a number) or unified (10) [default: legacy]
    #[arg(long, env = "SANDBOX_OCEAN_PLAN", value_name = "PLAN")]
    ocean_plan: Option<String>,

    /// Clodura's plan: prospect or payg [default: payg]
    #[arg(long, env = "SANDBOX_CLODURA_PLAN", value_name = "PLAN")]
    clodura_plan: Option<String>,

    /// How long results take, in milliseconds, as 100-1000 [default: 100-1000]
    #[arg(long, env = "SANDBOX_RESULT_DELAY_MS", value_name = "FROM-TO")]
    result_delay_ms: Option<String>,

    /// Requests that Ocean takes in a day; 0 is no limit [default: 1000]
    #[arg(long, env = "SANDBOX_OCEAN_QUOTA", value_name = "N")]
    ocean_quota: Option<u64>,

    /// Requests a second that Ocean takes; 0 is no limit [default: 0]
    #[arg(long, env = "SANDBOX_OCEAN_RATE", value_name = "RATE")]
    ocean_rate: Option<f64>,

    /// Requests a second that Clodura takes; 0 is no limit [default: 0]
    #[arg(long, env = "SANDBOX_CLODURA_RATE", value_name = "RATE")]
    clodura_rate: Option<f64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
    let config = match configuration(&args) {
        Ok(config) => config,
        Err(error) => return stop(2, &error),
    };
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => stop(1, &error),
    }
}

fn stop(code: u8, error: &anyhow::Error) -> ExitCode {
    // The error can't be shown if stderr is gone.
    let _ = writeln!(io::stderr(), "sandbox: {error:#}");
    ExitCode::from(code)
}

#[tokio::main]
async fn serve(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let sandbox = Sandbox::start(config).await?;
    writeln!(io::stdout(), "{}", sandbox.base_url()).context("write the address to stdout")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    sandbox.shutdown().await;
    Ok(())
}

fn configuration(args: &Args) -> anyhow::Result<Config> {
    let mut config = if args.instant { Config::instant() } else { Config::default() };
    config.listen = USUAL_ADDRESS;
    if let Some(path) = &args.config {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let patch = serde_json::from_str(&text)
            .with_context(|| format!("{} is not JSON", path.display()))?;
        config = config.merged(&patch).with_context(|| path.display().to_string())?;
    }
    for assignment in &args.set {
        config =
            config.merged(&assigned(assignment)?).with_context(|| format!("--set {assignment}"))?;
    }
    Ok(config.merged(&named(args)?)?)
}

/// Turns `a.b=1` into `{"a": {"b": 1}}`. A value that isn't JSON is text.
fn assigned(assignment: &str) -> anyhow::Result<Value> {
    let (path, value) = assignment
        .split_once('=')
        .with_context(|| format!("--set {assignment}: wants PATH=VALUE"))?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok(path.rsplit('.').fold(value, |inner, name| json!({name: inner})))
}

/// The default address of the program; the library takes a free port.
const USUAL_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8790);

/// Returns the flags that were given, as a patch.
fn named(args: &Args) -> anyhow::Result<Value> {
    let mut patch = json!({"ocean": {"limits": {}}, "clodura": {"limits": {}}});
    let mut set = |pointer: &str, value: Option<Value>| {
        let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
        if let (Some(value), Some(parent)) = (value, patch.pointer_mut(parent)) {
            parent[name] = value;
        }
    };
    set("/listen", args.listen.map(|address| address.to_string().into()));
    set("/seed", args.seed.map(Value::from));
    set("/ocean/hit_rate", args.ocean_hit_rate.map(Value::from));
    set("/ocean/recurrent", args.ocean_credits.map(Value::from));
    set("/ocean/plan", args.ocean_plan.clone().map(Value::from));
    set("/ocean/one_time", args.ocean_credits.map(|_| 0.into()));
    set("/ocean/limits/quota", args.ocean_quota.map(Value::from));
    set("/ocean/limits/rate_per_second", args.ocean_rate.map(Value::from));
    set("/clodura/hit_rate", args.clodura_hit_rate.map(Value::from));
    for name in ["remaining_credits", "max_direct_dials", "max_contacts"] {
        set(&format!("/clodura/{name}"), args.clodura_credits.map(Value::from));
    }
    set("/clodura/plan", args.clodura_plan.clone().map(Value::from));
    set("/clodura/limits/rate_per_second", args.clodura_rate.map(Value::from));
    if let Some(range) = &args.result_delay_ms {
        let delay = delay(range)
            .with_context(|| format!("--result-delay-ms {range}: wants FROM-TO, as 100-1000"))?;
        set("/ocean/result_delay_ms", Some(delay.clone()));
        set("/clodura/result_delay_ms", Some(delay));
    }
    Ok(patch)
}

fn delay(range: &str) -> Option<Value> {
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    Some(json!([from.trim().parse::<u64>().ok()?, to.trim().parse::<u64>().ok()?]))
}
