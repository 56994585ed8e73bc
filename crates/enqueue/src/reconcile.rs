use clap::Args;
use jobs::Credits;
use jobs::reconcile::{Day, by_day};
use store::Store;

use crate::failure::Failure;
use crate::output::{print_line, say};

/// Options of `enqueue reconcile`.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// Print a JSON array of objects: provider, day, ledger, account, added, unexplained, reserved
    #[arg(long)]
    pub json: bool,
}

const HEADER: [&str; 6] = ["provider", "day", "ledger", "account", "added", "unexplained"];

/// `enqueue reconcile`.
pub async fn reconcile(store: &Store, args: &ReconcileArgs) -> Result<(), Failure> {
    let days = by_day(&store.reports().balance_readings().await?);
    if args.json {
        let text = serde_json::to_string(&days)
            .map_err(|error| Failure::Failed(format!("the days can't be written: {error}")))?;
        return Ok(print_line(&text)?);
    }
    if days.is_empty() {
        say(
            "No account was asked for its balance twice yet. A worker asks at its start and once an hour.",
        );
        return Ok(());
    }
    print_line(&table(&days))?;
    for line in days.iter().filter_map(remark) {
        say(&line);
    }
    Ok(())
}

fn table(days: &[Day]) -> String {
    let cells = |day: &Day| {
        let numbers = [day.ledger, day.account, day.added, day.unexplained].map(Credits::grouped);
        let [ledger, account, added, unexplained] = numbers;
        [day.provider.to_string(), day.day.clone(), ledger, account, added, unexplained]
    };
    let rows: Vec<[String; 6]> =
        std::iter::once(HEADER.map(str::to_owned)).chain(days.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let line = |row: &[String; 6]| {
        let cells = row.iter().enumerate().map(|(column, cell)| match column {
            0 | 1 => format!("{cell:<0$}", width(column)),
            _ => format!("{cell:>0$}", width(column)),
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Says what a day that does not add up may mean.
fn remark(day: &Day) -> Option<String> {
    let Day { provider, day, unexplained, reserved, .. } = day;
    let most = unexplained.abs();
    if most == Credits::ZERO {
        return None;
    }
    Some(if *unexplained < Credits::ZERO {
        format!(
            "{provider}, {day}: the ledger booked {} more than the account lost: results that were out at an earlier \
             reading, or a refund.",
            most.counted()
        )
    } else if most <= *reserved {
        format!(
            "{provider}, {day}: {} are unexplained; results that were out at the last reading may explain them.",
            most.counted()
        )
    } else {
        format!(
            "{provider}, {day}: {} are unexplained: used by something else, or charged for requests whose results \
             never came.",
            most.counted()
        )
    })
}

#[cfg(test)]
mod tests {
    use jobs::Provider;

    use super::*;

    fn day(unexplained: i64, reserved: i64) -> Day {
        Day {
            provider: Provider::Ocean,
            day: "2026-11-27".to_owned(),
            ledger: Credits::whole(1_200),
            account: Credits::whole(1_200 + unexplained),
            added: Credits::ZERO,
            unexplained: Credits::whole(unexplained),
            reserved: Credits::whole(reserved),
        }
    }

    #[test]
    fn a_table_with_columns_under_each_other() {
        assert_eq!(
            table(&[day(30, 0)]),
            "provider  day         ledger  account  added  unexplained\n\
             ocean     2026-11-27   1,200    1,230      0           30"
        );
    }

    #[test]
    fn says_what_does_not_add_up() {
        assert_eq!(remark(&day(0, 0)), None);
        assert!(remark(&day(-1, 0)).is_some_and(|text| text.contains("booked 1 credit more")));
        assert!(remark(&day(30, 30)).is_some_and(|text| text.contains("may explain them")));
        assert!(remark(&day(31, 30)).is_some_and(|text| text.contains("never came")));
    }
}
