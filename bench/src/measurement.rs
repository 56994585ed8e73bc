use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::kind::Kind;

/// The result of one measurement.
#[derive(Serialize)]
pub struct Measurement {
    name: &'static str,
    db: String,
    n: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reached: Option<bool>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    reference: Map<String, Value>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Measurement {
    pub fn new(name: &'static str, db: Kind, n: usize) -> Self {
        Measurement {
            name,
            db: db.to_string(),
            n,
            seconds: None,
            per_second: None,
            target: None,
            reached: None,
            reference: Map::new(),
            more: Map::new(),
        }
    }

    /// Adds a rate that should be at least `target`.
    pub fn rate(mut self, seconds: f64, target: f64) -> Self {
        let rate = self.n as f64 / seconds;
        self.seconds = Some(rounded(seconds));
        self.per_second = Some(rate.round());
        self.target(format!("at least {target}/s"), rate >= target)
    }

    /// Adds a target, and whether it was reached. The measurement passes if all its targets were reached.
    pub fn target(mut self, text: String, reached: bool) -> Self {
        self.target = Some(self.target.map_or(text.clone(), |before| format!("{before}, {text}")));
        self.reached = Some(self.reached.unwrap_or(true) && reached);
        self
    }

    /// Adds a value that must stay below a limit.
    pub fn below(mut self, name: &str, value: f64, limit: f64) -> Self {
        self.more.insert(name.to_owned(), json!(rounded(value)));
        self.target(format!("{name} below {limit}"), value < limit)
    }

    /// Adds a value without a target.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        let value = value.as_f64().filter(|_| value.is_f64()).map_or(value, |f| json!(rounded(f)));
        self.more.insert(name.to_owned(), value);
        self
    }

    /// Adds the rate of a reference, and how much faster the product is.
    pub fn with_reference(mut self, name: &str, per_second: f64) -> Self {
        let own = self.per_second.unwrap_or_default();
        self.reference.insert(format!("{name}_per_second"), json!(per_second.round()));
        self.reference.insert(format!("times_{name}"), json!(rounded(own / per_second)));
        self
    }
}

/// Three digits after the point, more for small numbers.
fn rounded(value: f64) -> f64 {
    let scale = if value.abs() < 1.0 { 100_000.0 } else { 1_000.0 };
    (value * scale).round() / scale
}

/// The percentile: the value below which `share` of the sorted values lie.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}
