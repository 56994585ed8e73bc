use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tokio::sync::Mutex;

use crate::apalis::Apalis;
use crate::kind::Kind;
use crate::measurement::Measurement;

/// The settings and results that all measurements share.
pub struct Bench {
    pub bin_dir: PathBuf,
    pub scale: f64,
    pub postgres_url: Option<String>,
    pub dir: PathBuf,
    pub json: Option<PathBuf>,
    pub growth_csv: PathBuf,
    pub growth_most: usize,
    pub with_reference: bool,
    pub http: reqwest::Client,
    /// The rates of stock apalis: measured once per database, and used by several comparisons.
    pub apalis: Mutex<HashMap<Kind, Apalis>>,
}

impl Bench {
    /// The number of people for a measurement: `full` times the scale, at least 500.
    pub fn people(&self, full: usize) -> usize {
        ((full as f64 * self.scale) as usize).max(500)
    }

    /// A program of the product.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let path = self.bin_dir.join(name);
        anyhow::ensure!(path.is_file(), "{} is not built", path.display());
        path.canonicalize().context("the program's path")
    }

    /// Prints a measurement.
    pub fn report(&self, measurement: &Measurement) -> Result<()> {
        let line = serde_json::to_string(measurement)?;
        println!("{line}");
        if let Some(path) = &self.json {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
            writeln!(file, "{line}")?;
        }
        Ok(())
    }
}
