//! Checks that no log shows phone numbers, keys or signatures.

use std::collections::HashSet;

use sandbox::Expected;

/// The shortest run of digits that is checked: the sandbox's numbers are longer.
const SHORTEST: usize = 9;
/// The number of hexadecimal digits in a signature, and in the secret that signs.
const HEXADECIMAL: usize = 64;

/// Panics if `log` shows a number of one of `people`, one of `keys`, or anything like a signature.
pub fn check(log: &str, people: &[Expected], keys: &[&str]) {
    for key in keys {
        assert!(!log.contains(key), "a key is in the log");
    }
    let runs = |is_part: fn(char) -> bool| log.split(move |c| !is_part(c));
    let signature = runs(|c| c.is_ascii_hexdigit()).find(|run| run.len() == HEXADECIMAL);
    assert!(signature.is_none(), "a signature or secret is in the log: {signature:?}");

    let numbers = people.iter().flat_map(|person| &person.numbers);
    let numbers: HashSet<String> =
        numbers.flat_map(|number| [digits(&number.e164), digits(&number.raw)]).collect();
    let lengths: HashSet<usize> = numbers.iter().map(String::len).collect();
    for run in runs(|c| c.is_ascii_digit()).filter(|run| run.len() >= SHORTEST) {
        for &length in lengths.iter().filter(|length| **length <= run.len()) {
            let shown =
                (0..=run.len() - length).find(|&at| numbers.contains(&run[at..at + length]));
            assert!(shown.is_none(), "a phone number is in the log");
        }
    }
}

fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}
