//! The tokens that are asked for: `ADMIN_TOKEN` is an admin's, a file has one line for each person or program.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::roles::Role;

/// A shorter token could be guessed.
const SHORTEST_TOKEN: usize = 16;
/// More than any list of people needs.
const LARGEST_FILE: u64 = 256 * 1024;
/// The longest name, in letters.
const LONGEST_NAME: usize = 64;
/// The name that `ADMIN_TOKEN` has in the audit log.
const ADMIN: &str = "admin";

/// One token. Only its hash is kept, so that a comparison takes the same time for every token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    hash: [u8; 32],
    /// The person or program that has the token.
    pub(crate) name: Arc<str>,
    /// What the holder may do.
    pub(crate) role: Role,
}

impl Token {
    fn new(name: &str, role: Role, token: &str) -> Self {
        Token { hash: hash(token), name: name.into(), role }
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// A file of tokens as it was read at start. Its `Debug` output shows no token.
#[derive(Clone, PartialEq, Eq)]
pub struct TokensFile {
    path: PathBuf,
    tokens: Vec<Token>,
}

impl fmt::Debug for TokensFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokensFile({}, {} tokens)", self.path.display(), self.tokens.len())
    }
}

impl TokensFile {
    /// Reads a file with a line `NAME ROLE TOKEN` for each token.
    ///
    /// # Errors
    /// The file can't be read, or a line has another form. The text names the line and never a token.
    pub fn read(path: &str) -> Result<Self, String> {
        let why = |error: std::io::Error| format!("{path} can't be read: {error}");
        if std::fs::metadata(Path::new(path)).map_err(why)?.len() > LARGEST_FILE {
            return Err(format!("{path} is too large for a list of tokens"));
        }
        let text = std::fs::read_to_string(path).map_err(why)?;
        let tokens = parse(&text).map_err(|why| format!("{path}: {why}"))?;
        Ok(TokensFile { path: path.into(), tokens })
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn parse(text: &str) -> Result<Vec<Token>, String> {
    let lines = text.lines().zip(1..).map(|(line, number)| (line.trim(), number));
    let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    let tokens: Vec<Token> = lines
        .map(|(line, number)| token(line).map_err(|why| format!("line {number}: {why}")))
        .collect::<Result<_, _>>()?;
    if tokens.is_empty() {
        return Err("there is no token in it; write a line NAME ROLE TOKEN for each".to_owned());
    }
    Ok(tokens)
}

fn token(line: &str) -> Result<Token, String> {
    let parts: Vec<&str> = line.split_whitespace().collect();
    let [name, role, token] = parts[..] else {
        return Err("write NAME ROLE TOKEN, as in: ada operator 3f0c…".to_owned());
    };
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(format!("a name has at most {LONGEST_NAME} letters"));
    }
    long_enough("a token", token)?;
    let role = role.parse::<Role>().map_err(|error| error.to_string())?;
    Ok(Token::new(name, role, token))
}

fn long_enough(what: &str, token: &str) -> Result<(), String> {
    if token.len() < SHORTEST_TOKEN {
        return Err(format!(
            "{what} must have at least {SHORTEST_TOKEN} characters (openssl rand -hex 32)"
        ));
    }
    Ok(())
}

/// All tokens of a worker.
#[derive(Clone, Default)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// Puts the tokens together. `admin` is `ADMIN_TOKEN`; an empty one counts as none.
    ///
    /// # Errors
    /// A token could be guessed, or two lines have the same one: the audit log could not show which of them acts.
    pub fn new(admin: Option<&SecretString>, file: Option<&TokensFile>) -> Result<Self, String> {
        let admin = admin.map(ExposeSecret::expose_secret).map(str::trim);
        let admin = admin.filter(|token| !token.is_empty());
        admin.map_or(Ok(()), |token| long_enough("ADMIN_TOKEN", token))?;
        let admin = admin.map(|token| Token::new(ADMIN, Role::Admin, token));
        let all: Vec<Token> = admin
            .into_iter()
            .chain(file.into_iter().flat_map(|file| file.tokens.clone()))
            .collect();
        for (place, token) in all.iter().enumerate() {
            if let Some(other) = all[..place].iter().find(|other| other.hash == token.hash) {
                return Err(format!(
                    "{} and {} have the same token; give each their own",
                    other.name, token.name
                ));
            }
        }
        Ok(Tokens(all))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the token that `given` is. Takes the same time however much of `given` is right, and for every token.
    pub(crate) fn find(&self, given: &str) -> Option<&Token> {
        let given = hash(given);
        self.0.iter().fold(None, |found, token| {
            if bool::from(token.hash.ct_eq(&given)) { Some(token) } else { found }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "0123456789abcdef-ada";
    const BOB: &str = "0123456789abcdef-bob";

    fn file(text: &str) -> Result<TokensFile, String> {
        Ok(TokensFile { path: "tokens".into(), tokens: parse(text)? })
    }

    #[test]
    fn a_file_has_a_line_for_each_token() {
        let text = format!("# who may look\n\nada operator {ADA}\r\n\tscreen  viewer\t{BOB}\n");
        let file = file(&text).unwrap();
        let tokens =
            Tokens::new(Some(&SecretString::from("0123456789abcdef")), Some(&file)).unwrap();
        let known = |given: &str| tokens.find(given).map(|token| (&*token.name, token.role));
        assert_eq!(known(ADA), Some(("ada", Role::Operator)));
        assert_eq!(known(BOB), Some(("screen", Role::Viewer)));
        assert_eq!(known("0123456789abcdef"), Some(("admin", Role::Admin)));
        assert_eq!(known("0123456789abcdeg"), None);
        assert_eq!(known(""), None);
        assert!(!format!("{file:?}").contains(ADA));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_without_its_secrets() {
        for (text, why) in [
            ("".to_owned(), "no token"),
            (format!("ada {ADA}"), "line 1: write NAME ROLE TOKEN"),
            (format!("\nada root {ADA}"), "line 2: a role is viewer, operator or admin"),
            ("ada admin short".to_owned(), "line 1: a token must have at least 16"),
        ] {
            let said = file(&text).unwrap_err();
            assert!(said.contains(why) && !said.contains(ADA) && !said.contains("short"), "{said}");
        }
        let twice = file(&format!("ada admin {ADA}\nbob viewer {ADA}")).unwrap();
        let said = Tokens::new(None, Some(&twice)).err().unwrap();
        assert!(said.contains("ada and bob have the same token") && !said.contains(ADA), "{said}");
    }

    #[test]
    fn an_admins_token_must_be_long() {
        let tokens = |token: &str| Tokens::new(Some(&SecretString::from(token)), None);
        assert!(tokens("short").is_err_and(|why| why.contains("ADMIN_TOKEN")));
        assert!(tokens("").is_ok_and(|tokens| tokens.is_empty()), "an empty variable is no token");
        assert!(tokens("0123456789abcdef").is_ok_and(|tokens| !tokens.is_empty()));
    }
}
