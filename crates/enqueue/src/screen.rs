//! A terminal that is redrawn: lines are cut to its size, and colours are used only where they are wanted.

use std::io::{self, Write, stdout};

use console::{Term, measure_text_width, truncate_str};

use crate::output::wants_no_colour;

/// Moves the cursor to the top left.
const HOME: &str = "\u{1b}[H";
/// Clears the rest of a line: clearing the whole screen first would make it flicker.
const REST_OF_LINE: &str = "\u{1b}[K";
/// Clears the screen below the cursor.
const REST_OF_SCREEN: &str = "\u{1b}[J";
/// Stands before the continuation of a line.
const INDENT: &str = "  ";
/// The lines and columns of a terminal that doesn't report its size.
const USUAL: (u16, u16) = (24, 80);

/// How a part of a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Plain,
    Bold,
    Dim,
    Good,
    Busy,
    Warn,
}

impl Look {
    fn code(self) -> &'static str {
        match self {
            Look::Plain => "",
            Look::Bold => "\u{1b}[1m",
            Look::Dim => "\u{1b}[2m",
            Look::Good => "\u{1b}[32m",
            Look::Busy => "\u{1b}[36m",
            Look::Warn => "\u{1b}[33m",
        }
    }
}

/// A line, part by part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(Vec<(Look, String)>);

impl Line {
    pub fn of(look: Look, text: impl Into<String>) -> Self {
        Line(vec![(look, text.into())])
    }

    #[must_use]
    pub fn and(mut self, look: Look, text: impl Into<String>) -> Self {
        self.0.push((look, text.into()));
        self
    }

    /// The line as it is written, in at most `width` columns.
    pub fn text(&self, width: usize, colour: bool) -> String {
        let mut left = width;
        let mut text = String::new();
        for (look, part) in &self.0 {
            if left == 0 {
                break;
            }
            let part = truncate_str(part, left, "…");
            left -= measure_text_width(&part).min(left);
            match look.code() {
                code if colour && !code.is_empty() => {
                    text.push_str(&format!("{code}{part}\u{1b}[0m"));
                }
                _ => text.push_str(&part),
            }
        }
        text
    }
}

/// A long text as lines of at most `width` columns: a command in it has to be readable to its end.
pub fn wrapped(look: Look, text: &str, width: usize) -> Vec<Line> {
    let width = width.saturating_sub(INDENT.len());
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let indent = |(n, line)| Line::of(look, if n == 0 { "" } else { INDENT }).and(look, line);
    lines.into_iter().enumerate().map(indent).collect()
}

/// The terminal that standard output is.
pub struct Screen {
    /// In columns.
    pub width: usize,
    /// In lines.
    pub height: usize,
    /// Whether colours are wanted.
    pub colour: bool,
}

impl Screen {
    /// The terminal with its present size: people resize their windows.
    pub fn now() -> Self {
        let (height, width) = Term::stdout().size_checked().unwrap_or(USUAL);
        Screen { width: width.into(), height: height.into(), colour: !wants_no_colour() }
    }

    /// Writes these lines over the present ones, and leaves out lines that don't fit.
    pub fn draw(&self, lines: &[Line]) -> io::Result<()> {
        let mut text = HOME.to_owned();
        for line in lines.iter().take(self.height.saturating_sub(1)) {
            text.push_str(&line.text(self.width, self.colour));
            text.push_str(REST_OF_LINE);
            text.push('\n');
        }
        text.push_str(REST_OF_SCREEN);
        let mut out = stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_where_the_terminal_ends() {
        let line = Line::of(Look::Bold, "Frühling").and(Look::Dim, " 1,000 rows");
        assert_eq!(line.text(80, false), "Frühling 1,000 rows");
        assert_eq!(line.text(12, false), "Frühling 1,…");
        assert_eq!(line.text(8, false), "Frühling");
        assert_eq!(line.text(9, true), "\u{1b}[1mFrühling\u{1b}[0m\u{1b}[2m…\u{1b}[0m");
    }

    #[test]
    fn a_long_text_keeps_every_word() {
        let lines = wrapped(Look::Warn, "held: paused; enqueue resume ocean", 16);
        let text: Vec<String> = lines.iter().map(|line| line.text(80, false)).collect();
        assert_eq!(text, ["held: paused;", "  enqueue resume", "  ocean"]);
    }
}
