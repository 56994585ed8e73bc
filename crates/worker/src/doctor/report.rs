use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing to do.
    Ok,
    /// It works, but perhaps not as meant.
    Warning,
    /// It won't work, or would lose money or results.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub check: &'static str,
    /// Its verdict.
    pub status: Status,
    /// What was found.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Check {
    /// All is well.
    pub fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Check { check, status: Status::Ok, message: message.into(), fix: None }
    }

    /// It works, but perhaps not as meant.
    pub fn warning(
        check: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Check { check, status: Status::Warning, message: message.into(), fix: Some(fix.into()) }
    }

    /// It won't work.
    pub fn wrong(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Check { check, status: Status::Wrong, message: message.into(), fix: Some(fix.into()) }
    }
}

/// All findings, in the order of the checks.
#[derive(Debug, Default)]
pub struct Report(Vec<Check>);

#[derive(Serialize)]
struct Json<'a> {
    ok: bool,
    wrong: usize,
    warnings: usize,
    checks: &'a [Check],
}

impl Report {
    /// Takes what one part found.
    pub fn add(&mut self, checks: Vec<Check>) {
        self.0.extend(checks);
    }

    /// Prints to stdout, and a summary to stderr; the exit code says whether anything is wrong.
    pub fn print(&self, json: bool) -> ExitCode {
        let count = |status| self.0.iter().filter(|check| check.status == status).count();
        let (wrong, warnings) = (count(Status::Wrong), count(Status::Warning));
        // A reader that closed the pipe has read enough.
        let _ = if json {
            self.print_json(wrong, warnings)
        } else {
            let printed = self.print_lines();
            eprintln!("worker doctor: {wrong} wrong, {warnings} to be looked at");
            printed
        };
        if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
    }

    fn print_json(&self, wrong: usize, warnings: usize) -> std::io::Result<()> {
        let json = Json { ok: wrong == 0, wrong, warnings, checks: &self.0 };
        let mut stdout = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut stdout, &json)?;
        writeln!(stdout)
    }

    fn print_lines(&self) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        let colour = stdout.is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        for check in &self.0 {
            writeln!(stdout, "{}", line(check, colour))?;
        }
        Ok(())
    }
}

fn line(check: &Check, colour: bool) -> String {
    let (word, code) = match check.status {
        Status::Ok => ("ok", 32),
        Status::Warning => ("warning", 33),
        Status::Wrong => ("wrong", 31),
    };
    let mut line = format!("{word:<8} {:<16} {}", check.check, check.message);
    if let Some(fix) = &check.fix {
        line.push_str(" → ");
        line.push_str(fix);
    }
    // Words of a library or a provider may have line breaks; a check is one line.
    let line = line.replace(['\n', '\r'], " ");
    if colour { line.replacen(word, &format!("\x1b[{code}m{word}\x1b[0m"), 1) } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_one_line() {
        let check = Check::wrong("database", "first\nsecond", "fix it");
        assert_eq!(line(&check, false), "wrong    database         first second → fix it");
        assert!(line(&check, true).starts_with("\x1b[31mwrong\x1b[0m "));
    }
}
