//! The user's own columns. A row shows two of them: those that best identify the person.

use export::kept;
use store::DisplayedRow;

/// How many of the columns a row shows.
const SHOWN: usize = 2;

/// Columns of a batch, for its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    names: Vec<String>,
    shown: Vec<usize>,
}

impl Own {
    /// Chooses among the names of a batch's columns.
    pub fn of(names: Vec<String>) -> Self {
        let normal: Vec<String> = names.iter().map(|name| normal(name)).collect();
        let whole_name = normal.iter().any(|name| rank(name) == Some(Rank::Name));
        let mut ranked: Vec<(Rank, usize)> = normal
            .iter()
            .enumerate()
            .filter_map(|(place, name)| Some((rank(name)?, place)))
            .filter(|(rank, _)| !(whole_name && *rank == Rank::PartOfName))
            .collect();
        ranked.sort();
        let mut shown: Vec<usize> = ranked.iter().take(SHOWN).map(|(_, place)| *place).collect();
        shown.sort_unstable();
        Own { names, shown }
    }

    /// The names of the columns that are shown.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.shown.iter().filter_map(|place| self.names.get(*place)).map(String::as_str)
    }

    /// Returns a row's values in the shown columns. The values of an erased row are empty.
    pub fn values(&self, row: &DisplayedRow) -> Vec<String> {
        let mut all = kept::texts(row.fields.json(), &self.names).unwrap_or_default();
        self.shown
            .iter()
            .map(|place| all.get_mut(*place).map(std::mem::take).unwrap_or_default())
            .collect()
    }
}

/// How well a column identifies the person of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Name,
    PartOfName,
    Company,
    Other,
}

/// Letters and digits alone, in lower case.
fn normal(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Ranks a column by its name. Columns of identifiers and numbers have no rank: identifiers are in a column of
/// their own, and numbers are masked on this page.
fn rank(name: &str) -> Option<Rank> {
    Some(match name {
        "name" | "fullname" | "contact" | "contactname" | "personname" | "displayname" => {
            Rank::Name
        }
        "firstname" | "givenname" | "lastname" | "surname" | "familyname" => Rank::PartOfName,
        "company" | "companyname" | "account" | "accountname" | "organization" | "employer" => {
            Rank::Company
        }
        _ if name.is_empty() || name.ends_with("id") || name.ends_with("url") => return None,
        _ if ["linkedin", "phone", "mobile", "cell", "fax"]
            .iter()
            .any(|word| name.contains(word)) =>
        {
            return None;
        }
        _ => Rank::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[&str]) -> Vec<String> {
        let own = Own::of(names.iter().map(|name| (*name).to_owned()).collect());
        own.names().map(str::to_owned).collect()
    }

    #[test]
    fn the_columns_that_identify_the_person_are_chosen() {
        assert_eq!(
            chosen(&["Record ID", "First Name", "Last Name", "Company"]),
            ["First Name", "Last Name"]
        );
        assert_eq!(
            chosen(&["Company", "Title", "Full name", "First name"]),
            ["Company", "Full name"]
        );
        assert_eq!(chosen(&["linkedin_url", "Notes", "Score", "List"]), ["Notes", "Score"]);
        assert_eq!(chosen(&["ocean_person_id", "Mobile Phone", ""]), [""; 0]);
        assert_eq!(chosen(&["name"]), ["name"]);
    }
}
