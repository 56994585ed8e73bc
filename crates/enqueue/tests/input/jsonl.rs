use enqueue::input::{Format, Options, Reader, Source};
use export::kept;

use super::{format_of, mapped, open_with, read, read_with, refusal, trickle};

#[test]
fn keeps_keys_in_order_and_values_as_written() {
    let outcome = read(
        "p.jsonl",
        "{\"n\": 1.50, \"ocean_person_id\":\"p1\", \"tags\": [1, {\"a\":null}]}\r\n\
         \r\n\
         {\"x\":\"\\u00e9\\n\",\"Clodura_Person_ID\":2751,\"n\":true,\"reveal_at\":\"old\"}\n\
         {\"linkedin_url\":\"https:\\/\\/linkedin.com\\/in\\/j\\u00fcrgen\",\"ocean_person_id\":null}",
    );
    assert!(outcome.bad.is_empty(), "{:?}", outcome.errors());
    assert_eq!(outcome.lines(), [1, 3, 4]);
    let columns = ["n", "ocean_person_id", "tags", "x", "Clodura_Person_ID", "linkedin_url"];
    assert_eq!(outcome.columns, columns);
    assert_eq!(
        outcome.fields()[..2],
        [
            r#"{"n":1.50,"ocean_person_id":"p1","tags":[1, {"a":null}]}"#,
            r#"{"x":"\u00e9\n","Clodura_Person_ID":2751,"n":true}"#,
        ]
    );
    assert_eq!(outcome.people(), ["ocean:p1", "clodura:2751", "linkedin.com/in/jürgen"]);
}

#[test]
fn bad_rows_say_where_and_why() {
    let outcome = read(
        "p.ndjson",
        b"{\"ocean_person_id\":\"p1\"}\n[1]\n{\"ocean_person_id\":\n\
          {\"a\":1,\"a\":2,\"ocean_person_id\":\"p1\"}\n\
          {\"ocean_person_id\":\"p1\",\"OCEAN_person_id\":\"p2\"}\n\
          {\"only_here\":1}\n{\"ocean_person_id\":2751.0}\n{\"ocean_person_id\":\"\xff\"}\n\
          {\"clodura_person_id\":\"\"}\n{\"ocean_person_id\":\"p1\",\"n\":\"\\ud83d\"}\n"
            .to_vec(),
    );
    assert_eq!(outcome.lines(), [1]);
    assert_eq!(outcome.columns, ["ocean_person_id"]);
    let empty = "\"ocean_person_id\", \"clodura_person_id\", \"linkedin_url\" are empty";
    assert_eq!(
        outcome.errors(),
        [
            "p.ndjson:2: a JSON object is expected on each line".to_owned(),
            "p.ndjson:3: not valid JSON: EOF while parsing a value (column 19)".to_owned(),
            "p.ndjson:4: the key \"a\" occurs twice in the object".to_owned(),
            "p.ndjson:5: the key \"ocean_person_id\" occurs twice in the object".to_owned(),
            format!("p.ndjson:6: no identifier for ocean or clodura: {empty}"),
            "p.ndjson:7: ocean_person_id: must be text or a whole number".to_owned(),
            "p.ndjson:8: not UTF-8: byte 21 of line 8 (0xFF); save the file as UTF-8".to_owned(),
            "p.ndjson:9: no identifier for ocean or clodura: \"clodura_person_id\" is empty"
                .to_owned(),
            r#"p.ndjson:10: not valid JSON: "n" has half of a character, as in \ud83d"#.to_owned(),
        ]
    );
    assert_eq!(
        outcome.bad[8].fields,
        r#"{"line":"{\"ocean_person_id\":\"p1\",\"n\":\"\\ud83d\"}"}"#
    );
}

#[test]
fn keys_can_be_mapped() {
    let outcome = read_with(
        "p.jsonl",
        r#"{"Profile":"linkedin.com/in/x"}"#,
        mapped(&["linkedin_url=profile"]),
    );
    assert_eq!(outcome.people(), ["linkedin.com/in/x"]);

    let missing = open_with("p.jsonl", r#"{"a":1,"b":2}"#, mapped(&["linkedin_url=profile"]));
    assert_eq!(
        refusal(missing),
        "p.jsonl:1: --column linkedin_url=\"profile\": there is no such column; there are \"a\", \"b\""
    );
}

#[test]
fn the_format_is_seen_by_name_or_first_byte() {
    let object = r#"{"ocean_person_id":"p1"}"#;
    assert_eq!(format_of("a.JSONL", object), Format::Jsonl);
    assert_eq!(format_of("a.ndjson", object), Format::Jsonl);
    assert_eq!(format_of("a.txt", "ocean_person_id\n"), Format::Csv);
    let stdin = |text: &str, format| {
        let options = Options { format, ..Options::default() };
        Reader::from_readers(vec![(Source::Stdin, trickle(text, 1))], options).map(|r| r.format())
    };
    assert_eq!(stdin(&format!("\u{feff}\r\n  {object}"), None).unwrap(), Format::Jsonl);
    assert_eq!(stdin("ocean_person_id\n", None).unwrap(), Format::Csv);
    assert!(stdin(object, Some(Format::Csv)).is_err());
    assert_eq!(stdin("x", Some(Format::Jsonl)).unwrap(), Format::Jsonl);
}

#[test]
fn what_is_kept_comes_back_in_either_format() {
    let columns = ["a", "b", "a"].map(str::to_owned);
    let csv = r#"["1","x \"y\"\n",""]"#;
    assert_eq!(kept::texts(csv, &columns).unwrap(), ["1", "x \"y\"\n", ""]);
    assert_eq!(kept::object(csv, &columns).unwrap(), r#"{"a":"1","b":"x \"y\"\n","a (3)":""}"#);

    let columns = ["a", "b", "c", "d", "e"].map(str::to_owned);
    let jsonl = r#"{"b":"é\u0041","a":1.50,"d":null,"e":{"x":[1, 2]}}"#;
    let same = ["a", "a (3)", "a"].map(str::to_owned);
    let object = kept::object(r#"["1","2","3"]"#, &same).unwrap();
    assert_eq!(object, r#"{"a":"1","a (3)":"2","a (3) (3)":"3"}"#);
    assert_eq!(kept::texts(jsonl, &columns).unwrap(), ["1.50", "éA", "", "", r#"{"x":[1, 2]}"#]);
    assert_eq!(kept::object(jsonl, &columns).unwrap(), jsonl);
    assert!(kept::texts("7", &columns).is_err());
}
