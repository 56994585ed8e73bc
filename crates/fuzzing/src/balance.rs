use std::time::Duration;

use jobs::outcome::Balance;
use jobs::{Credits, OceanPlan, Tariff, Timestamp};
use providers::{clodura, ocean};

/// A balance is an amount that can be computed with, of the plan that was set.
pub(crate) fn holds(body: &[u8]) {
    if let Some(balance) = clodura::read_balance(body) {
        assert_usable(&balance);
        assert!(
            balance
                .tariff
                .is_some_and(|tariff| matches!(tariff, Tariff::Credits | Tariff::DirectDials))
        );
    }
    let [auto, legacy, unified] = [OceanPlan::Auto, OceanPlan::Legacy, OceanPlan::Unified]
        .map(|plan| ocean::read_balance(body, plan));
    let plans = [(&auto, None), (&legacy, Some(Tariff::Legacy)), (&unified, Some(Tariff::Unified))];
    for (balance, tariff) in plans {
        let Some(balance) = balance else { continue };
        assert_usable(balance);
        assert!(tariff.is_none() || balance.tariff == tariff, "another plan than was said");
    }
    let is_balance = [&auto, &legacy, &unified].map(Option::is_some);
    assert!(
        is_balance == [true; 3] || is_balance == [false; 3],
        "a plan decides whether it is a balance"
    );
    if let (Some(auto), Some(legacy), Some(unified)) = (auto, legacy, unified) {
        assert!([legacy.credits, unified.credits].contains(&auto.credits), "credits of no pool");
    }
}

fn assert_usable(balance: &Balance) {
    assert!(balance.credits >= Credits::ZERO, "less than nothing is left");
    let shown = balance.credits.to_string();
    assert_eq!(shown.parse(), Ok(balance.credits), "shown as another amount");
    if let Some(daily) = balance.daily {
        assert!(Timestamp(0) + daily.resets_in >= Timestamp(0));
        assert!(daily.resets_in <= Duration::from_secs(i64::MAX.unsigned_abs()));
    }
}
