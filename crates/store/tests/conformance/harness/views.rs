use std::collections::BTreeSet;

use super::Bench;

/// The most rows of `longest_waiting`, and the most requests per provider that it looks at.
const MOST: i64 = 20;

impl Bench {
    /// Checks that every view can be read, and that views without a full scan agree with a count of all rows.
    pub async fn check_views(&self) {
        for view in [
            "provider_holds",
            "batch_spend",
            "reveal_people",
            "row_status",
            "reveal_status",
            "provider_status",
            "call_log",
            "webhook_log",
            "audit_log",
            "provider_results",
            "longest_waiting",
            "stuck_rows",
            "recent_calls",
        ] {
            self.database.number(&format!("SELECT COUNT(*) FROM (SELECT * FROM {view}) v")).await;
        }
        self.check_queries().await;
        self.check_batch_status().await;
        self.check_stuck_rows().await;
        self.check_longest_waiting().await;
    }

    /// Runs the queries that the random operations of the end-to-end tests run, too.
    async fn check_queries(&self) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/checks/always");
        for file in std::fs::read_dir(folder).expect("the folder of the checks") {
            let file = file.expect("a file").path();
            let query = std::fs::read_to_string(&file).expect("text");
            let problems: Vec<(String,)> = self.database.all(&query).await;
            assert!(problems.is_empty(), "{file:?}: {problems:?}");
        }
    }

    async fn check_batch_status(&self) {
        let sums: Vec<(String, i64, i64)> = self
            .database
            .all(
                "SELECT batch_id, total, queued + sending + awaiting + retrying + held + found
                        + not_found + failed + expired + cancelled
                 FROM batch_status",
            )
            .await;
        for (batch, total, sum) in sums {
            assert_eq!(total, sum, "the states of batch {batch} in batch_status");
        }
        let on_their_way: Vec<(String, i64, i64)> =
            self.database.all("SELECT batch_id, sending, awaiting FROM batch_status").await;
        for (batch, sending, awaiting) in on_their_way {
            for (state, said) in [("sending", sending), ("awaiting", awaiting)] {
                let shown = format!(
                    "SELECT COUNT(*) FROM row_status WHERE batch_id = '{batch}' AND state = '{state}'"
                );
                let shown = self.database.number(&shown).await;
                assert_eq!(said, shown, "{state} in batch {batch}, and in its rows");
            }
        }
    }

    /// Checks `stuck_rows`, except rows that wait for a result: those depend on the machine's own time.
    async fn check_stuck_rows(&self) {
        type Group = (String, String, String, String, i64);
        let said: Vec<Group> = self
            .database
            .all(
                "SELECT batch_id, provider, state, COALESCE(reason, ''), CAST(SUM(row_count) AS BIGINT)
                 FROM stuck_rows WHERE state <> 'awaiting' GROUP BY 1, 2, 3, 4",
            )
            .await;
        let counted: Vec<Group> = self
            .database
            .all(
                "SELECT batch_id, provider, state, COALESCE(reason, ''), COUNT(*)
                 FROM row_status WHERE state IN ('held', 'retrying', 'failed', 'expired')
                 GROUP BY 1, 2, 3, 4",
            )
            .await;
        let [said, counted] =
            [said, counted].map(|groups| groups.into_iter().collect::<BTreeSet<_>>());
        assert_eq!(said, counted, "stuck_rows, and what is stuck in row_status");
    }

    /// Checks that `longest_waiting` has all waiting rows if they are few.
    async fn check_longest_waiting(&self) {
        let busiest = "SELECT COALESCE(MAX(n), 0) FROM (
            SELECT COUNT(*) AS n FROM calls WHERE deadline_at IS NOT NULL GROUP BY provider) c";
        if self.database.number(busiest).await > MOST {
            return;
        }
        let rows = |view| format!("SELECT COUNT(*) FROM {view} WHERE waiting_seconds IS NOT NULL");
        let said = self.database.number(&rows("longest_waiting")).await;
        let waiting = self.database.number(&rows("row_status")).await;
        assert_eq!(said, waiting.min(MOST), "longest_waiting, of {waiting} rows that wait");
    }
}
