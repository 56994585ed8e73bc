use std::collections::BTreeSet;

/// The states of a row.
const ALL: [&str; 10] = [
    "queued",
    "sending",
    "awaiting",
    "retrying",
    "held",
    "found",
    "not_found",
    "failed",
    "expired",
    "cancelled",
];

/// The states of the rows that are wanted; all states if none is named.
#[derive(Debug, Clone, Default)]
pub struct States(BTreeSet<String>);

impl States {
    /// The states with these names.
    pub fn named(names: &[String]) -> Self {
        States(names.iter().cloned().collect())
    }

    /// Whether a row in this state is wanted.
    pub fn keep(&self, state: &str) -> bool {
        self.0.is_empty() || self.0.contains(state)
    }
}

/// Reads the name of a state.
pub fn parse(text: &str) -> Result<String, String> {
    let name = text.trim().to_ascii_lowercase().replace('-', "_");
    if ALL.contains(&name.as_str()) {
        return Ok(name);
    }
    Err(format!("there is no state {text:?}; known are {}", ALL.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_means_all_states() {
        assert!(ALL.iter().all(|state| States::default().keep(state)));
        let found = States::named(&[parse("Found").unwrap(), parse("not-found").unwrap()]);
        assert_eq!(ALL.iter().filter(|state| found.keep(state)).count(), 2);
        assert!(parse("done").unwrap_err().contains("not_found"));
    }
}
