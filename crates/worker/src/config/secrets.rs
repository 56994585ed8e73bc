//! Keys and the database's URL: from a variable or a file, never from both.

use jobs::secret_file::{SecretFile, one_of};
use secrecy::{ExposeSecret, SecretString};

use super::Config;
use crate::admin::Tokens;

impl Config {
    /// Ocean's key, from its variable or its file.
    #[must_use]
    pub fn ocean_key(&self) -> Option<SecretString> {
        key(self.ocean_api_token.as_ref(), self.ocean_api_token_file.as_ref())
    }

    /// Clodura's key, from its variable or its file.
    #[must_use]
    pub fn clodura_key(&self) -> Option<SecretString> {
        key(self.clodura_api_key.as_ref(), self.clodura_api_key_file.as_ref())
    }

    /// The tokens of the dashboard.
    ///
    /// # Errors
    /// A token could be guessed, or two people have the same.
    pub fn admin_tokens(&self) -> Result<Tokens, String> {
        let admin = key(self.admin_token.as_ref(), self.admin_token_file.as_ref());
        Tokens::new(admin.as_ref(), self.admin_tokens_file.as_ref())
    }

    /// Checks that no secret is given twice.
    ///
    /// # Errors
    /// A secret is given twice: wrong usage.
    pub fn check_secrets(&self) -> Result<(), String> {
        let given = |secret: &Option<SecretString>| {
            secret.as_ref().is_some_and(|secret| !secret.expose_secret().is_empty())
        };
        let url = self.database_url.as_ref().is_some_and(|url| !url.is_empty());
        one_of("DATABASE_URL", url, self.database_url_file.as_ref())?;
        let ocean = given(&self.ocean_api_token);
        one_of("OCEAN_API_TOKEN", ocean, self.ocean_api_token_file.as_ref())?;
        let clodura = given(&self.clodura_api_key);
        one_of("CLODURA_API_KEY", clodura, self.clodura_api_key_file.as_ref())?;
        let admin = given(&self.admin_token);
        one_of("ADMIN_TOKEN", admin, self.admin_token_file.as_ref())
    }
}

/// A key from its variable or its file. An empty one is none.
fn key(given: Option<&SecretString>, file: Option<&SecretFile>) -> Option<SecretString> {
    let text = file.map(SecretFile::text).or(given.map(ExposeSecret::expose_secret))?.trim();
    (!text.is_empty()).then(|| SecretString::from(text))
}
