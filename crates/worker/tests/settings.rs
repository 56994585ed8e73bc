//! The table of settings in docs/operations.md says what `worker --help` says.

#![allow(clippy::expect_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use clap::{CommandFactory, Parser};
use worker::cli::Cli;

/// Variable to flag and default.
type Settings = BTreeMap<String, (String, String)>;

/// Defaults that depend on other settings, which clap doesn't know.
const DERIVED: [(&str, &str); 1] = [("DATABASE_URL", "sqlite://reveal.db")];

fn of_the_program() -> Settings {
    let command = Cli::command();
    let settings = command.get_arguments().filter_map(|argument| {
        let variable = argument.get_env()?.to_str()?.to_owned();
        let flag = format!("--{}", argument.get_long()?);
        let default = argument.get_default_values().first().and_then(|value| value.to_str());
        let derived = DERIVED.iter().find(|(name, _)| *name == variable).map(|(_, value)| *value);
        Some((variable, (flag, default.or(derived).unwrap_or_default().to_owned())))
    });
    settings.collect()
}

fn of_the_page() -> Settings {
    let page = include_str!("../../../docs/operations.md");
    let start = page.find("## Settings").expect("a section on settings");
    let table = page[start..].lines().skip_while(|line| !line.starts_with("| `"));
    let rows = table.take_while(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        assert_eq!(cells.len(), 6, "{line}");
        assert!(!cells[4].is_empty(), "no meaning: {line}");
        (cells[1].to_owned(), (cells[2].to_owned(), cells[3].to_owned()))
    });
    rows.collect()
}

#[test]
fn the_page_and_the_program_agree() {
    let (page, program) = (of_the_page(), of_the_program());
    for (variable, setting) in &program {
        assert_eq!(page.get(variable), Some(setting), "docs/operations.md: {variable}");
    }
    for variable in page.keys() {
        assert!(program.contains_key(variable), "docs/operations.md: {variable} is no setting");
    }
}

#[test]
fn every_setting_says_what_it_is() {
    for argument in Cli::command().get_arguments() {
        assert!(argument.get_help().is_some(), "{} has no help", argument.get_id());
    }
}

/// The worker warns of addresses without TLS at start: keys would travel in clear text.
#[test]
fn a_providers_address_without_tls_is_noticed() {
    let noticed = |url: &str| {
        let cli = Cli::parse_from(["worker", "--ocean-base-url", url]);
        cli.config.readable_on_the_way().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(noticed("http://api.ocean.example"), ["OCEAN_BASE_URL"]);
    for fine in
        ["https://api.ocean.example", "http://127.0.0.1:9", "http://[::1]:9", "http://localhost:9"]
    {
        assert!(noticed(fine).is_empty(), "{fine}");
    }
}
