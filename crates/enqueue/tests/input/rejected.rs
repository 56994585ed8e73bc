use std::fs;
use std::path::Path;

use enqueue::input::{ContentHasher, Line, Options, Reader, Source};
use tempfile::TempDir;

use super::open;

fn reject(sources: &[&Path], options: Options) -> Vec<std::path::PathBuf> {
    let sources: Vec<_> = sources.iter().map(|path| Source::File(path.to_path_buf())).collect();
    let mut reader = Reader::open(&sources, options).unwrap();
    let mut rejected = reader.rejected();
    for line in reader.by_ref() {
        if let Line::Bad(bad) = line.unwrap() {
            rejected.write(&bad).unwrap();
        }
    }
    rejected.finish().unwrap()
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn bad_rows_are_written_as_they_were_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let input = folder.path().join("people.csv");
    let text = b"\xef\xbb\xbfName;ocean_person_id\r\n\"a; \"\"b\r\nc\"\"\";\r\nok;p1\r\n\
                 x;y;z\r\n\xe9;p2\r\n\"never;p3\r\n";
    fs::write(&input, text).unwrap();
    let written = reject(&[&input], Options::default());
    assert_eq!(written, [folder.path().join("people.rejected.csv")]);
    assert_eq!(fs::read(&input).unwrap(), text, "the input is untouched");

    let expected = [
        "\u{feff}reveal_reason;Name;ocean_person_id".as_bytes(),
        b"\"no identifier for ocean or clodura: \"\"ocean_person_id\"\" is empty\";\
          \"a; \"\"b\r\nc\"\"\";",
        b"\"the header has 2 fields, this row 3\";x;y;z",
        b"\"not UTF-8: byte 1 of line 6 (0xE9); save the file as UTF-8\";\xe9;p2",
        b"\"Name: the quote that opens here never ends (a quote inside of quotes is written \
          twice)\";\"\"\"never;p3\"",
        b"",
    ];
    assert_eq!(
        String::from_utf8_lossy(&fs::read(&written[0]).unwrap()),
        String::from_utf8_lossy(&expected.join(&b"\r\n"[..]))
    );
}

#[test]
fn a_corrected_file_can_be_submitted_and_rejected_again() {
    let folder = TempDir::new().unwrap();
    for (header, row) in [
        ("reveal_reason,id,ocean_person_id", "old,1,"),
        ("id,reveal_reason,ocean_person_id", "1,\"o,ld\","),
    ] {
        let input = folder.path().join("again.csv");
        fs::write(&input, format!("{header}\n{row}\n")).unwrap();
        let written = reject(&[&input], Options::default());
        let text = fs::read_to_string(&written[0]).unwrap();
        let reason = "\"no identifier for ocean or clodura: \"\"ocean_person_id\"\" is empty\"";
        assert_eq!(text, format!("reveal_reason,id,ocean_person_id\n{reason},1,\n"));
    }
}

#[test]
fn json_lines_get_a_key() {
    let folder = TempDir::new().unwrap();
    let input = folder.path().join("people.jsonl");
    fs::write(&input, "{\"n\": 1.50,\"reveal_reason\":\"old\"}\n{\"ocean_person_id\":\"p\"}\n[1\n")
        .unwrap();
    let written = reject(&[&input], Options::default());
    assert_eq!(written, [folder.path().join("people.rejected.jsonl")]);
    let text = fs::read_to_string(&written[0]).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("{\"reveal_reason\":\"no identifier for"), "{}", lines[0]);
    assert!(lines[0].ends_with(",\"n\":1.50}"), "{}", lines[0]);
    assert!(lines[1].ends_with(",\"line\":\"[1\"}"), "{}", lines[1]);
    assert_eq!(lines.len(), 2);
}

#[test]
fn nothing_is_created_without_need_or_over_an_input() {
    let folder = TempDir::new().unwrap();
    let (good, bad) = (folder.path().join("good.csv"), folder.path().join("bad.csv"));
    let earlier = folder.path().join("bad.rejected.csv");
    fs::write(&good, "ocean_person_id\np1\n").unwrap();
    fs::write(&bad, "ocean_person_id\np 1\n").unwrap();
    fs::write(&earlier, "ocean_person_id\np2\n").unwrap();
    let written = reject(&[&good, &bad, &earlier], Options::default());
    assert_eq!(written, [folder.path().join("bad.rejected-2.csv")]);
    assert_eq!(names(&folder), ["bad.csv", "bad.rejected-2.csv", "bad.rejected.csv", "good.csv"]);
    assert_eq!(fs::read_to_string(&earlier).unwrap(), "ocean_person_id\np2\n");
}

#[test]
fn what_is_not_finished_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let input = folder.path().join("p.csv");
    fs::write(&input, "ocean_person_id\np 1\n").unwrap();
    let mut reader = Reader::open(&[Source::File(input)], Options::default()).unwrap();
    let mut rejected = reader.rejected();
    let Some(Ok(Line::Bad(bad))) = reader.next() else { panic!("a bad row is expected") };
    rejected.write(&bad).unwrap();
    drop(rejected);
    assert_eq!(names(&folder), ["p.csv"]);
}

#[test]
fn the_fingerprint_is_of_the_content_not_of_the_file() {
    let of = |text: &str, option: &str| {
        let mut hasher = ContentHasher::new();
        let mut reader = open("p.csv", text).unwrap();
        hasher.option("providers", option);
        hasher.columns(&reader.columns());
        for line in reader.by_ref() {
            if let Line::Row(row) = line.unwrap() {
                hasher.row(&row);
            }
        }
        hasher.finish()
    };
    let first = of("a,ocean_person_id\nx,p1\ny,p2\n", "");
    assert_eq!(first.len(), 64);
    assert_eq!(first, of("\u{feff}a;ocean_person_id\r\n\"x\";p1\r\n\r\ny;p2", ""));
    assert_ne!(first, of("a,ocean_person_id\nx,p1\ny,p2\n", "ocean"));
    assert_ne!(first, of("b,ocean_person_id\nx,p1\ny,p2\n", ""));
    assert_ne!(first, of("a,ocean_person_id\nx,p1\nz,p2\n", ""));
    assert_ne!(first, of("a,ocean_person_id\ny,p2\nx,p1\n", ""));
}
