use std::time::{Duration, UNIX_EPOCH};

use jobs::{Clock, Timestamp};
use store::Store;
use url::Url;

use super::report::Check;
use crate::bootstrap::Accounts;

const NAME: &str = "clock";
/// A skew up to this is not reported: a provider's `Date` has whole seconds and took a while to arrive.
const UNNOTICED: Duration = Duration::from_secs(5);
/// Beyond this skew certificates and deadlines go wrong.
const FAR_OFF: Duration = Duration::from_secs(300);

/// Compares this machine's clock with the database's and the providers'.
pub(super) async fn check(
    store: Option<&Store>,
    accounts: &Accounts,
    http: &reqwest::Client,
) -> Vec<Check> {
    let mut compared = Vec::new();
    if let Some(store) = store.filter(|store| store.is_postgres()) {
        compared.push(("the database", difference(store.now(), Clock::system().now())));
    }
    let providers = [
        ("Ocean", accounts.ocean_key.is_some(), &accounts.ocean_base),
        ("Clodura", accounts.clodura_key.is_some(), &accounts.clodura_base),
    ];
    for (name, used, base) in providers {
        if used && let Some(skew) = skew(http, base).await {
            compared.push((name, skew));
        }
    }
    compared.into_iter().map(|(name, skew)| validate(name, skew)).collect()
}

fn validate(name: &str, skew: Duration) -> Check {
    let message = format!("{} s apart from {name}", skew.as_secs());
    let fix = "set this machine's clock, best by NTP";
    match skew {
        _ if skew < UNNOTICED => Check::ok(NAME, format!("agrees with {name}")),
        _ if skew < FAR_OFF => Check::warning(NAME, message, fix),
        _ => Check::wrong(NAME, message, fix),
    }
}

/// Returns how far the `Date` of an answer is from now. The request has no key, so that it counts against no account;
/// any answer will do.
async fn skew(http: &reqwest::Client, base: &Url) -> Option<Duration> {
    let response = http.head(base.clone()).send().await.ok()?;
    let date = response.headers().get("date")?.to_str().ok()?;
    let since = httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let theirs = Timestamp(i64::try_from(since.as_millis()).ok()?);
    Some(difference(theirs, Clock::system().now()))
}

fn difference(a: Timestamp, b: Timestamp) -> Duration {
    a.since(b).max(b.since(a))
}

#[cfg(test)]
mod tests {
    use super::super::report::Status;
    use super::*;

    #[test]
    fn a_clock_may_be_a_little_off() {
        let status = |seconds| validate("Ocean", Duration::from_secs(seconds)).status;
        assert_eq!(status(1), Status::Ok);
        assert_eq!(status(60), Status::Warning);
        assert_eq!(status(3600), Status::Wrong);
        assert_eq!(difference(Timestamp(5), Timestamp(8)), Duration::from_millis(3));
    }
}
