use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileTypeExt;
use std::process::Stdio;

use calamine::{Data, Reader, open_workbook_auto};

use super::Cli;

const OURS: &str = "reveal_state,reveal_provider,reveal_phones,reveal_phone_types,reveal_credits,reveal_reason,reveal_at";

#[test]
fn gives_back_the_callers_columns() {
    let cli = Cli::new();
    let id = cli.small();
    let export = cli.ok(&["export", &id]).out;
    let mut given = csv::Reader::from_path(cli.path("people-small.csv")).unwrap();
    let mut back = csv::Reader::from_reader(export.as_bytes());
    let header: Vec<String> = back.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header[5..].join(","), OURS);
    for (given, back) in given.records().zip(back.records()) {
        let (given, back) = (given.unwrap(), back.unwrap());
        assert!(given.iter().eq(back.iter().take(5)), "{given:?} {back:?}");
        assert_eq!(&back[5], "queued");
    }
    assert_eq!(export.lines().count(), 11);
}

#[test]
fn an_export_can_be_submitted_and_exported_again() {
    let cli = Cli::new();
    let id = cli.small();
    let first = cli.ok(&["export", &id]).out;
    cli.write("again.csv", &first);
    let again = cli.ok(&["submit", "again.csv"]).out;
    assert_eq!(cli.ok(&["export", again.trim()]).out, first);
}

#[test]
fn writes_files_whole_or_not_at_all() {
    let cli = Cli::new();
    let id = cli.small();
    cli.write("out.csv", "old");
    let ran = cli.run(&["export", &id, "-o", "out.csv"]);
    assert!(ran.code == 2 && ran.err.contains("--force"), "{ran:?}");
    assert_eq!(cli.read("out.csv"), "old");
    cli.ok(&["export", &id, "-o", "out.csv", "--force"]);
    assert_eq!(cli.read("out.csv"), cli.ok(&["export", &id]).out);
    let ran = cli.run(&["export", &id, "-o", "absent/out.csv"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("enqueue: absent/out.csv: "), "{ran:?}");
    let left: Vec<_> = std::fs::read_dir(cli.folder.path()).unwrap().flatten().collect();
    assert!(left.iter().all(|file| !file.file_name().to_string_lossy().starts_with(".export")));
}

#[test]
fn json_lines_come_back_as_they_were() {
    let cli = Cli::new();
    cli.write("people.jsonl", "{\"ocean_person_id\":\"o1\",\"n\":1.50,\"deep\":{\"a\":[1]}}\n{\"ocean_person_id\":\"o2\",\"x\":null}\n");
    let id = cli.ok(&["submit", "people.jsonl"]).out;
    let lines = cli.ok(&["export", id.trim()]).out;
    let first = lines.lines().next().unwrap();
    assert!(
        first.starts_with("{\"ocean_person_id\":\"o1\",\"n\":1.50,\"deep\":{\"a\":[1]},\"reveal_state\":\"queued\""),
        "{first}"
    );
    let csv = cli.ok(&["export", id.trim(), "--format", "csv"]).out;
    assert!(csv.starts_with(&format!("ocean_person_id,n,deep,x,{OURS}\n")), "{csv}");
    assert!(csv.contains("o1,1.50,\"{\"\"a\"\":[1]}\",,queued,ocean"), "{csv}");
    cli.ok(&["export", id.trim(), "-o", "people.csv"]);
    assert_eq!(cli.read("people.csv"), csv);
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let cli = Cli::new();
    let mut people = String::from("ocean_person_id,notes\n");
    for n in 0..5_000 {
        people.push_str(&format!("o{n},{}\n", "x".repeat(100)));
    }
    cli.write("people.csv", &people);
    let id = cli.ok(&["submit", "people.csv"]).out;
    let mut child = cli
        .command(&["export", id.trim()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn never_replaces_what_is_still_needed() {
    let cli = Cli::new();
    let id = cli.small();
    let people = cli.read("people-small.csv");
    std::os::unix::fs::symlink("people-small.csv", cli.path("link.csv")).unwrap();
    for target in ["people-small.csv", "./link.csv", "reveal.db", "reveal.db-wal"] {
        let ran = cli.run(&["export", &id, "-o", target, "--format", "csv", "--force"]);
        assert_ne!(ran.code, 0, "{target}: {ran:?}");
    }
    assert_eq!(cli.read("people-small.csv"), people);
    assert_eq!(cli.status().len(), 1);
}

#[test]
fn a_name_of_another_format_is_wrong_usage() {
    let cli = Cli::new();
    let id = cli.small();
    for arguments in [
        &["export", &id, "-o", "out.jsonl", "--format", "csv"][..],
        &["export", &id, "-o", "out.CSV", "--format", "jsonl"],
        &["export", &id, "-o", "out.xls"],
        &["export", &id, "-o", "out.xlsx", "--format", "csv"],
        &["export", &id, "--format", "ods"],
        &["export", &id, "--states", "done"],
    ] {
        assert_eq!(cli.run(arguments).code, 2, "{arguments:?}");
    }
    cli.ok(&["export", &id, "-o", "out.ndjson", "--format", "jsonl"]);
}

#[test]
fn writes_into_pipes_and_devices() {
    let cli = Cli::new();
    let id = cli.small();
    let whole = cli.ok(&["export", &id]).out;
    assert_eq!(cli.ok(&["export", &id, "-o", "/dev/stdout"]).out, whole);
    cli.ok(&["export", &id, "-o", "/dev/null"]);
    let made = std::process::Command::new("mkfifo").arg(cli.path("pipe")).status().unwrap();
    assert!(made.success());
    let mut writer = cli.command(&["export", &id, "-o", "pipe"]).spawn().unwrap();
    assert_eq!(cli.read("pipe"), whole);
    assert!(writer.wait().unwrap().success());
    assert!(cli.path("pipe").symlink_metadata().unwrap().file_type().is_fifo());
}

#[test]
fn leaves_in_the_form_in_which_it_came() {
    let cli = Cli::new();
    cli.write("eu.csv", "\u{feff}Name;ocean_person_id\r\n\"Möller, A\";o1\r\n=A1;o2\r\n");
    let id = cli.ok(&["submit", "eu.csv"]).out;
    let export = cli.ok(&["export", id.trim()]).out;
    let header = OURS.replace(',', ";");
    assert!(export.starts_with(&format!("\u{feff}Name;ocean_person_id;{header}\r\n")), "{export}");
    assert!(
        export.contains("\r\n\"Möller, A\";o1;queued;ocean;;;0;;\r\n=A1;o2;queued"),
        "{export}"
    );
    cli.ok(&["export", id.trim(), "-o", "out.csv"]);
    assert_eq!(cli.read("out.csv"), export);
    cli.ok(&["export", id.trim(), "-o", "out.tsv"]);
    assert!(cli.read("out.tsv").starts_with("\u{feff}Name\tocean_person_id\treveal_state"));
}

/// The cells of a workbook's only sheet, every one of them text.
fn cells(cli: &Cli, name: &str) -> (String, Vec<Vec<String>>) {
    let mut workbook = open_workbook_auto(cli.path(name)).unwrap();
    let sheet = workbook.sheet_names().remove(0);
    assert!(workbook.worksheet_formula(&sheet).unwrap().is_empty());
    let range = workbook.worksheet_range(&sheet).unwrap();
    let text = |cell: &Data| match cell {
        Data::String(text) => text.clone(),
        Data::Empty => String::new(),
        other => panic!("{other:?} is no text"),
    };
    (sheet, range.rows().map(|row| row.iter().map(text).collect()).collect())
}

#[test]
fn a_workbook_comes_back_as_one_and_every_cell_is_text() {
    let cli = Cli::new();
    let workbook = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/input/cases/people.xlsx");
    std::fs::copy(workbook, cli.path("people.xlsx")).unwrap();
    let id = cli.ok(&["submit", "people.xlsx", "--skip-invalid"]).out;
    cli.ok(&["export", id.trim(), "-o", "out.xlsx", "--wide"]);
    let (sheet, rows) = cells(&cli, "out.xlsx");
    assert_eq!(sheet, "Contacts");
    let piped = cli.command(&["export", id.trim(), "--wide"]).output().unwrap();
    std::fs::write(cli.path("piped.xlsx"), piped.stdout).unwrap();
    assert_eq!(cells(&cli, "piped.xlsx"), (sheet, rows.clone()));
    let csv = cli.ok(&["export", id.trim(), "--format", "csv", "--wide"]).out;
    let mut same = csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
    let same: Vec<Vec<String>> =
        same.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    assert_eq!(rows, same);
}

#[test]
fn a_number_of_a_csv_is_text_in_a_workbook() {
    let cli = Cli::new();
    cli.write("a.csv", "ocean_person_id,Phone,Id\no1,+4512345678,2751280000000000001\n");
    let id = cli.ok(&["submit", "a.csv"]).out;
    cli.ok(&["export", id.trim(), "-o", "a.out.xlsx"]);
    let (_, rows) = cells(&cli, "a.out.xlsx");
    assert_eq!(rows[1][..4], ["o1", "+4512345678", "2751280000000000001", "queued"]);
}

#[test]
fn only_rows_in_the_states_that_are_named() {
    let cli = Cli::new();
    let id = cli.small();
    let found = cli.ok(&["export", &id, "--states", "found,not_found"]);
    assert_eq!(found.out.lines().count(), 1);
    let queued = cli.ok(&["export", &id, "--states", "queued"]).out;
    assert_eq!(queued, cli.ok(&["export", &id]).out);
}

#[test]
fn an_unfinished_batch_warns() {
    let cli = Cli::new();
    let id = cli.small();
    let ran = cli.ok(&["export", &id, "-o", "out.csv"]);
    let warning = "Warning: 10 rows of 10 are not finished; export again when they have a result";
    assert!(ran.err.contains(warning), "{ran:?}");
    cli.ok(&["cancel", &id]);
    let ran = cli.ok(&["export", &id]);
    assert_eq!(ran.err, "");
}

#[test]
fn a_wide_export_can_be_submitted_and_exported_again() {
    let cli = Cli::new();
    let id = cli.small();
    let wide = cli.ok(&["export", &id, "--wide"]).out;
    let ours =
        format!("{OURS},reveal_mobile,reveal_phone_1,reveal_phone_1_type,reveal_phone_1_country,");
    assert!(wide.lines().next().unwrap().contains(&ours), "{wide}");
    cli.write("again.csv", &wide);
    let again = cli.ok(&["submit", "again.csv"]);
    let said = "reveal_phone_3_country came with an earlier export and will not come back";
    assert!(again.err.contains(said), "{again:?}");
    let again = again.out.trim();
    assert_eq!(cli.ok(&["export", again, "--wide"]).out, wide);
    assert_eq!(cli.ok(&["export", again]).out, cli.ok(&["export", &id]).out);
}
