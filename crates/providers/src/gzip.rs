use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;

/// The first bytes of every gzip stream, and of no JSON.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A body is larger than allowed, once unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

/// Whether a body is compressed.
#[must_use]
pub fn is_packed(body: &[u8]) -> bool {
    body.starts_with(&MAGIC)
}

/// Unpacks a compressed body. Its first bytes decide, since the encoding that a server names need not be true. Never
/// unpacks more than `most` bytes. A body that is not a whole gzip stream is returned unchanged.
///
/// # Errors
/// The unpacked body is larger than `most`.
pub fn unpacked(body: &[u8], most: usize) -> Result<Cow<'_, [u8]>, TooLarge> {
    if !is_packed(body) {
        return Ok(Cow::Borrowed(body));
    }
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut plain = Vec::new();
    match MultiGzDecoder::new(body).take(limit).read_to_end(&mut plain) {
        Ok(length) if length > most => Err(TooLarge),
        Ok(_) => Ok(Cow::Owned(plain)),
        Err(_) if plain.len() > most => Err(TooLarge),
        Err(_) => Ok(Cow::Borrowed(body)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_is_compressed_is_unpacked() {
        assert_eq!(unpacked(b"{}", 10).unwrap().as_ref(), b"{}");
        assert_eq!(unpacked(&packed(b"{}"), 10).unwrap().as_ref(), b"{}");
        let twice = [packed(b"{"), packed(b"}")].concat();
        assert_eq!(unpacked(&twice, 10).unwrap().as_ref(), b"{}");
    }

    #[test]
    fn a_bomb_is_bounded() {
        let bomb = packed(&vec![b' '; 50_000_000]);
        assert!(bomb.len() < 100_000);
        assert_eq!(unpacked(&bomb, 1_000), Err(TooLarge));
        assert_eq!(unpacked(&packed(&[b' '; 1_000]), 1_000).unwrap().len(), 1_000);
        assert_eq!(unpacked(&packed(&[b' '; 1_001]), 1_000), Err(TooLarge));
    }

    #[test]
    fn a_broken_stream_is_kept_as_it_is() {
        let whole = packed(b"{\"phones\": []}");
        let broken = &whole[..whole.len() - 9];
        assert_eq!(unpacked(broken, 1_000).unwrap().as_ref(), broken);
        assert_eq!(unpacked(&MAGIC, 1_000).unwrap().as_ref(), MAGIC);
    }
}
