use jobs::Provider::{Clodura, Ocean};

use super::{asking, mapped, read, read_with, trickle};
use enqueue::input::{Options, Reader, Source};
use export::kept;

#[test]
fn keeps_all_columns_and_reads_the_recognised_ones() {
    let outcome = read(
        "people.csv",
        "Name, Ocean_Person_ID ,linkedin_url,clodura_person_id,Name\n\
         Ann,p1,https://de.linkedin.com/in/Ann/,2751,Lee\n\
         \"Bob, \"\"Bo\"\"\",,linkedin.com/in/bob,,\n",
    );
    let columns = ["Name", "Ocean_Person_ID", "linkedin_url", "clodura_person_id", "Name"];
    assert_eq!(outcome.columns, columns);
    assert_eq!(
        outcome.fields(),
        [
            r#"["Ann","p1","https://de.linkedin.com/in/Ann/","2751","Lee"]"#,
            r#"["Bob, \"Bo\"","","linkedin.com/in/bob","",""]"#
        ]
    );
    assert_eq!(
        outcome.people(),
        ["ocean:p1 clodura:2751 linkedin.com/in/ann", "linkedin.com/in/bob"]
    );
    assert_eq!(*outcome.rows[0].waterfall, [Ocean, Clodura]);
    assert_eq!(*outcome.rows[1].waterfall, [Clodura]);
}

#[test]
fn a_short_row_of_a_wide_table_stays_short() {
    let columns: Vec<String> = (0..10_000).map(|n| format!("column {n}")).collect();
    let text = format!("ocean_person_id,{}\np1\np2,x\n\"never\n", columns.join(","));
    let outcome = read("p.csv", text);
    assert_eq!(outcome.fields(), [r#"["p1"]"#, r#"["p2","x"]"#]);
    assert_eq!(outcome.bad[0].fields, r#"["\"never"]"#);
    let object = kept::object(&outcome.rows[1].fields, &outcome.columns[..3]).unwrap();
    assert_eq!(object, r#"{"ocean_person_id":"p2","column 0":"x","column 1":""}"#);
}

#[test]
fn every_separator_and_line_end_gives_the_same() {
    for separator in [",", ";", "\t", "|"] {
        for line_end in ["\n", "\r\n", "\r"] {
            for bom in ["", "\u{feff}"] {
                let text = "name,ocean_person_id\n\"a\nb\",p1\n\n  \n'x',p2\nc,p3";
                let text = text.replace(',', separator).replace('\n', line_end);
                let outcome = read("people.csv", format!("{bom}{text}"));
                assert_eq!(outcome.columns, ["name", "ocean_person_id"], "{text:?}");
                assert_eq!(outcome.lines(), [2, 6, 7], "{text:?}");
                assert_eq!(outcome.people(), ["ocean:p1", "ocean:p2", "ocean:p3"]);
                assert!(outcome.bad.is_empty());
            }
        }
    }
}

#[test]
fn the_separator_is_the_one_that_finds_the_columns() {
    let outcome = read("p.csv", "ocean_person_id;Notes (a,b,c,d)\np1;x,y\n");
    assert_eq!(outcome.fields(), [r#"["p1","x,y"]"#]);
    let outcome = read("p.csv", "\"a,b,c\"|ocean_person_id\nx|p1\n");
    assert_eq!(outcome.columns, ["a,b,c", "ocean_person_id"]);
}

#[test]
fn a_header_may_begin_late_and_have_several_lines() {
    let outcome = read("p.csv", "\n  \n\"Name\n(full)\",ocean_person_id\nAnn,p1\n");
    assert_eq!(outcome.columns, ["Name\n(full)", "ocean_person_id"]);
    assert_eq!(outcome.lines(), [5]);
}

#[test]
fn columns_of_an_earlier_export_are_dropped() {
    let outcome = read("p.csv", "name,REVEAL_state,ocean_person_id,reveal_at\nAnn,found,p1,x\n");
    assert_eq!(outcome.columns, ["name", "ocean_person_id"]);
    assert_eq!(outcome.fields(), [r#"["Ann","p1"]"#]);
}

#[test]
fn a_mapping_wins_over_the_usual_name() {
    let options = mapped(&["linkedin_url=profile ", "Ocean_Person_ID = ÖID"]);
    let outcome = read_with("p.csv", "linkedin_url,Profile,öid\nold,linkedin.com/in/x,p1", options);
    assert_eq!(outcome.people(), ["ocean:p1 linkedin.com/in/x"]);
}

#[test]
fn the_waterfall_is_in_the_order_that_was_chosen() {
    let text = "ocean_person_id,linkedin_url\np1,linkedin.com/in/a\np2,\n,linkedin.com/in/c\n";
    let waterfalls = |options| {
        let outcome = read_with("p.csv", text, options);
        outcome.rows.iter().map(|row| row.waterfall.to_vec()).collect::<Vec<_>>()
    };
    let both = waterfalls(asking(&[Clodura, Ocean, Clodura]));
    assert_eq!(both, [vec![Clodura, Ocean], vec![Ocean], vec![Clodura]]);
    assert_eq!(waterfalls(Options::default()), [vec![Ocean, Clodura], vec![Ocean], vec![Clodura]]);

    let outcome = read_with("p.csv", text, asking(&[Ocean]));
    assert_eq!(outcome.lines(), [2, 3]);
    assert_eq!(
        outcome.errors(),
        ["p.csv:4: no identifier for ocean: \"ocean_person_id\" is empty"]
    );
}

#[test]
fn bad_rows_say_where_and_why() {
    let outcome = read(
        "p.csv",
        "ocean_person_id,linkedin_url,n\n\
         p1,linkedin.com/in/a,x,\n\
         p1,linkedin.com/in/a,x,y\n\
         \u{feff},,x\n\
         p 1,linkedin.com/in/a,\n\
         p1,example.com,\n\
         p1,linkedin.com/in/ok,\n",
    );
    assert_eq!(outcome.lines(), [2, 7]);
    assert_eq!(
        outcome.errors(),
        [
            "p.csv:3: the header has 3 fields, this row 4",
            "p.csv:4: no identifier for ocean or clodura: \
             \"ocean_person_id\", \"linkedin_url\" are empty",
            "p.csv:5: ocean_person_id: has white space inside; one cell holds one id",
            "p.csv:6: linkedin_url: is no LinkedIn address; \
             write linkedin.com/in/ and the person's name there",
        ]
    );
    assert_eq!(outcome.bad[0].raw, b"p1,linkedin.com/in/a,x,y");
}

#[test]
fn a_lost_quote_costs_one_line() {
    let unclosed = "note,ocean_person_id\nok,p1\n\"never,p2\nfine,p3\nfine,p4\n";
    let outcome = read("p.csv", unclosed);
    assert_eq!(outcome.lines(), [2, 4, 5]);
    assert_eq!(
        outcome.errors(),
        ["p.csv:3: note: the quote that opens here never ends \
          (a quote inside of quotes is written twice)"]
    );
    assert_eq!(outcome.bad[0].raw, b"\"never,p2");

    // The quote opens on the record's second line.
    let outcome = read("p.csv", "a,b,ocean_person_id\r\n\"x\r\ny\",\"z,p1\r\nc,d,p2\r\n");
    assert_eq!(outcome.lines(), [4]);
    assert_eq!(outcome.bad[0].line, 3);
    assert_eq!(outcome.bad[0].column.as_deref(), Some("b"));
    assert_eq!(outcome.bad[0].raw, b"\"x\r\ny\",\"z,p1");

    // The quote is closed by a later row's opening quote.
    let outcome = read("p.csv", "note,ocean_person_id\n\"never,p1\n\"fine\",p2\nfine,p3\n");
    assert_eq!(outcome.lines(), [3, 4]);
    assert_eq!(
        outcome.errors(),
        ["p.csv:2: note: the quote that opens here is closed on line 3 before the field ends \
          (a quote inside of quotes is written twice)"]
    );
}

#[test]
fn a_lost_quote_in_a_large_file_is_found_before_its_end() {
    let mut text = String::from("note,ocean_person_id\n\"never,p0\n");
    for n in 1..400_000 {
        text.push_str(&format!("a note here,p{n}\n"));
    }
    let source = (Source::Stdin, trickle(text, 1 << 16));
    let reader = Reader::from_readers(vec![source], Options::default()).unwrap();
    let mut lines = reader.map(|line| line.unwrap());
    let first = lines.next().unwrap();
    assert!(matches!(first, enqueue::input::Line::Bad(bad) if bad.line == 2));
    assert_eq!(lines.filter(|line| matches!(line, enqueue::input::Line::Row(_))).count(), 399_999);
}

#[test]
fn bytes_that_are_not_utf8_are_placed() {
    let outcome = read("p.csv", b"ocean_person_id,n\np1,\"a\nb\xe9\"\np2,x\n".to_vec());
    assert_eq!(
        outcome.errors(),
        ["p.csv:2: not UTF-8: byte 2 of line 3 (0xE9); save the file as UTF-8"]
    );
    assert_eq!(outcome.lines(), [4]);
    assert_eq!(outcome.bad[0].raw, b"p1,\"a\nb\xe9\"");
}

#[test]
fn several_files_are_one_input() {
    let sources = vec![
        (super::file("a.csv"), trickle("x,ocean_person_id\n1,p1\ny,\n", 3)),
        (super::file("b.csv"), trickle("\u{feff}x;ocean_person_id\r\n2;p2\r\n", 3)),
        (Source::Stdin, trickle("x\tocean_person_id\n3\t\n", 3)),
    ];
    let reader = Reader::from_readers(sources, Options::default()).unwrap();
    let outcome = super::Outcome::of(reader).unwrap();
    assert_eq!(outcome.fields(), [r#"["1","p1"]"#, r#"["2","p2"]"#]);
    assert_eq!(outcome.rows[1].source, 1);
    assert_eq!(
        outcome.errors(),
        [
            "a.csv:3: no identifier for ocean or clodura: \"ocean_person_id\" is empty",
            "<stdin>:2: no identifier for ocean or clodura: \"ocean_person_id\" is empty",
        ]
    );
}
