//! Finds the statements in the source: string literals that begin like one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Lit, Token};

/// A statement and the columns of the rows that it writes, if it is one for many rows.
pub(super) struct Statement {
    pub(super) file: String,
    pub(super) sql: String,
    /// The function in which it stands.
    function: usize,
    /// Each column's name and its type on Postgres.
    columns: Vec<(String, &'static str)>,
}

impl Statement {
    /// Whether only one database runs it: Postgres, if so.
    pub(super) fn is_for_postgres_only(&self) -> bool {
        ["pg_stat", "clock_timestamp"].iter().any(|word| self.sql.contains(word))
    }

    /// The statement in the words that `Conn` translates, without those of `db::bulk`.
    pub(super) fn written_out(&self) -> String {
        let row: Vec<String> = self
            .columns
            .iter()
            .zip(1..)
            .map(|((name, kind), number)| format!("CAST(${number} AS {kind}) AS {name}"))
            .collect();
        let sql = self.sql.replace("FROM ROWS", &format!("FROM (SELECT {}) AS e", row.join(", ")));
        let Some((select, rest)) = sql.split_once("FROM IDS OF ") else { return sql };
        let (table, rest) = rest.split_once(" BY ").expect("IDS OF table BY key");
        let (key, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        format!("{select}FROM IDS($1) AS e JOIN {table} ON {key} = e.value {rest}")
    }
}

/// All statements in the ledger's source, its tests left out.
pub(super) fn statements() -> Vec<Statement> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: Vec<(PathBuf, syn::File)> = files_in(&root)
        .into_iter()
        .map(|path| {
            let file = syn::parse_file(&std::fs::read_to_string(&path).unwrap()).unwrap();
            (path, file)
        })
        .collect();
    let mut finder = Finder::default();
    for (_, file) in &files {
        finder.take_words(file);
    }
    for (path, file) in &files {
        finder.file = path.strip_prefix(&root).unwrap().display().to_string();
        finder.visit_file(file);
        finder.end_file();
    }
    finder.statements
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_a_test = ["tests", "tests.rs", "statements", "statements.rs", "old_versions.rs"]
            .iter()
            .any(|name| path.file_name().is_some_and(|of| of == *name));
        if path.is_dir() && !is_a_test {
            files.extend(files_in(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_a_test {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[derive(Default)]
struct Finder {
    file: String,
    /// Macros that stand for a part of a statement, by name.
    words: HashMap<String, String>,
    statements: Vec<Statement>,
    /// The columns that the current file names.
    columns: Vec<NamedColumn>,
    /// Where the current file's statements begin.
    since: usize,
    /// Counts functions.
    function: usize,
}

/// A column that a function names.
struct NamedColumn {
    function: usize,
    name: String,
    kind: &'static str,
}

impl Finder {
    /// Takes the macros whose whole body is one literal.
    fn take_words(&mut self, file: &syn::File) {
        for item in &file.items {
            let syn::Item::Macro(item) = item else { continue };
            let Some(name) = &item.ident else { continue };
            let body = item.mac.tokens.to_string();
            let literal =
                body.find('"').map(|at| body[at..].trim_end_matches([' ', '}', ')', ';']));
            if let Some(Ok(text)) = literal.map(syn::parse_str::<syn::LitStr>) {
                self.words.insert(name.to_string(), text.value());
            }
        }
    }

    fn add(&mut self, sql: String) {
        let verbs = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "WITH "];
        if verbs.iter().any(|verb| sql.trim_start().starts_with(verb)) {
            let (file, function) = (self.file.clone(), self.function);
            self.statements.push(Statement { file, sql, function, columns: Vec::new() });
        }
    }

    /// The text of a literal, or of a macro that stands for one.
    fn text_of(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            Expr::Macro(word) => self.words.get(&word.mac.path.get_ident()?.to_string()).cloned(),
            _ => None,
        }
    }

    /// Gives the statements for many rows their columns: those that their function names, else those that another function
    /// of the file names.
    fn end_file(&mut self) {
        for statement in &mut self.statements[self.since..] {
            if !statement.sql.contains("FROM ROWS") {
                continue;
            }
            let own = self.columns.iter().filter(|column| column.function == statement.function);
            for column in own.chain(&self.columns) {
                let known = statement.columns.iter().any(|(name, _)| *name == column.name);
                if uses(&statement.sql, &column.name) && !known {
                    statement.columns.push((column.name.clone(), column.kind));
                }
            }
        }
        self.since = self.statements.len();
        self.columns.clear();
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.function += 1;
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.function += 1;
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_expr_tuple(&mut self, tuple: &'ast syn::ExprTuple) {
        if let [name, values] = tuple.elems.iter().collect::<Vec<_>>()[..]
            && let Some(name) = self.text_of(name)
        {
            let (function, kind) = (self.function, postgres_type(values));
            self.columns.push(NamedColumn { function, name, kind });
        }
        visit::visit_expr_tuple(self, tuple);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        let arguments = Punctuated::<Expr, Token![,]>::parse_terminated;
        let Ok(arguments) = arguments.parse2(invocation.tokens.clone()) else { return };
        if invocation.path.is_ident("concat") {
            let parts = arguments.iter().map(|part| {
                let text = self.text_of(part);
                text.unwrap_or_else(|| panic!("{}: unknown part of a text", self.file))
            });
            let text: String = parts.collect();
            self.add(text);
            return;
        }
        for argument in &arguments {
            Visit::visit_expr(self, argument);
        }
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.add(text.value());
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "test")
    })
}

/// Whether a statement uses a column of the rows.
fn uses(sql: &str, column: &str) -> bool {
    sql.match_indices(&format!("e.{column}")).any(|(at, found)| {
        let next = sql[at + found.len()..].chars().next();
        !next.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// The type of a column, by the function of `db::bulk` that makes it. What makes it indirectly makes numbers.
fn postgres_type(values: &Expr) -> &'static str {
    let values = values.to_token_stream().to_string();
    let mut words = values.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let kind = words.find_map(|word| match word {
        "ints" | "same" => Some("bigint"),
        "texts" | "words" | "shared" | "same_text" => Some("text"),
        "blobs" | "Blobs" => Some("bytea"),
        _ => None,
    });
    kind.unwrap_or("bigint")
}
