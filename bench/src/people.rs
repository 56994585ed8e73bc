//! Made-up files of people. Ids are scattered like real ones, so that their order helps no measurement.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::bench::Bench;

/// The kind of identifier by which people are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Ocean's ids.
    OceanIds,
    /// LinkedIn addresses, as Clodura takes them.
    Addresses,
}

/// Writes a CSV file of the people from number `first`; one in fifty is listed twice.
pub fn write_csv(bench: &Bench, asked: Asked, first: usize, people: usize) -> Result<PathBuf> {
    let path = bench.dir.join(format!("people-{first}-{people}.csv"));
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
    let column = match asked {
        Asked::OceanIds => "ocean_person_id",
        Asked::Addresses => "linkedin_url",
    };
    writeln!(file, "{column},Full Name,Company,Notes")?;
    for n in first..first + people {
        let person = if n % 50 == 49 { n - 25 } else { n };
        let key = scattered(person as u64);
        match asked {
            Asked::OceanIds => write!(file, "{key:016x}{:08x}", person as u32)?,
            Asked::Addresses => {
                write!(file, "https://www.linkedin.com/in/person-{key:x}-{person}/")?
            }
        }
        writeln!(file, ",Person {person},\"Company {}, Inc.\",from list {}", n % 1_000, n % 7)?;
    }
    file.flush()?;
    Ok(path)
}

/// splitmix64: different for different numbers, in no order.
fn scattered(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The data that a task of stock apalis holds about a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    person: String,
    columns: Vec<String>,
}

impl Task {
    /// The same person, with the same columns, as the files hold.
    pub fn new(n: usize) -> Task {
        let person = format!("{:016x}{:08x}", scattered(n as u64), n as u32);
        let (company, notes) =
            (format!("Company {}, Inc.", n % 1_000), format!("from list {}", n % 7));
        Task { columns: vec![person.clone(), format!("Person {n}"), company, notes], person }
    }

    /// The person's id at Ocean.
    pub fn id(&self) -> &str {
        &self.person
    }

    /// The person's LinkedIn address.
    pub fn address(&self) -> String {
        format!("https://www.linkedin.com/in/person-{}/", self.person)
    }
}
