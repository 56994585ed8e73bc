use std::io::{self, IsTerminal, Write, stderr, stdout};

/// Whether the user asked for no colour, by <https://no-color.org>.
pub fn wants_no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Whether progress may be drawn and redrawn on standard error.
pub fn draws_progress() -> bool {
    stderr().is_terminal()
}

/// Whether a person looks at standard output.
pub fn is_watched() -> bool {
    stdout().is_terminal()
}

/// Writes a line to standard error. If that fails, there is no place left to report it.
pub fn say(text: &str) {
    let _ = writeln!(stderr().lock(), "{text}");
}

/// Writes a line to standard output.
pub fn print_line(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// `1 row`, `1,286 rows`, `2 batches`, `2 bodies`.
pub fn count(n: i64, what: &str) -> String {
    let n_text = number(n);
    match (n, what.strip_suffix('y')) {
        (1, _) => format!("{n_text} {what}"),
        (_, Some(stem)) => format!("{n_text} {stem}ies"),
        _ if what.ends_with("ch") || what.ends_with("sh") => format!("{n_text} {what}es"),
        _ => format!("{n_text} {what}s"),
    }
}

/// A number with a comma between thousands.
pub fn number(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::from(if n < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_like_prose() {
        assert_eq!(count(1, "row"), "1 row");
        assert_eq!(count(0, "row"), "0 rows");
        assert_eq!(count(2, "batch"), "2 batches");
        assert_eq!(count(2, "raw body"), "2 raw bodies");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(-1_000), "-1,000");
    }
}
