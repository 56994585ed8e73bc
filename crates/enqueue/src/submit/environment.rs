use jobs::{OffReason, Provider};

/// What this command's environment lacks to use a provider. A worker that is started from here has the same.
pub fn lacks(provider: Provider) -> Option<OffReason> {
    if !key_settings(provider).into_iter().any(is_set) {
        Some(OffReason::NoKey)
    } else if provider == Provider::Ocean && !is_set("WEBHOOK_PUBLIC_URL") {
        Some(OffReason::NoWebhookUrl)
    } else {
        None
    }
}

/// Whether a provider's key is in the environment, or names its file.
pub fn has_key(provider: Provider) -> bool {
    lacks(provider) != Some(OffReason::NoKey)
}

/// The setting that a worker must be started with, so that it no longer lacks this.
pub fn setting(provider: Provider, lacks: OffReason) -> &'static str {
    match lacks {
        OffReason::NoKey => key_settings(provider)[0],
        OffReason::NoWebhookUrl => "WEBHOOK_PUBLIC_URL",
    }
}

fn key_settings(provider: Provider) -> [&'static str; 2] {
    match provider {
        Provider::Ocean => ["OCEAN_API_TOKEN", "OCEAN_API_TOKEN_FILE"],
        Provider::Clodura => ["CLODURA_API_KEY", "CLODURA_API_KEY_FILE"],
    }
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}
