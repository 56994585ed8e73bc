//! Reads the text that `/metrics` is made of, so that no metric is written twice. Names and labels stay as they are in
//! the classic format of Prometheus: a database that takes both sees the same series.

use jobs::Timestamp;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum,
};

const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

/// Since when was counted, and until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) started: Timestamp,
    pub(super) now: Timestamp,
}

/// The metrics of a text in the OpenMetrics format, as `prometheus_client` writes it.
pub(super) fn metrics(text: &str, times: Times) -> Vec<Metric> {
    let mut metrics: Vec<Metric> = Vec::new();
    for line in text.lines() {
        if let Some((name, description)) = described(line, "# HELP ") {
            let (name, description) = (name.to_owned(), description.to_owned());
            metrics.push(Metric { name, description, ..Metric::default() });
        }
        let Some(metric) = metrics.last_mut() else { continue };
        if let Some((_, kind)) = described(line, "# TYPE ") {
            begin(metric, kind);
        } else if described(line, "# UNIT ").is_some_and(|(_, unit)| unit == "seconds") {
            metric.unit = "s".to_owned();
        } else if let Some(sample) = Sample::read(line) {
            add(metric, sample, times);
        }
    }
    metrics
}

fn described<'a>(line: &'a str, what: &str) -> Option<(&'a str, &'a str)> {
    line.strip_prefix(what)?.split_once(' ')
}

fn begin(metric: &mut Metric, kind: &str) {
    let data = match kind {
        "counter" => {
            metric.name.push_str("_total");
            Data::Sum(Sum {
                aggregation_temporality: CUMULATIVE,
                is_monotonic: true,
                ..Sum::default()
            })
        }
        "histogram" => Data::Histogram(Histogram {
            aggregation_temporality: CUMULATIVE,
            ..Histogram::default()
        }),
        _ => Data::Gauge(Gauge::default()),
    };
    metric.data = Some(data);
}

fn add(metric: &mut Metric, sample: Sample<'_>, times: Times) {
    match &mut metric.data {
        Some(Data::Gauge(gauge)) => gauge.data_points.push(sample.point(times)),
        Some(Data::Sum(sum)) => sum.data_points.push(sample.point(times)),
        Some(Data::Histogram(histogram)) => add_part(histogram, sample, times),
        _ => {}
    }
}

/// Adds a sample of a histogram. Those of one set of labels follow each other: the sum, the count, then the buckets, each
/// with what is in those below it.
fn add_part(histogram: &mut Histogram, sample: Sample<'_>, times: Times) {
    if sample.name.ends_with("_sum") {
        histogram.data_points.push(HistogramDataPoint {
            attributes: sample.attributes(),
            start_time_unix_nano: nanos(times.started),
            time_unix_nano: nanos(times.now),
            sum: Some(sample.value),
            ..HistogramDataPoint::default()
        });
    }
    let Some(point) = histogram.data_points.last_mut() else { return };
    if sample.name.ends_with("_count") {
        point.count = sample.value as u64;
    } else if let Some((_, bound)) = sample.labels.iter().find(|(name, _)| *name == "le") {
        let below: u64 = point.bucket_counts.iter().sum();
        point.bucket_counts.push((sample.value as u64).saturating_sub(below));
        point.explicit_bounds.extend(bound.parse().ok().filter(|bound: &f64| bound.is_finite()));
    }
}

/// A line with a value.
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
}

impl<'a> Sample<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let value = value.parse().ok()?;
        let (name, rest) = series.split_once('{').unwrap_or((series, "}"));
        Some(Sample { name, labels: labels(rest.strip_suffix('}')?)?, value })
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let text =
            |text: &String| AnyValue { value: Some(any_value::Value::StringValue(text.clone())) };
        let attribute = |(key, value): &(&str, String)| KeyValue {
            key: (*key).to_owned(),
            value: Some(text(value)),
            ..KeyValue::default()
        };
        self.labels.iter().map(attribute).collect()
    }

    fn point(&self, times: Times) -> NumberDataPoint {
        NumberDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: nanos(times.started),
            time_unix_nano: nanos(times.now),
            value: Some(Value::AsDouble(self.value)),
            ..NumberDataPoint::default()
        }
    }
}

/// Reads `a="b",c="d"`. In a value `\\`, `\"` and `\n` stand for a backslash, a quote and a line break.
fn labels(mut text: &str) -> Option<Vec<(&str, String)>> {
    let mut labels = Vec::new();
    while let Some((name, rest)) = text.split_once("=\"") {
        let (mut value, mut chars) = (String::new(), rest.char_indices());
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()? {
                    (_, 'n') => '\n',
                    (_, escaped) => escaped,
                }),
                (_, c) => value.push(c),
            }
        };
        labels.push((name, value));
        text = rest[end + 1..].trim_start_matches(',');
    }
    Some(labels)
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.millis()).unwrap_or_default().saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::family::Family;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::metrics::histogram;
    use prometheus_client::registry::{Registry, Unit};

    use super::*;

    const TIMES: Times = Times { started: Timestamp(1), now: Timestamp(2) };

    fn converted(registry: &Registry) -> Vec<Metric> {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        metrics(&text, TIMES)
    }

    #[test]
    fn a_counter_keeps_its_name_and_labels() {
        let mut registry = Registry::with_prefix("p");
        let counter = Family::<Vec<(String, String)>, Counter>::default();
        let labels = [("a", "x=\"1\", {y} \\ \n z"), ("b", "")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        counter.get_or_create(&labels).inc_by(7);
        registry.register("things", "All of them", counter);

        let [metric] = &converted(&registry)[..] else { panic!("one metric") };
        assert_eq!((&*metric.name, &*metric.description), ("p_things_total", "All of them."));
        let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
        assert!(sum.is_monotonic && sum.aggregation_temporality == CUMULATIVE);
        let [point] = &sum.data_points[..] else { panic!("{sum:?}") };
        assert_eq!(point.value, Some(Value::AsDouble(7.0)));
        assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (1_000_000, 2_000_000));
        let text = |attribute: &KeyValue| match attribute.value.as_ref()?.value.as_ref()? {
            any_value::Value::StringValue(text) => Some((attribute.key.clone(), text.clone())),
            _ => None,
        };
        assert_eq!(point.attributes.iter().filter_map(text).collect::<Vec<_>>(), labels);
    }

    #[test]
    fn a_histogram_counts_each_value_in_one_bucket() {
        let mut registry = Registry::default();
        let times = Family::<Vec<(&str, &str)>, histogram::Histogram>::new_with_constructor(|| {
            histogram::Histogram::new([0.5, 1.0])
        });
        for seconds in [0.1, 0.2, 0.7, 9.0] {
            times.get_or_create(&vec![("of", "one")]).observe(seconds);
        }
        times.get_or_create(&vec![("of", "other")]).observe(0.6);
        registry.register_with_unit("took", "How long", Unit::Seconds, times);

        let [metric] = &converted(&registry)[..] else { panic!("one metric") };
        assert_eq!((&*metric.name, &*metric.unit), ("took_seconds", "s"));
        let Some(Data::Histogram(times)) = &metric.data else { panic!("{metric:?}") };
        let mut points: Vec<_> = times
            .data_points
            .iter()
            .map(|p| (p.count, p.sum.unwrap(), p.bucket_counts.clone(), p.explicit_bounds.clone()))
            .collect();
        points.sort_by_key(|point| point.0);
        let bounds = vec![0.5, 1.0];
        let wanted = [(1, 0.6, vec![0, 1, 0], bounds.clone()), (4, 10.0, vec![2, 1, 1], bounds)];
        assert_eq!(points, wanted);
        assert!(times.data_points.iter().all(|p| p.attributes.len() == 1));
    }

    #[test]
    fn a_gauge_without_labels_is_read() {
        let mut registry = Registry::default();
        let gauge = Gauge::<i64>::default();
        gauge.set(-3);
        registry.register("level", "How high", gauge);
        let [metric] = &converted(&registry)[..] else { panic!("one metric") };
        let Some(Data::Gauge(gauge)) = &metric.data else { panic!("{metric:?}") };
        assert_eq!(gauge.data_points[0].value, Some(Value::AsDouble(-3.0)));
        assert!(metric.name == "level" && gauge.data_points[0].attributes.is_empty());
    }
}
