use jobs::Provider;
use jobs::lookup::PROVIDER;

/// Reads the provider at which people are looked up.
///
/// # Errors
/// What to write instead.
pub fn parse(text: &str) -> Result<Provider, String> {
    match text.parse() {
        Ok(provider) if provider == PROVIDER => Ok(provider),
        _ => Err(format!("only {PROVIDER} looks people up; write --lookup {PROVIDER}")),
    }
}

/// Refuses a lookup at a provider that is not asked.
///
/// # Errors
/// What to write instead.
pub fn check(
    lookup: Option<Provider>,
    asked: &[Provider],
    asks_available: bool,
) -> Result<(), String> {
    match lookup.filter(|provider| !asked.contains(provider)) {
        Some(provider) if asks_available => Err(format!(
            "--lookup {provider}: {provider} is not set up; start a worker with its key, or name it in --providers"
        )),
        Some(provider) => Err(format!(
            "--lookup {provider}: {provider} is not among --providers; add it there, or leave --lookup out"
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use jobs::Provider::{Clodura, Ocean};

    use super::*;

    #[test]
    fn only_ocean_looks_up_and_only_where_it_is_asked() {
        assert_eq!(parse("ocean"), Ok(Ocean));
        assert!(parse("clodura").is_err() && parse("").is_err());
        assert_eq!(check(Some(Ocean), &[Clodura, Ocean], false), Ok(()));
        assert_eq!(check(None, &[Clodura], false), Ok(()));
        assert!(check(Some(Ocean), &[Clodura], false).is_err_and(|text| text.contains("add it")));
        assert!(check(Some(Ocean), &[Clodura], true).is_err_and(|text| text.contains("set up")));
    }
}
