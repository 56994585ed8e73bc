use jobs::outcome::{Balance, FreeRequestFailure};
use jobs::{PerPerson, Price, Provider, Tariff, duration};
use store::{ProviderStatus, Store};

use super::report::Check;
use crate::bootstrap::Accounts;
use crate::config::Config;
use crate::error::StartError;

/// A provider's account, as seen from this set-up.
struct Account {
    provider: Provider,
    check: &'static str,
    key: &'static str,
    /// `None`: no key.
    balance: Option<Result<Balance, Trouble>>,
}

enum Trouble {
    Settings(StartError),
    Answer(FreeRequestFailure),
    NotAsked(String),
}

/// Asks for each provider's balance, which checks its key, and reports what its gate says.
pub(super) async fn check(
    config: &Config,
    accounts: &Accounts,
    store: Option<&Store>,
    http: &reqwest::Client,
) -> Vec<Check> {
    let status = match store {
        Some(store) => store.reports().provider_status().await.unwrap_or_default(),
        None => Vec::new(),
    };
    let gate = |provider: Provider| status.iter().find(|s| s.provider == provider.as_str());
    let (ocean, clodura) = tokio::join!(
        async {
            match (accounts.ocean(http, config.ocean_plan), limited(gate(Provider::Ocean))) {
                (Err(error), _) => Some(Err(Trouble::Settings(error))),
                (Ok(None), _) => None,
                (Ok(Some(_)), Some(until)) => Some(Err(Trouble::NotAsked(until))),
                (Ok(Some(client)), None) => Some(client.balance().await.map_err(Trouble::Answer)),
            }
        },
        async {
            match (accounts.clodura(http), limited(gate(Provider::Clodura))) {
                (Err(error), _) => Some(Err(Trouble::Settings(error))),
                (Ok(None), _) => None,
                (Ok(Some(_)), Some(until)) => Some(Err(Trouble::NotAsked(until))),
                (Ok(Some(client)), None) => Some(client.balance().await.map_err(Trouble::Answer)),
            }
        },
    );
    let (provider, check) = (Provider::Ocean, "ocean account");
    let ocean = Account { provider, check, key: "OCEAN_API_TOKEN", balance: ocean };
    let (provider, check) = (Provider::Clodura, "clodura account");
    let clodura = Account { provider, check, key: "CLODURA_API_KEY", balance: clodura };
    if ocean.balance.is_none() && clodura.balance.is_none() {
        let message =
            "neither OCEAN_API_TOKEN nor CLODURA_API_KEY is set: no provider can be asked";
        return vec![Check::wrong("accounts", message, "set at least one of them")];
    }
    let mut found = vec![ocean.validate(config), clodura.validate(config)];
    found.extend(status.iter().filter_map(closed));
    found
}

/// Returns until when this provider must be left alone. No worker sends until then, and neither does the doctor.
fn limited(status: Option<&ProviderStatus>) -> Option<String> {
    let status = status.filter(|status| status.gate == "closed")?;
    let reason = status.gate_reason.as_deref()?;
    let asked = reason.starts_with("rate_limited") || reason.starts_with("provider_broken");
    asked.then(|| status.gate_until.clone().unwrap_or_else(|| "it is fixed".to_owned()))
}

/// Reports a gate that was closed, by hand or by a worker.
fn closed(status: &ProviderStatus) -> Option<Check> {
    // A missing key or URL belongs to this set-up, and another check reports it.
    let reason = status.gate_reason.as_deref().filter(|r| !r.starts_with("no_"))?;
    let fix = match reason {
        "paused" => format!("enqueue resume {}", status.provider),
        _ if reason.starts_with("misconfigured") => {
            format!("fix it and start the worker again, or: enqueue resume {}", status.provider)
        }
        _ => "it opens by itself; see enqueue status".to_owned(),
    };
    Some(Check::warning("gate", format!("{} is {}: {reason}", status.provider, status.gate), fix))
}

impl Account {
    fn validate(&self, config: &Config) -> Check {
        let Account { provider, check, key, .. } = self;
        let name = if *provider == Provider::Ocean { "Ocean" } else { "Clodura" };
        let base = if *provider == Provider::Ocean { "OCEAN_BASE_URL" } else { "CLODURA_BASE_URL" };
        match &self.balance {
            None => Check::warning(
                check,
                format!("{key} is not set: {name} is off, rows that need it are held"),
                format!("set {key}, or submit with --providers for the other alone"),
            ),
            Some(Ok(balance)) => self.validate_balance(balance, config),
            Some(Err(Trouble::Settings(error))) => {
                Check::wrong(check, error.to_string(), format!("fix {key} or {base}"))
            }
            Some(Err(Trouble::NotAsked(until))) => Check::warning(
                check,
                format!("not asked: {name}'s gate is closed until {until}"),
                "look again after that",
            ),
            Some(Err(Trouble::Answer(FreeRequestFailure::Misconfigured { message }))) => {
                Check::wrong(
                    check,
                    format!("the key is refused: {message}"),
                    format!("set {key} to the account's key, without quotes or spaces"),
                )
            }
            Some(Err(Trouble::Answer(FreeRequestFailure::RateLimited { retry_after }))) => {
                let wait = retry_after.map(|wait| format!(" for {}", duration::display(wait)));
                let message = format!("{name} asks for a pause{}", wait.unwrap_or_default());
                Check::warning(check, message, "look again after that")
            }
            Some(Err(Trouble::Answer(FreeRequestFailure::Unavailable { message }))) => {
                Check::wrong(
                    check,
                    format!("{name} gives no balance: {message}"),
                    format!("check {base} and this machine's way to the network"),
                )
            }
        }
    }

    fn validate_balance(&self, balance: &Balance, config: &Config) -> Check {
        let set = match self.provider {
            Provider::Ocean => config.ocean_plan.per_person(config.ocean_credits_per_person),
            Provider::Clodura => config.clodura_credits_per_person,
        };
        let Price { reserved, least } = set.price(self.provider, balance.tariff, 0);
        let daily = balance.daily.map(|daily| format!(", {} requests left today", daily.left));
        let plan = match balance.tariff {
            Some(plan @ (Tariff::Legacy | Tariff::Unified)) => format!(" on a {plan} plan"),
            _ => String::new(),
        };
        let left = format!(
            "the key is accepted; {} credits left{plan}, {reserved} reserved for each person{}",
            balance.credits,
            daily.unwrap_or_default(),
        );
        if balance.credits < least {
            return Check::warning(
                self.check,
                left,
                "top it up; until then no person is asked for",
            );
        }
        let most = PerPerson::Auto.price(self.provider, balance.tariff, 0).reserved;
        if balance.tariff.is_some() && reserved < most {
            let (provider, message) =
                (self.provider.as_str(), format!("{left}: this plan may charge {most}"));
            let setting = format!("{}_CREDITS_PER_PERSON", provider.to_ascii_uppercase());
            return Check::warning(self.check, message, format!("set {setting} to auto"));
        }
        Check::ok(self.check, left)
    }
}
