//! Finds the imports between the files of a crate, from the source text: `use` lines, and paths in the code. Test modules
//! inside files don't count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The files of a crate. They are called by their paths below `src`, without the ending.
pub struct Source {
    files: BTreeMap<String, Vec<String>>,
    /// Re-exported names, by file and name, with their full paths. The crate's root is called "".
    handed_on: BTreeMap<(String, String), Vec<String>>,
}

/// A path that a file uses.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// From the crate's root on.
    pub path: Vec<String>,
    /// The file that defines it; `None` if only the root does.
    pub file: Option<String>,
}

impl Source {
    /// Reads all files below `src`.
    pub fn read(src: &Path) -> Source {
        let mut files = BTreeMap::new();
        let mut folders = vec![src.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let name = path.strip_prefix(src).unwrap().with_extension("");
                    let name = name.to_string_lossy().trim_end_matches("/mod").to_owned();
                    if name != "tests" && !name.ends_with("/tests") {
                        files.insert(name, tokens(&std::fs::read_to_string(&path).unwrap()));
                    }
                }
            }
        }
        let mut source = Source { files, handed_on: BTreeMap::new() };
        for file in source.files.keys() {
            for path in uses(&source.files[file], true) {
                let (Some(name), Some(path)) = (path.last().cloned(), source.full(file, &path))
                else {
                    continue;
                };
                source.handed_on.insert((home(file).join("/"), name), path);
            }
        }
        source
    }

    /// The names of the files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether this is the root of a library or program.
    pub fn is_root(file: &str) -> bool {
        matches!(file, "lib" | "main")
    }

    /// The imports of a file from other files of its crate.
    pub fn imports(&self, file: &str) -> BTreeSet<Import> {
        let tokens = &self.files[file];
        let paths = uses(tokens, false).into_iter().chain(inline(tokens));
        paths
            .filter_map(|path| self.full(file, &path))
            .filter(|path| !path.is_empty())
            .map(|path| Import { file: self.defines(&path, 0), path })
            .filter(|import| import.file.as_deref() != Some(file))
            .collect()
    }

    /// The full path from the crate's root, if `path` leads into the crate.
    fn full(&self, file: &str, path: &[String]) -> Option<Vec<String>> {
        let mut base = home(file);
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (base, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                base.push(child.to_owned());
                if !self.files.contains_key(&base.join("/")) {
                    return None;
                }
                base.pop();
            }
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// The file that defines the item at `path`. Re-exports are followed to their origin.
    fn defines(&self, path: &[String], depth: usize) -> Option<String> {
        let is_file = |n: &usize| self.files.contains_key(&path[..*n].join("/"));
        let length = (1..=path.len()).rev().find(is_file).unwrap_or(0);
        let file = path[..length].join("/");
        if let Some(name) = path.get(length)
            && let Some(origin) = self.handed_on.get(&(file.clone(), name.clone()))
            && depth < 9
            && origin != path
        {
            return self.defines(origin, depth + 1);
        }
        (length > 0).then_some(file)
    }
}

/// The module path of a file.
fn home(file: &str) -> Vec<String> {
    if Source::is_root(file) { Vec::new() } else { file.split('/').map(str::to_owned).collect() }
}

/// The paths of all `use` lines, or only of re-exports (`pub use`).
fn uses(tokens: &[String], public: bool) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| *token == "use") {
        let is_public = at > 0 && (tokens[at - 1] == "pub" || tokens[at - 1] == ")");
        if is_public || !public {
            let end = tokens[at..].iter().position(|token| token == ";").unwrap_or(0);
            tree(&tokens[at + 1..at + end.max(1)], &[], &mut paths);
        }
    }
    paths
}

/// Adds the leaves of a `use` tree to `paths`; returns the number of tokens read.
fn tree(tokens: &[String], prefix: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let (mut at, mut path) = (0, prefix.to_vec());
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.as_str() {
            "::" => {}
            "as" => at += 1,
            "{" => {
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at += tree(&tokens[at..], &path, paths);
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            "," | "}" => {
                at -= 1;
                break;
            }
            "self" if !path.is_empty() => {}
            "*" => {}
            name => path.push(name.to_owned()),
        }
    }
    paths.push(path);
    at
}

/// The paths in the code itself, such as `crate::error::Result<()>` or `child::function()`.
fn inline(tokens: &[String]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "use" {
            at += tokens[at..].iter().position(|token| token == ";").unwrap_or(0);
        }
        let mut path = vec![tokens[at].clone()];
        while tokens.get(at + 1).is_some_and(|token| token == "::")
            && tokens.get(at + 2).is_some_and(|token| is_name(token))
        {
            path.push(tokens[at + 2].clone());
            at += 2;
        }
        if path.len() > 1 {
            paths.push(path);
        }
        at += 1;
    }
    paths
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// The tokens of a file, without comments, string literals and the test module at its end.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = text_length(rest) {
            length
        } else if is_name(rest) {
            let length =
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    let tests = ["#", "[", "cfg", "(", "test", ")", "]", "mod", "tests", "{"];
    if let Some(end) = tokens.windows(tests.len()).position(|window| window == tests) {
        tokens.truncate(end);
    }
    tokens
}

/// The length of the string or char literal at the start of `rest`, if there is one.
fn text_length(rest: &str) -> Option<usize> {
    let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'));
    if let Some(raw) = raw {
        let marks = raw.len() - raw.trim_start_matches('#').len();
        if raw[marks..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(marks));
            let start = rest.len() - raw.len() + marks + 1;
            return Some(rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len()));
        }
    }
    if let Some(letter) = rest.strip_prefix('\'') {
        let escaped = letter.strip_prefix('\\').and_then(|after| after[1..].find('\''));
        let plain = letter.chars().next().map(char::len_utf8);
        return match (escaped, plain) {
            (Some(at), _) => Some(3 + at + 1),
            (None, Some(length)) if letter[length..].starts_with('\'') => Some(length + 2),
            _ => None,
        };
    }
    let inside = rest.strip_prefix('"')?;
    let mut escaped = false;
    let end = inside.find(|c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    Some(end.map_or(rest.len(), |at| at + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let tokens = tokens(text);
        let all = uses(&tokens, false).into_iter().chain(inline(&tokens));
        all.map(|path| path.join("::")).collect()
    }

    #[test]
    fn reads_imports_however_they_are_written() {
        assert_eq!(
            paths("use crate::a::{self, B, c::{D as E, F}};"),
            ["crate::a", "crate::a::B", "crate::a::c::D", "crate::a::c::F",]
        );
        assert_eq!(
            paths("fn f<'a>(x: &'a str) -> crate::R<()> { g('\\'', '\"'); super::h(x) }"),
            ["crate::R", "super::h",]
        );
        assert_eq!(paths("$crate::conn::Raw"), ["crate::conn::Raw"]);
    }

    #[test]
    fn comments_texts_and_tests_are_no_code() {
        assert!(
            paths("// use crate::a;\nconst A: &str = \"use crate::a;\\\" crate::b\";").is_empty()
        );
        assert!(
            paths("const A: &str = r#\"crate::\"a\"#;\n#[cfg(test)]\nmod tests { use crate::a; }")
                .is_empty()
        );
    }
}
