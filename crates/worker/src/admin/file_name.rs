//! The name under which a browser saves an export: the batch's.

use std::fmt::Write;

/// Longer names are cut, in letters.
const LONGEST: usize = 80;

/// Returns the value of `Content-Disposition`. The name is the user's text, so it is made safe for headers and file
/// systems. If nothing is left of it, the batch's id replaces it.
pub fn disposition(name: Option<&str>, batch_id: &str, ending: &str) -> String {
    let name =
        name.map(safe).filter(|name| !name.is_empty()).unwrap_or_else(|| batch_id.to_owned());
    let ascii: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let mut whole = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            whole.push(char::from(byte));
        } else {
            // Writing to a String can't fail.
            let _ = write!(whole, "%{byte:02X}");
        }
    }
    format!("attachment; filename=\"{ascii}.{ending}\"; filename*=UTF-8''{whole}.{ending}")
}

/// Removes characters that no file system takes, that would leave the folder or hide the file, or that change the
/// direction of text.
fn safe(name: &str) -> String {
    let forbidden = |c: char| c.is_control() || "/\\:*?\"<>|%".contains(c);
    let turns = |c: &char| {
        !('\u{200e}'..='\u{200f}').contains(c)
            && !('\u{202a}'..='\u{202e}').contains(c)
            && !('\u{2066}'..='\u{2069}').contains(c)
    };
    let name: String =
        name.chars().filter(turns).map(|c| if forbidden(c) { '-' } else { c }).collect();
    let name: String =
        name.trim_matches(|c: char| c == '.' || c.is_whitespace()).chars().take(LONGEST).collect();
    name.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_has_the_batchs_name() {
        let named = |name| disposition(Some(name), "01J", "csv");
        assert_eq!(
            named("Spring campaign"),
            "attachment; filename=\"Spring campaign.csv\"; filename*=UTF-8''Spring%20campaign.csv"
        );
        assert_eq!(
            named("Frühling"),
            "attachment; filename=\"Fr_hling.csv\"; filename*=UTF-8''Fr%C3%BChling.csv"
        );
        assert!(
            named("../../etc/passwd\r\nX: \"y\"")
                .starts_with("attachment; filename=\"-..-etc-passwd--X- -y-.csv\"")
        );
        for nothing in [None, Some(""), Some(" .. "), Some("\u{202e}")] {
            assert!(
                disposition(nothing, "01J", "csv").contains("filename=\"01J.csv\""),
                "{nothing:?}"
            );
        }
        assert!(named(&"x".repeat(500)).len() < 300);
    }
}
