use jobs::Provider;
use jobs::outcome::{Finding, TrackOutcome};
use providers::clodura::read_track;
use providers::webhook::parse;

use crate::webhook::assert_fit_to_be_kept;

/// A poll says what the same body says as a webhook, and a number in the body wins.
pub(crate) fn holds(body: &[u8]) {
    let outcome = read_track(body);
    let results = parse(Provider::Clodura, body).unwrap_or_default().results;
    let has_number = results.iter().any(|result| matches!(result.finding, Finding::Found { .. }));
    match outcome {
        TrackOutcome::Finished(result) => {
            assert_fit_to_be_kept(&result);
            assert_eq!(
                matches!(result.finding, Finding::Found { .. }),
                has_number,
                "a number was passed over"
            );
            assert!(results.contains(&result), "a result from nowhere");
        }
        TrackOutcome::Running => {
            assert!(!has_number, "a number was passed over");
            let is_open = |finding: &Finding| matches!(finding, Finding::InProgress);
            assert!(
                results.is_empty() || results.iter().any(|result| is_open(&result.finding)),
                "it is finished"
            );
        }
        TrackOutcome::NothingThere => panic!("only a status says that nothing is there"),
    }
}
