use std::io::Cursor;

use enqueue::input::{Format, Options, Reader, Source};
use export::kept;
use proptest::prelude::*;

use super::{Outcome, trickle};

/// Text full of characters that CSV treats specially.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z ]{0,6}",
        3 => "[\"\r\n,;|\ta\u{e9}\u{0}]{0,8}",
        1 => any::<String>(),
    ]
}

fn table() -> impl Strategy<Value = Vec<Vec<String>>> {
    (1usize..5)
        .prop_flat_map(|width| prop::collection::vec(prop::collection::vec(cell(), width), 0..12))
}

fn separator() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![b',', b';', b'\t', b'|'])
}

fn physical_lines(text: &str) -> u64 {
    (text.replace("\r\n", "\n").replace('\r', "\n").matches('\n').count()) as u64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_a_csv_writer_writes_is_read_back(
        rows in table(), separator in separator(), crlf in any::<bool>(), step in 1usize..40,
    ) {
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new()
            .delimiter(separator)
            .terminator(terminator)
            .from_writer(Vec::new());
        let width = rows.first().map_or(0, Vec::len);
        let mut header = vec!["ocean_person_id".to_owned()];
        header.extend((0..width).map(|n| format!("column {n}")));
        writer.write_record(&header).unwrap();
        let mut expected = Vec::new();
        for (n, row) in rows.iter().enumerate() {
            writer.flush().unwrap();
            let line = physical_lines(std::str::from_utf8(writer.get_ref()).unwrap()) + 1;
            let mut record = vec![format!("p{n}")];
            record.extend(row.iter().cloned());
            writer.write_record(&record).unwrap();
            expected.push((line, record));
        }
        let bytes = writer.into_inner().unwrap();
        let sources = vec![(Source::Stdin, trickle(bytes, step))];
        let outcome =
            Outcome::of(Reader::from_readers(sources, Options::default()).unwrap()).unwrap();
        prop_assert_eq!(outcome.errors(), Vec::<String>::new());
        let read: Vec<_> = outcome
            .rows
            .iter()
            .map(|row| (row.line, kept::texts(&row.fields, &outcome.columns).unwrap()))
            .collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn whatever_the_bytes_reading_ends(
        noise in prop::collection::vec(
            prop_oneof![
                any::<u8>(),
                prop::sample::select(b"\"\"\"\n\r,;{}:p1\\\xef\xbb\xbf".to_vec())
            ],
            0..300,
        ),
        with_header in any::<bool>(), jsonl in any::<bool>(), step in 1usize..40,
    ) {
        let header: &[u8] = match (with_header, jsonl) {
            (false, _) => b"",
            (true, false) => b"ocean_person_id,a\n",
            (true, true) => b"{\"ocean_person_id\":\"p\"}\n",
        };
        let bytes = [header, &noise].concat();
        let format = Some(if jsonl { Format::Jsonl } else { Format::Csv });
        let options = Options { format, ..Options::default() };
        let read = |reader| {
            let sources = vec![(Source::Stdin, reader)];
            Reader::from_readers(sources, options.clone()).and_then(Outcome::of)
        };
        let whole = read(Box::new(Cursor::new(bytes.clone())));
        let pieces = read(trickle(bytes.clone(), step));
        prop_assert_eq!(format!("{whole:?}"), format!("{pieces:?}"));
        if let Ok(outcome) = whole {
            let lines = outcome.lines().len() + outcome.bad.len();
            prop_assert!(lines <= bytes.len() + 1);
            for row in &outcome.rows {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&row.fields).is_ok());
            }
        }
    }

    #[test]
    fn a_json_object_is_kept_as_it_is(
        entries in prop::collection::btree_map("[a-z\"\\\\\u{e9}]{0,6}", cell(), 0..6),
    ) {
        let mut object: serde_json::Map<_, _> =
            entries.into_iter().map(|(key, text)| (key, text.into())).collect();
        object.insert("ocean_person_id".to_owned(), 7.into());
        let json = serde_json::Value::Object(object).to_string();
        let outcome = super::read("p.jsonl", json.clone());
        prop_assert_eq!(outcome.fields(), vec![json.as_str()]);
    }
}
