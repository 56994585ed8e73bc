use std::io::{self, Read};

/// How much of a file is held at least, so that a read is worth its system call.
const FIRST_SIZE: usize = 128 * 1024;

/// The longest record: far above any real one, so that a quote that never ends is noticed before
/// the rest of a large file is in memory.
pub const LONGEST_RECORD: usize = 4 * 1024 * 1024;

/// A stretch of a file that moves forward record by record and knows the physical line it is at.
/// Lines end with LF, CRLF or CR, also inside of a record.
pub struct Window<R> {
    inner: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    line: u64,
    /// Whether each record is one line, however many its text has.
    of_rows: bool,
}

/// Where a physical line ends, and where the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineEnd {
    /// The length of the line without its end.
    pub content: usize,
    /// The length with it.
    pub next: usize,
}

impl<R: Read> Window<R> {
    /// A window at the beginning of `inner`.
    pub fn new(inner: R) -> Self {
        Window {
            inner,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            ended: false,
            line: 1,
            of_rows: false,
        }
    }

    /// A window at the beginning of a sheet's rows.
    pub fn of_rows(inner: R) -> Self {
        Window { of_rows: true, ..Window::new(inner) }
    }

    /// The whole input, including the bytes that are held.
    pub fn into_inner(self) -> impl Read {
        io::Cursor::new(self.buffer).take(self.end as u64).chain(self.inner)
    }

    /// The bytes that are held and not passed yet, but never more than a [`LONGEST_RECORD`]. Whether a record is too
    /// long must not depend on how the file arrives.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end.min(self.start + LONGEST_RECORD)]
    }

    /// Whether the last byte of [`Window::bytes`] is the last of the file.
    pub fn ended(&self) -> bool {
        self.ended && self.end - self.start <= LONGEST_RECORD
    }

    /// The number of the line at which [`Window::bytes`] begins, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Whether a whole [`LONGEST_RECORD`] is held.
    pub fn is_full(&self) -> bool {
        self.end - self.start >= LONGEST_RECORD
    }

    /// Reads on until twice as much is held, or the whole file. This way, scanning a long record again from its
    /// beginning after each read stays linear.
    pub fn more(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let enough = self.end * 2;
        if self.buffer.len() < enough.max(FIRST_SIZE) {
            self.buffer.resize(enough.max(FIRST_SIZE), 0);
        }
        while !self.ended {
            match self.inner.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.end > 0 && self.end >= enough {
                break;
            }
        }
        Ok(())
    }

    /// Passes a record of `length` bytes, which end at the end of a line.
    pub fn pass(&mut self, length: usize) {
        self.line += if self.of_rows { 1 } else { line_ends(&self.bytes()[..length]) };
        self.start += length;
    }

    /// Passes `length` bytes inside of the line.
    pub fn skip(&mut self, length: usize) {
        self.start += length;
    }
}

/// The end of the line that contains `from`. None if more has to be read to see it.
pub fn line_end(bytes: &[u8], from: usize, ended: bool) -> Option<LineEnd> {
    match memchr::memchr2(b'\n', b'\r', &bytes[from..]).map(|at| at + from) {
        Some(at) => after_line_end(bytes, at, ended).map(|next| LineEnd { content: at, next }),
        None if ended => Some(LineEnd { content: bytes.len(), next: bytes.len() }),
        None => None,
    }
}

/// Where the line after the CR or LF at `at` begins. None if a CR is the last byte known: an LF
/// that belongs to it may follow.
pub fn after_line_end(bytes: &[u8], at: usize, ended: bool) -> Option<usize> {
    match (bytes[at], bytes.get(at + 1)) {
        (b'\r', Some(b'\n')) => Some(at + 2),
        (b'\r', None) if !ended => None,
        _ => Some(at + 1),
    }
}

/// How many lines end in `bytes`.
pub fn line_ends(bytes: &[u8]) -> u64 {
    let ends = memchr::memchr2_iter(b'\n', b'\r', bytes)
        .filter(|&at| bytes[at] == b'\r' || at == 0 || bytes[at - 1] != b'\r');
    ends.count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_however_they_end() {
        assert_eq!(line_ends(b""), 0);
        assert_eq!(line_ends(b"a\nb\r\nc\rd"), 3);
        assert_eq!(line_ends(b"\n\n\r\r\n\r\n"), 5);
    }

    #[test]
    fn waits_for_the_second_half_of_a_crlf() {
        assert_eq!(line_end(b"ab\r", 0, false), None);
        assert_eq!(line_end(b"ab\r", 0, true), Some(LineEnd { content: 2, next: 3 }));
        assert_eq!(line_end(b"ab\r\n", 0, false), Some(LineEnd { content: 2, next: 4 }));
        assert_eq!(line_end(b"ab\rc", 0, false), Some(LineEnd { content: 2, next: 3 }));
        assert_eq!(line_end(b"ab", 0, false), None);
    }
}
