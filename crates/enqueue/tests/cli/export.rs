use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileTypeExt;
use std::process::Stdio;

use super::Desk;

const OURS: &str = "reveal_state,reveal_provider,reveal_phones,reveal_phone_types,reveal_credits,reveal_reason,reveal_at";

#[test]
fn gives_back_the_callers_columns() {
    let desk = Desk::new();
    let id = desk.small();
    let export = desk.ok(&["export", &id]).out;
    let mut given = csv::Reader::from_path(desk.path("people-small.csv")).unwrap();
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
    let desk = Desk::new();
    let id = desk.small();
    let first = desk.ok(&["export", &id]).out;
    desk.write("again.csv", &first);
    let again = desk.ok(&["submit", "again.csv"]).out;
    assert_eq!(desk.ok(&["export", again.trim()]).out, first);
}

#[test]
fn writes_files_whole_or_not_at_all() {
    let desk = Desk::new();
    let id = desk.small();
    desk.write("out.csv", "old");
    let ran = desk.run(&["export", &id, "-o", "out.csv"]);
    assert!(ran.code == 2 && ran.err.contains("--force"), "{ran:?}");
    assert_eq!(desk.read("out.csv"), "old");
    desk.ok(&["export", &id, "-o", "out.csv", "--force"]);
    assert_eq!(desk.read("out.csv"), desk.ok(&["export", &id]).out);
    let ran = desk.run(&["export", &id, "-o", "absent/out.csv"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("enqueue: absent/out.csv: "), "{ran:?}");
    let left: Vec<_> = std::fs::read_dir(desk.folder.path()).unwrap().flatten().collect();
    assert!(left.iter().all(|file| !file.file_name().to_string_lossy().starts_with(".export")));
}

#[test]
fn json_lines_come_back_as_they_were() {
    let desk = Desk::new();
    desk.write("people.jsonl", "{\"ocean_person_id\":\"o1\",\"n\":1.50,\"deep\":{\"a\":[1]}}\n{\"ocean_person_id\":\"o2\",\"x\":null}\n");
    let id = desk.ok(&["submit", "people.jsonl"]).out;
    let lines = desk.ok(&["export", id.trim()]).out;
    let first = lines.lines().next().unwrap();
    assert!(
        first.starts_with("{\"ocean_person_id\":\"o1\",\"n\":1.50,\"deep\":{\"a\":[1]},\"reveal_state\":\"queued\""),
        "{first}"
    );
    let csv = desk.ok(&["export", id.trim(), "--format", "csv"]).out;
    assert!(csv.starts_with(&format!("ocean_person_id,n,deep,x,{OURS}\n")), "{csv}");
    assert!(csv.contains("o1,1.50,\"{\"\"a\"\":[1]}\",,queued,ocean"), "{csv}");
    desk.ok(&["export", id.trim(), "-o", "people.csv"]);
    assert_eq!(desk.read("people.csv"), csv);
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let desk = Desk::new();
    let mut people = String::from("ocean_person_id,notes\n");
    for n in 0..5_000 {
        people.push_str(&format!("o{n},{}\n", "x".repeat(100)));
    }
    desk.write("people.csv", &people);
    let id = desk.ok(&["submit", "people.csv"]).out;
    let mut child = desk
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
    let desk = Desk::new();
    let id = desk.small();
    let people = desk.read("people-small.csv");
    std::os::unix::fs::symlink("people-small.csv", desk.path("link.csv")).unwrap();
    for target in ["people-small.csv", "./link.csv", "reveal.db", "reveal.db-wal"] {
        let ran = desk.run(&["export", &id, "-o", target, "--format", "csv", "--force"]);
        assert_ne!(ran.code, 0, "{target}: {ran:?}");
    }
    assert_eq!(desk.read("people-small.csv"), people);
    assert_eq!(desk.status().len(), 1);
}

#[test]
fn a_name_of_another_format_is_wrong_usage() {
    let desk = Desk::new();
    let id = desk.small();
    for arguments in [
        &["export", &id, "-o", "out.jsonl", "--format", "csv"][..],
        &["export", &id, "-o", "out.CSV", "--format", "jsonl"],
        &["export", &id, "-o", "out.pdf.xlsx"],
    ] {
        assert_eq!(desk.run(arguments).code, 2, "{arguments:?}");
    }
    desk.ok(&["export", &id, "-o", "out.ndjson", "--format", "jsonl"]);
}

#[test]
fn writes_into_pipes_and_devices() {
    let desk = Desk::new();
    let id = desk.small();
    let whole = desk.ok(&["export", &id]).out;
    assert_eq!(desk.ok(&["export", &id, "-o", "/dev/stdout"]).out, whole);
    desk.ok(&["export", &id, "-o", "/dev/null"]);
    let made = std::process::Command::new("mkfifo").arg(desk.path("pipe")).status().unwrap();
    assert!(made.success());
    let mut writer = desk.command(&["export", &id, "-o", "pipe"]).spawn().unwrap();
    assert_eq!(desk.read("pipe"), whole);
    assert!(writer.wait().unwrap().success());
    assert!(desk.path("pipe").symlink_metadata().unwrap().file_type().is_fifo());
}
