//! Checks that the programs know the commands and flags that the pages name.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use end_to_end::{binary, repository};

use crate::markdown::Page;
use crate::pages;

/// The subcommands of a program, each with its flags. The program itself is the subcommand "".
struct Known(BTreeMap<String, BTreeSet<String>>);

impl Known {
    fn of(program: &str) -> Known {
        let (own, commands) = help(program, &[]);
        let mut known = BTreeMap::from([(String::new(), own.clone())]);
        for command in commands {
            let (mut flags, below) = help(program, &[&command]);
            // Nested subcommands, such as `alias split`.
            for inner in below {
                flags.extend(help(program, &[&command, &inner]).0);
            }
            flags.extend(own.clone());
            known.insert(command, flags);
        }
        Known(known)
    }

    /// Returns the first unknown command or flag among the words that follow the program's name.
    fn unknown(&self, words: &[&str]) -> Option<String> {
        let command = words.first().filter(|word| is_name(word)).copied().unwrap_or_default();
        let Some(flags) = self.0.get(command) else {
            return Some(format!("{command} is no command"));
        };
        let named = words.iter().filter(|word| word.starts_with("--"));
        let named = named.map(|word| word.split(['=', ',', ')', '`', ']']).next().unwrap_or(word));
        let unknown = named.filter(|flag| flag.len() > 2 && !flags.contains(*flag));
        unknown.map(|flag| format!("{flag} is no flag of {command:?}")).next()
    }
}

/// A word of lower-case letters, as subcommands are.
fn is_name(word: &str) -> bool {
    !word.is_empty()
        && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && !word.starts_with('-')
}

/// The flags and the subcommands that a command's help names.
fn help(program: &str, command: &[&str]) -> (BTreeSet<String>, Vec<String>) {
    let output = Command::new(binary(program)).args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{program} {command:?} --help");
    let help = String::from_utf8(output.stdout).unwrap();
    let words = help.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let flags = words.filter(|word| word.starts_with("--") && word.len() > 2).map(str::to_owned);
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    // The lines of a long description are indented further.
    let list = list.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let names =
        list.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    (flags.collect(), names.map(str::to_owned).collect())
}

/// The commands in a line: the words that follow `enqueue` or `worker` at the start of a command.
fn commands(line: &str) -> Vec<(&'static str, Vec<&str>)> {
    let line = line.split(" #").next().unwrap_or(line).trim_start_matches("$ ");
    let mut found = Vec::new();
    for part in line.split(['|', ';', '&', '(']) {
        let mut words = part.split_whitespace().filter(|word| *word != "as_service");
        // Skips variables that are set for the command.
        let first = words.find(|word| {
            !word
                .split_once('=')
                .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        });
        match first {
            Some("enqueue") => found.push(("enqueue", words.collect())),
            Some("worker") => found.push(("worker", words.collect())),
            _ => {}
        }
    }
    found
}

#[test]
fn commands_and_flags_exist() {
    let known = BTreeMap::from(["enqueue", "worker"].map(|program| (program, Known::of(program))));
    let (mut unknown, mut seen) = (Vec::new(), 0);
    for page in pages() {
        for line in page.spans().into_iter().chain(page.code()) {
            for (program, words) in commands(line) {
                seen += 1;
                if let Some(why) = known[program].unknown(&words) {
                    unknown.push(format!("{}: {line}: {why}", page.name));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
    assert!(seen > 80, "only {seen} commands were found");
}

/// Every command must have a line in the table that users read.
#[test]
fn the_readme_has_every_command() {
    let readme = Page::read(&repository().join("README.md"));
    let named: BTreeSet<String> = readme
        .spans()
        .into_iter()
        .flat_map(commands)
        .filter_map(|(program, words)| Some(format!("{program} {}", words.first()?)))
        .collect();
    for program in ["enqueue", "worker"] {
        for command in Known::of(program).0.into_keys().filter(|name| !name.is_empty()) {
            let command = format!("{program} {command}");
            assert!(named.contains(&command), "README.md lacks {command}");
        }
    }
}
