//! Files as people have them, each with the right answer.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use enqueue::input::{Options, Reader, Source};
use export::kept;
use jobs::{FileFormat, LineEnd};

use super::{Outcome, open, read, refusal};

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/input/cases").join(name)
}

fn reader(name: &str) -> Reader {
    Reader::open(&[Source::File(case(name))], Options::default()).unwrap()
}

fn outcome(name: &str) -> Outcome {
    Outcome::of(reader(name)).unwrap()
}

fn messages(outcome: &Outcome) -> Vec<(u64, String)> {
    outcome.bad.iter().map(|bad| (bad.line, bad.message())).collect()
}

#[test]
fn placeholders_are_empty_cells() {
    let outcome = outcome("01-placeholder-na.csv");
    assert_eq!(outcome.people(), ["linkedin.com/in/ann", "linkedin.com/in/bob"]);
    assert!(outcome.bad.is_empty());
}

#[test]
fn shortened_ids_are_bad_rows() {
    let said = "clodura_person_id: a spreadsheet shortened this id; \
                format the column as text and export again";
    let expected = [2, 3].map(|line| (line, said.to_owned()));
    assert_eq!(messages(&outcome("03-scientific.csv")), expected);
}

#[test]
fn guards_are_taken_off() {
    let outcome = outcome("04-excel-guards.csv");
    assert_eq!(outcome.people(), ["clodura:2751275603503088159"; 4]);
    assert_eq!(outcome.bad.len(), 1);
    assert!(outcome.bad[0].line == 5 && outcome.errors()[0].contains("put separators between"));
}

#[test]
fn a_prefix_may_stand_there_twice() {
    let outcome = outcome("06-in-prefix.csv");
    let people =
        ["ann-alpha", "bob-beta", "cy", "di"].map(|name| format!("linkedin.com/in/{name}"));
    assert_eq!(outcome.people(), people);
    assert!(outcome.errors()[0].contains("06-in-prefix.csv:6: linkedin_url: is an old public"));
}

#[test]
fn rows_that_contradict_each_other_are_both_read() {
    let people = outcome("09-contradiction.csv").people();
    assert_eq!(people.len(), 2);
    assert_ne!(people[0], people[1]);
}

#[test]
fn a_separator_line_is_obeyed() {
    let outcome = outcome("11-sep-line.csv");
    assert_eq!((outcome.lines(), outcome.columns.len()), (vec![3], 2));
    assert_eq!(outcome.people(), ["linkedin.com/in/ann"]);
    let tabs = read("p.csv", "\u{feff}SEP=|\r\nName|ocean_person_id\r\na,b|p1\r\n");
    assert_eq!(tabs.people(), ["ocean:p1"]);
}

#[test]
fn a_preamble_is_skipped_and_the_address_known_by_what_it_holds() {
    let reader = reader("12-linkedin-connections.csv");
    let said = reader.recognised().join("\n");
    assert!(said.contains("linkedin_url is \"URL\", column 3 of the header"), "{said}");
    assert!(said.contains("the header is in line 4"), "{said}");
    let outcome = Outcome::of(reader).unwrap();
    assert_eq!((outcome.lines(), outcome.columns.len()), (vec![5], 7));
    assert_eq!(outcome.people(), ["linkedin.com/in/ann"]);
}

#[test]
fn a_footer_is_called_one() {
    let outcome = outcome("13-report-footer.csv");
    assert_eq!(outcome.people(), ["linkedin.com/in/ann"]);
    assert_eq!(outcome.bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [5, 6, 7]);
    assert!(outcome.errors().iter().all(|error| error.contains("a report's footer")));
}

#[test]
fn short_rows_are_padded() {
    let outcome = outcome("14-ragged.csv");
    assert!(outcome.bad.is_empty());
    assert_eq!(outcome.fields()[1], r#"["https://www.linkedin.com/in/bob","Bob"]"#);
    let texts = kept::texts(outcome.fields()[1], &outcome.columns).unwrap();
    assert_eq!(texts, ["https://www.linkedin.com/in/bob", "Bob", "", ""]);
    let outcome = read("p.csv", "ocean_person_id,n\np1,x,, \n,,\n\" \",\np2\np3,x,y\n\x1a");
    assert_eq!(outcome.lines(), [2, 5]);
    assert_eq!(outcome.errors(), ["p.csv:6: the header has 2 fields, this row 3"]);
}

#[test]
fn two_marks_and_invisible_characters_are_skipped() {
    assert_eq!(outcome("16-double-bom.csv").people(), ["linkedin.com/in/ann"]);
    let outcome = read("p.csv", "\u{200b}LinkedIn\u{a0}URL\u{feff},n\nlinkedin.com/in/ann,x\n");
    assert_eq!(outcome.people(), ["linkedin.com/in/ann"]);
    assert_eq!(outcome.columns, ["LinkedIn\u{a0}URL", "n"]);
}

#[test]
fn addresses_are_read_in_every_wrapping() {
    let mut people = vec!["linkedin.com/in/ann"; 6];
    people.push("linkedin.com/in/jürgen");
    assert_eq!(outcome("19-url-shapes.csv").people(), people);
}

#[test]
fn the_form_of_the_file_is_known() {
    let form = reader("20-excel-eu.csv").form();
    assert_eq!((form.format, form.separator), (FileFormat::Csv, ';'));
    assert_eq!((form.byte_order_mark, form.line_end), (true, LineEnd::CrLf));
    let form = reader("people.xlsx").form();
    assert_eq!((form.format, form.sheet.as_deref()), (FileFormat::Xlsx, Some("Contacts")));
}

#[test]
fn a_workbook_is_read_as_people_see_it() {
    let reader = reader("people.xlsx");
    let said = reader.recognised().join("\n");
    assert!(said.contains("the sheet is \"Contacts\", one of 2"), "{said}");
    assert!(said.contains("clodura_person_id is \"Clodura ID\", column 3"), "{said}");
    let outcome = Outcome::of(reader).unwrap();
    assert_eq!(outcome.lines(), [4, 6]);
    assert_eq!(outcome.columns, ["Name", "LinkedIn URL", "Clodura ID", "Since"]);
    assert_eq!(
        outcome.fields()[0],
        r#"["Ann\n\"A\"","https://www.linkedin.com/in/ann","2751275603503088159","2025-10-13"]"#
    );
    assert_eq!(outcome.people()[1], "clodura:2751");
    assert_eq!(messages(&outcome)[0].0, 7);
    assert!(messages(&outcome)[0].1.contains("a spreadsheet shortened this id"));
}

#[test]
fn a_sheet_is_chosen_by_name() {
    let open = |name: &str, file: &str| {
        let options = Options { sheet: Some(name.to_owned()), ..Options::default() };
        Reader::open(&[Source::File(case(file))], options)
    };
    let outcome = Outcome::of(open("Others", "people.xlsx").unwrap()).unwrap();
    assert_eq!(outcome.people(), ["ocean:p1"]);
    let message = refusal(open("Nobody", "people.xlsx"));
    assert!(
        message.contains("no sheet \"Nobody\"; there are \"Contacts\", \"Others\""),
        "{message}"
    );
    assert!(refusal(open("x", "14-ragged.csv")).contains("--sheet is for .xlsx"));
}

#[test]
fn two_columns_that_could_be_meant_are_refused_with_the_flag() {
    let two = "LinkedIn URL,Person Linkedin Url\nlinkedin.com/in/a,linkedin.com/in/b\n";
    assert_eq!(
        refusal(open("p.csv", two)),
        "p.csv:1: two columns could be linkedin_url: \"LinkedIn URL\" and \"Person Linkedin Url\"; \
         choose one: --column linkedin_url=\"LinkedIn URL\" or \
         --column linkedin_url=\"Person Linkedin Url\""
    );
    let seen = "Profile,URL\nlinkedin.com/in/a,linkedin.com/in/b\n";
    assert!(refusal(open("p.csv", seen)).contains("--column linkedin_url=\"URL\""));
    let phantom = "profileUrl,linkedInProfileUrl,defaultProfileUrl\nx,linkedin.com/in/ACwAAx,linkedin.com/in/a\n";
    assert_eq!(read("p.csv", phantom).people(), ["linkedin.com/in/a"]);
    let company =
        "Person Linkedin Url,Company Linkedin Url\nlinkedin.com/in/a,linkedin.com/company/b\n";
    assert_eq!(read("p.csv", company).people(), ["linkedin.com/in/a"]);
}

#[test]
fn a_cell_that_reads_like_a_header_makes_none() {
    let message = refusal(open("p.csv", "name,source\nAnn,LinkedIn\nBob,Web\n"));
    assert!(message.starts_with("p.csv:1: no column identifies people"), "{message}");
}

#[test]
fn a_header_once_more_is_a_bad_row() {
    let outcome = read("p.csv", "LinkedIn URL,n\nlinkedin.com/in/a,x\nLinkedIn URL,n\n");
    assert_eq!(outcome.lines(), [2]);
    assert!(outcome.errors()[0].starts_with("p.csv:3: this is the header once more"));
}

#[test]
fn a_header_can_not_steer_a_terminal() {
    let outcome = read("p.csv", "\"n\u{1b}[2J\nx\",ocean_person_id\n\"never,p1\n");
    assert!(!outcome.errors()[0].contains(['\u{1b}', '\n']), "{:?}", outcome.errors());
}

/// A quadratic reader would take minutes.
#[test]
fn many_columns_and_many_keys_take_linear_time() {
    let began = Instant::now();
    let header = (0..300_000).map(|n| format!("c{n},")).collect::<String>() + "ocean_person_id\n";
    let outcome = open("p.csv", header + &",".repeat(300_000) + "p1\n");
    let reader = outcome.unwrap();
    drop(reader.rejected());
    assert_eq!(Outcome::of(reader).unwrap().rows.len(), 1);
    let keys = (0..100_000).map(|n| format!("{{\"ocean_person_id\":\"p\",\"k{n}\":1}}\n"));
    assert_eq!(read("p.jsonl", keys.collect::<String>()).columns.len(), 100_001);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
