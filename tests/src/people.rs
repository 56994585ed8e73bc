//! Files of people, and the results that the sandbox has for them.

use sandbox::{Marker, Provider, Sandbox};

/// A row of a file. Its identifiers must belong to one person: the sandbox can't model a mixed row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// `ocean_person_id`
    pub ocean: String,
    /// `clodura_person_id`
    pub clodura: String,
    /// `linkedin_url`
    pub linkedin: String,
}

impl Row {
    /// A person that only Ocean can be asked for.
    pub fn ocean(id: impl Into<String>) -> Self {
        Row { ocean: id.into(), ..Row::default() }
    }

    /// A person that only Clodura can be asked for.
    pub fn clodura(id: impl Into<String>) -> Self {
        Row { clodura: id.into(), ..Row::default() }
    }

    /// A person that only Clodura can be asked for, by LinkedIn address.
    pub fn linkedin(slug: &str) -> Self {
        Row { linkedin: format!("https://www.linkedin.com/in/{slug}"), ..Row::default() }
    }

    /// A person that both providers can be asked for.
    pub fn both(ocean: impl Into<String>, clodura: impl Into<String>) -> Self {
        Row { ocean: ocean.into(), clodura: clodura.into(), ..Row::default() }
    }

    /// The providers in the order in which they are asked, each with the identifier.
    pub fn steps(&self) -> Vec<(Provider, &str)> {
        let steps = [
            (Provider::Ocean, self.ocean.as_str()),
            (Provider::Clodura, self.clodura.as_str()),
            (Provider::Clodura, self.linkedin.as_str()),
        ];
        steps.into_iter().filter(|(_, id)| !id.is_empty()).collect()
    }
}

/// A CSV file with user columns before, between and after the product's columns.
pub fn csv_of(rows: &[Row]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["no", "ocean_person_id", "note", "clodura_person_id", "linkedin_url", "last"];
    writer.write_record(header).expect("memory");
    for (n, row) in rows.iter().enumerate() {
        let no = (n + 1).to_string();
        let record = [&no, &row.ocean, "a, b", &row.clodura, &row.linkedin, "z"];
        writer.write_record(record).expect("memory");
    }
    writer.into_inner().expect("memory")
}

/// The header and the records of an export, whatever separates its fields.
pub fn read_csv(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let text = text.trim_start_matches('\u{feff}');
    let ours = text.find("reveal_state").unwrap_or_default();
    let separator = text[..ours].bytes().last().unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(text.as_bytes());
    let header = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let records = reader
        .records()
        .map(|record| record.expect("a record").iter().map(str::to_owned).collect())
        .collect();
    (header, records)
}

/// The final state, provider and phones of `row` in the export.
pub fn expected(sandbox: &Sandbox, row: &Row) -> (&'static str, String, String) {
    let mut last = ("cancelled", String::new(), String::new());
    for (provider, id) in row.steps() {
        let result = sandbox.expected(provider, id);
        if result.is_found(true) {
            return ("found", provider.to_string(), result.e164().join(";"));
        }
        let refused = matches!(result.marker, Some(Marker::Bad))
            || (provider == Provider::Ocean && result.marker == Some(Marker::Gone));
        last = (if refused { "failed" } else { "not_found" }, provider.to_string(), String::new());
    }
    last
}
