//! Each number's type and country, and the view that lists them.

use jobs::Provider::{Clodura, Ocean};
use jobs::outcome::{Finding, Phone};

use crate::harness::people::{clodura, ocean};
use crate::harness::{Bench, found, not_found, on_both, result};

on_both!(a_number_has_a_type_and_a_country, rows_list_the_numbers_that_they_show,);

type Shown = (i64, i64, String, Option<String>, Option<String>, String);

async fn listed(b: &Bench) -> Vec<Shown> {
    let sql = "SELECT row_number, position, phone, type, country, provider FROM row_phones
               ORDER BY batch_id, row_number, position";
    b.database.all(sql).await
}

fn shown(row: i64, position: i64, phone: &str, of: [&str; 2], provider: &str) -> Shown {
    let [kind, country] = of.map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()));
    (row, position, phone.to_owned(), kind, country, provider.to_owned())
}

fn phone(raw: &str, e164: bool, kind: Option<&str>) -> Phone {
    let e164 = e164.then(|| raw.to_owned());
    Phone::new(raw.to_owned(), e164, None, kind.map(str::to_owned))
}

async fn a_number_has_a_type_and_a_country(b: &Bench) {
    b.submit(&[clodura("c1")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    let phones = vec![
        phone("+4533123456", true, Some("Mobile Phone")),
        phone("+491701234567", true, Some("work")),
        phone("+12015550123", true, None),
        phone("0170 1234567", false, Some("landline")),
        phone("12345", false, None),
    ];
    b.webhook(&call, vec![result("c1", Finding::Found { phones, credits: None })]).await;
    assert_eq!(
        listed(b).await,
        [
            shown(1, 1, "+4533123456", ["mobile", "DK"], "clodura"),
            shown(1, 2, "+491701234567", ["mobile", "DE"], "clodura"),
            shown(1, 3, "+12015550123", ["fixed_or_mobile", "US"], "clodura"),
            shown(1, 4, "0170 1234567", ["fixed_line", ""], "clodura"),
            shown(1, 5, "12345", ["", ""], "clodura"),
        ]
    );
}

async fn rows_list_the_numbers_that_they_show(b: &Bench) {
    b.submit(&[ocean("o1"), ocean("o2"), ocean("o1"), ocean("o3").clodura("c3")]).await;
    let call = b.claim_one(Ocean).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("o1"), not_found("o2"), not_found("o3")]).await;
    let call = b.claim_one(Clodura).await;
    b.accept(&call).await;
    b.webhook(&call, vec![found("c3")]).await;
    let rows: Vec<(i64, String)> = listed(b).await.into_iter().map(|row| (row.0, row.5)).collect();
    assert_eq!(rows, [(1, "ocean".into()), (3, "ocean".into()), (4, "clodura".into())]);
    b.store
        .privacy()
        .erase(
            &b.store
                .privacy()
                .identify(&store::ErasureTarget::Identifiers(["ocean:o1".into()].into()))
                .await
                .unwrap()[0],
        )
        .await
        .unwrap();
    let rows: Vec<i64> = listed(b).await.into_iter().map(|row| row.0).collect();
    assert_eq!(rows, [4]);
}
