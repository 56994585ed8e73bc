//! Private data that is recognised by its form alone.

/// The fewest digits in a row, punctuation aside, that might be a phone number.
const PHONE_DIGITS: usize = 7;

/// Characters that end an address, besides white space.
const AROUND: &str = "<>()[]{}\"'`,;|";

/// Replaces e-mail addresses, web addresses and bare domains.
pub(super) fn without_addresses(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(is_around).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let bare = word.trim_end_matches(['.', ':', '!', '?']);
        out.push_str(match kind_of(bare) {
            Some(mark) => mark,
            None => bare,
        });
        out.push_str(&word[bare.len()..]);
        let between = after.find(|c| !is_around(c)).unwrap_or(after.len());
        out.push_str(&after[..between]);
        rest = &after[between..];
    }
    out
}

fn is_around(c: char) -> bool {
    c.is_whitespace() || AROUND.contains(c)
}

fn kind_of(word: &str) -> Option<&'static str> {
    if word.contains("://") || word.contains("/webhooks/") || word.contains("/in/") {
        // The address may be our own, with its signature, or a person's profile.
        return Some("[address]");
    }
    if word.contains('@') && word.len() > 1 {
        return Some("[e-mail]");
    }
    word.split(['/', ':', '=', '?', '&', '#']).any(is_domain).then_some("[address]")
}

/// Whether a word is labels with dots between them, the last one of letters in one case. Fields of an answer are named
/// in the same way (`body.personIds`), but in mixed case.
fn is_domain(word: &str) -> bool {
    let labels: Vec<&str> = word.split('.').collect();
    let Some((top, others)) = labels.split_last() else { return false };
    let in_one_case = |upper: bool| {
        top.chars().all(|c| {
            c.is_alphabetic() && !(if upper { c.is_lowercase() } else { c.is_uppercase() })
        })
    };
    let is_label = |label: &&str| {
        !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    !others.is_empty()
        && top.chars().count() >= 2
        && (in_one_case(true) || in_one_case(false))
        && others.iter().all(is_label)
        && others.iter().any(|label| label.chars().count() > 1)
}

/// Replaces every run of digits that is as long as a phone number, spaces and punctuation
/// between them included.
pub(super) fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_numeric()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| !is_of_number(c)).unwrap_or(from.len());
        let (run, after) = from.split_at(end);
        out.push_str(before);
        if run.chars().filter(|c| c.is_numeric()).count() >= PHONE_DIGITS {
            let run_end = run.trim_end_matches(|c: char| !c.is_numeric()).len();
            out.push_str("[number]");
            out.push_str(&run[run_end..]);
        } else {
            out.push_str(run);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn is_of_number(c: char) -> bool {
    // Beyond ASCII: hyphens, dashes and slashes as word processors write them.
    c.is_numeric() || " +-.()/_,\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2212}".contains(c)
}
