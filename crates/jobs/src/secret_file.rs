//! Secrets that come from a file: a mounted file, or a systemd credential. Neither arguments nor the environment, which
//! other processes may read, hold such secrets.

use std::fmt;
use std::path::{Path, PathBuf};

/// More bytes than any key or address has.
const LONGEST: u64 = 64 * 1024;

/// The secret that a file held. `Debug` prints only the path.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretFile {
    path: PathBuf,
    text: String,
}

impl SecretFile {
    /// Reads a file. The line end after the secret is not part of it.
    ///
    /// # Errors
    /// The file can't be read, is too large, is not text, or has several lines.
    pub fn read(path: &str) -> Result<Self, String> {
        let why = |error: std::io::Error| format!("{path} can't be read: {error}");
        let size = std::fs::metadata(path).map_err(why)?.len();
        if size > LONGEST {
            return Err(format!("{path} is too large for a secret"));
        }
        let text = std::fs::read_to_string(path).map_err(why)?.trim().to_owned();
        if text.contains('\n') {
            return Err(format!(
                "{path} holds several lines; write the secret into it and nothing else"
            ));
        }
        Ok(SecretFile { path: path.into(), text })
    }

    /// The secret.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretFile({})", self.path.display())
    }
}

/// Refuses a secret that is given twice, since choosing one of the two would be a guess.
///
/// # Errors
/// The secret is set both directly and by a file.
pub fn one_of(name: &str, given: bool, file: Option<&SecretFile>) -> Result<(), String> {
    match file {
        Some(_) if given => Err(format!("{name} and {name}_FILE are both set; keep one of them")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_file_of_one_line() {
        let folder = std::env::temp_dir().join(format!("secret-file-{}", std::process::id()));
        let path = folder.display().to_string();
        for (content, secret) in [
            ("key\n", Some("key")),
            (" key\r\n", Some("key")),
            ("", Some("")),
            ("one\ntwo\n", None),
        ] {
            std::fs::write(&folder, content).unwrap();
            let read = SecretFile::read(&path);
            assert_eq!(read.as_ref().ok().map(SecretFile::text), secret, "{content:?}");
            assert!(!format!("{read:?}").contains("key"));
        }
        std::fs::remove_file(&folder).unwrap();
        assert!(SecretFile::read(&path).is_err_and(|why| why.contains(&path)));
        assert!(SecretFile::read("/dev").is_err());
    }
}
