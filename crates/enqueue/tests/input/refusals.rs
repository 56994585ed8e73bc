use enqueue::input::{ColumnMapping, Options, Reader, Source};
use jobs::Provider;

use super::{asking, file, mapped, open, open_with, refusal, trickle};

#[test]
fn what_is_no_table_is_refused_as_a_whole() {
    let utf16: Vec<u8> = "ocean".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let table: &[(&[u8], &str)] = &[
        (b"", "p.csv:1: the file is empty"),
        (b"\xef\xbb\xbf\r\n \n", "p.csv:1: the file is empty"),
        (b"\xff\xfeo\0c\0", "p.csv:1: the file is UTF-16; save it as UTF-8"),
        (b"\xfe\xff\0o\0c", "p.csv:1: the file is UTF-16"),
        (&utf16, "p.csv:1: the file is UTF-16"),
        (b"PK\x03\x04rest", "p.csv:1: the workbook can't be read"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "p.csv:1: the file is an old Excel workbook (.xls)"),
        (b"%PDF-1.7\n", "p.csv:1: the file is a PDF document"),
        (b"\xef\xbb\xbf\n<!DOCTYPE HTML><table>", "p.csv:1: the file is a web page (HTML)"),
        (b"\x1f\x8b\x08\x00", "p.csv:1: the file is compressed with gzip"),
        (b"[{\"a\":1}]", "p.csv:1: the file looks like JSON"),
        (b"a\xe9,ocean_person_id\n", "p.csv:1: the header is not UTF-8 at byte 2"),
        (b"a,\"ocean_person_id\np1,x\n", "p.csv:1: the header can't be read: the quote"),
        (b"\n\na,\"b\"c\n", "p.csv:3: the header can't be read: the quote"),
        (
            b"name,email\nx,y\n",
            "p.csv:1: no column identifies people: \"ocean_person_id\", \"clodura_person_id\", \
             \"linkedin_url\" expected, \"name\", \"email\" found; say which it is, as in --column",
        ),
        (
            b"linkedin_url,x,LinkedIn_URL\n",
            "p.csv:1: two columns are linkedin_url: columns 1 and 3 of the header",
        ),
    ];
    for (bytes, expected) in table {
        let message = refusal(open("p.csv", *bytes));
        assert!(message.starts_with(expected), "{message}");
    }
    let long = vec![b'x'; 5 << 20];
    assert_eq!(
        refusal(open("p.csv", long)),
        "p.csv:1: the line is longer than 4 MiB; that is no table"
    );
    let long = [b"{\"ocean_person_id\":\"p1\"}\n".to_vec(), vec![b' '; 5 << 20]].concat();
    assert!(refusal(open("p.jsonl", long)).starts_with("p.jsonl:2: the line is longer"));
}

#[test]
fn a_missing_file_is_no_refusal() {
    let missing = Reader::open(&[file("no/such/file.csv")], Options::default());
    let error = missing.err().expect("there is no such file");
    assert!(!error.is_refusal());
    let place = std::path::absolute("no/such/file.csv").expect("a place");
    assert!(error.to_string().starts_with(&format!("{}: ", place.display())), "{error}");
    let folder = Reader::open(&[file("/")], Options::default()).err().expect("a folder");
    assert!(!folder.is_refusal());
}

#[test]
fn mappings_must_make_sense() {
    assert_eq!(
        refusal(open_with("p.csv", "a,b\n", mapped(&["linkedin_url=c"]))),
        "p.csv:1: --column linkedin_url=\"c\": there is no such column; there are \"a\", \"b\""
    );
    for twice in [["linkedin_url=a", "linkedin_url=b"], ["linkedin_url=a", "ocean_person_id=A"]] {
        let message = refusal(open_with("p.csv", "a,b\n", mapped(&twice)));
        assert!(message.contains("is given twice"), "{message}");
    }
    for bad in ["", "linkedin_url", "linkedin_url= ", "email=x"] {
        let error = bad.parse::<ColumnMapping>().expect_err(bad);
        assert!(error.to_string().contains("maps no column"));
    }
}

#[test]
fn the_chosen_providers_need_a_column() {
    let result = open_with("p.csv", "a,linkedin_url\n", asking(&[Provider::Ocean]));
    let message = refusal(result);
    assert!(
        message.contains("\"ocean_person_id\" expected, \"a\", \"linkedin_url\" found"),
        "{message}"
    );
}

#[test]
fn files_of_one_batch_are_alike() {
    let two = |a: (&str, &str), b: (&str, &str)| {
        let sources = [a, b].map(|(name, text)| (file(name), trickle(text, 64)));
        refusal(Reader::from_readers(sources.into(), Options::default()))
    };
    assert_eq!(
        two(("a.csv", "ocean_person_id,x\n"), ("b.csv", "ocean_person_id,y\n")),
        "b.csv:1: the header is not that of a.csv: column 2 is \"y\" here and \"x\" there; \
         files of one batch have the same header"
    );
    let message = two(("a.csv", "ocean_person_id,x\n"), ("b.csv", "ocean_person_id\n"));
    assert!(message.contains("column 2 is missing here and \"x\" there"), "{message}");
    let message = two(("a.csv", "ocean_person_id\n"), ("b.jsonl", "{}\n"));
    assert_eq!(message, "b.jsonl:1: the files of one batch are either all CSV or all JSON Lines");
}

#[test]
fn nothing_comes_after_an_error() {
    let long = [b"{\"ocean_person_id\":\"p1\"}\n".to_vec(), vec![b' '; 5 << 20]].concat();
    let sources = vec![(Source::Stdin, trickle(long, 1 << 16))];
    let mut reader = Reader::from_readers(sources, Options::default()).unwrap();
    assert!(matches!(reader.next(), Some(Ok(_))));
    assert!(matches!(reader.next(), Some(Err(_))));
    assert!(reader.next().is_none());
}
