//! Limits of a workbook. The library that reads it unpacks some parts into memory, and believes the sizes that they
//! name: a file of a few bytes could use up the memory of the machine.

use std::io::{self, BufReader, Read, Seek};

use zip::ZipArchive;

use crate::input::lines::LONGEST_RECORD;

/// The largest sheet, unpacked. Sheets are read piece by piece.
const LARGEST_SHEET: u64 = 4 << 30;

/// The largest of the other parts, unpacked: they are held in memory.
const LARGEST_PART: u64 = 512 << 20;

/// How a part names the number of its texts; the library makes room for this many before it reads them.
const COUNT: &[u8] = b"uniqueCount";

/// Looks through all parts of a workbook. Returns what is wrong, if anything. A file that is no archive is left for
/// the library to refuse.
pub fn exceeded(file: &mut (impl Read + Seek)) -> io::Result<Option<String>> {
    file.rewind()?;
    let Ok(mut archive) = ZipArchive::new(BufReader::new(&mut *file)) else { return Ok(None) };
    for place in 0..archive.len() {
        let Ok(part) = archive.by_index(place) else { continue };
        let is_sheet = part.name().is_ok_and(|name| is_sheet(&name));
        let most = if is_sheet { LARGEST_SHEET } else { LARGEST_PART };
        let mut seen = Seen::default();
        if let Some(reason) = seen.look_through(part, most) {
            return Ok(Some(reason));
        }
    }
    Ok(None)
}

fn is_sheet(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case("sheet"))
}

/// Findings in one part.
#[derive(Default)]
struct Seen {
    size: u64,
    /// How many bytes ago the last `<` stood, and the most that this was: each piece of XML is held as a whole.
    since_tag: usize,
    longest: usize,
    /// How much of [`COUNT`] was read just now; stays at its length while the number after it is read.
    matched: usize,
    /// The number after [`COUNT`] that is being read.
    number: u64,
    /// The largest such number.
    counted: u64,
}

impl Seen {
    fn look_through(&mut self, mut part: impl Read, most: u64) -> Option<String> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            // The library will meet the parts that can't be unpacked, too.
            let length = part.read(&mut buffer).unwrap_or(0);
            self.size += length as u64;
            buffer[..length].iter().for_each(|byte| self.see(*byte));
            if self.size > most {
                return Some(format!("a part of it is larger than {} MiB", most >> 20));
            }
            if self.longest > LONGEST_RECORD {
                return Some(format!("a cell is larger than {} MiB", LONGEST_RECORD >> 20));
            }
            if length == 0 {
                break;
            }
        }
        (self.counted.max(self.number) > self.size)
            .then(|| "it says that it has more texts than it has bytes".to_owned())
    }

    fn see(&mut self, byte: u8) {
        self.since_tag = if byte == b'<' { 0 } else { self.since_tag + 1 };
        self.longest = self.longest.max(self.since_tag);
        match (self.matched, byte) {
            // Every other byte of UTF-16 is zero.
            (_, 0) => {}
            (11, b' ' | b'\t' | b'\r' | b'\n' | b'=' | b'"' | b'\'' | b'+') if self.number == 0 => {
            }
            (11, b'0'..=b'9') => {
                let digit = u64::from(byte - b'0');
                self.number = self.number.saturating_mul(10).saturating_add(digit);
            }
            _ => {
                self.counted = self.counted.max(self.number);
                self.number = 0;
                self.matched = matched(if self.matched == 11 { 0 } else { self.matched }, byte);
            }
        }
    }
}

/// Returns how many bytes of [`COUNT`] were read with this byte, if `before` of them were read before it.
fn matched(before: usize, byte: u8) -> usize {
    let longest = (1..=before + 1).rev().find(|length| {
        let (begin, last) = COUNT[..*length].split_at(length - 1);
        last == [byte] && COUNT[..before].ends_with(begin)
    });
    longest.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(part: &[u8], most: u64) -> Option<String> {
        Seen::default().look_through(part, most)
    }

    #[test]
    fn a_part_is_bounded() {
        assert_eq!(reason(b"<a/>", 4), None);
        assert!(reason(b"<a/> ", 4).is_some_and(|said| said.contains("larger than 0 MiB")));
        let long = [b"<t>".as_slice(), &vec![b'x'; LONGEST_RECORD + 1], b"</t>"].concat();
        assert!(reason(&long, LARGEST_SHEET).is_some_and(|said| said.contains("a cell is larger")));
    }

    #[test]
    fn a_count_of_texts_is_not_believed() {
        for sound in ["<sst uniqueCount=\"3\">", "<sst uniqueCount='x'/>", "uniqueCoun=\"999999\""]
        {
            assert_eq!(reason(sound.as_bytes(), 1_000), None, "{sound}");
        }
        for hostile in [
            "<sst uniqueCount=\"99999999999\">",
            "<x:sst count=\"1\" uniqueCount = '99999999999999999999999'>",
            "<!-- <si> --><sst uniqueCount=\"9999\"/>",
            "uniquniqueCount=\"9999\"",
            "uniqueCount uniqueCount=\"9999\"",
        ] {
            let utf16: Vec<u8> = hostile.encode_utf16().flat_map(u16::to_be_bytes).collect();
            for part in [hostile.as_bytes(), &utf16] {
                assert!(reason(part, 1_000).is_some(), "{hostile}");
            }
        }
    }
}
