use std::collections::BTreeSet;

/// The fewest characters in a row of a key that are a part of it, and no accident.
const KEY_PART: usize = 6;

/// An id shorter than this is hidden only where it is a word of its own.
const SHORT: usize = 4;

/// Texts that a provider was sent: the key, ids of people, addresses. Prints nothing of them.
#[derive(Clone, Default)]
pub struct Known {
    key: String,
    sent: BTreeSet<String>,
}

impl Known {
    /// Adds a key, of which not even a part may be shown.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        key.trim().to_ascii_lowercase().clone_into(&mut self.key);
        self
    }

    /// Adds a text that was sent. Of a profile's address this includes the slug, as written and decoded.
    #[must_use]
    pub fn with(mut self, text: &str) -> Self {
        self.add(text);
        self
    }

    /// Adds a text that was sent, as [`Known::with`] does.
    pub fn add(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        self.sent.insert(text.to_ascii_lowercase());
        if let Some((_, slug)) = text.trim_end_matches('/').rsplit_once("/in/") {
            self.sent.insert(slug.to_ascii_lowercase());
            self.sent.insert(decoded(slug).to_ascii_lowercase());
        }
    }

    /// Returns the text with everything hidden that was sent.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        // As long as the text in bytes, so that places are the same in both.
        let lower = text.to_ascii_lowercase();
        let mut hidden: Vec<Option<&str>> = vec![None; text.len()];
        for sent in self.sent.iter().rev() {
            let places = lower.match_indices(sent.as_str()).map(|(at, _)| at);
            for at in places.filter(|at| sent.len() >= SHORT || stands_alone(&lower, *at, sent)) {
                hidden[at..at + sent.len()].fill(Some("[id]"));
            }
        }
        self.hide_key(&lower, &mut hidden);
        let mut out = String::with_capacity(text.len());
        let mut last = None;
        for (at, c) in text.char_indices() {
            match hidden[at] {
                None => out.push(c),
                Some(mark) if last != Some(mark) => out.push_str(mark),
                Some(_) => {}
            }
            last = hidden[at];
        }
        out
    }

    fn hide_key(&self, text: &str, hidden: &mut [Option<&str>]) {
        let ends: Vec<usize> =
            self.key.char_indices().map(|(at, _)| at).chain([self.key.len()]).collect();
        let window = KEY_PART.min(ends.len() - 1);
        if window == 0 {
            return;
        }
        for (start, end) in ends.iter().zip(&ends[window..]) {
            let part = &self.key[*start..*end];
            for (at, _) in text.match_indices(part) {
                hidden[at..at + part.len()].fill(Some("[key]"));
            }
        }
    }
}

fn stands_alone(text: &str, at: usize, part: &str) -> bool {
    !text[..at].ends_with(char::is_alphanumeric)
        && !text[at + part.len()..].starts_with(char::is_alphanumeric)
}

/// Decodes the escapes in a part of a web address.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| others.get(..2).and_then(|two| std::str::from_utf8(two).ok()))
            .flatten()
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &others[2..] } else { others };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Known({} texts)", self.sent.len())
    }
}
