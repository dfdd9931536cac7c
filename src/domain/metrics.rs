//! Numbers for a monitoring system, and their text form (Prometheus exposition format, version 0.0.4).

use std::fmt::Write as _;

/// One number's name, meaning and values.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// With the product's prefix and, for a counter, `_total`.
    pub name: &'static str,
    pub kind: Kind,
    /// One line.
    pub help: &'static str,
    pub samples: Vec<Sample>,
}

/// How a number moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only up, from nothing at the daemon's start.
    Counter,
    Gauge,
}

/// One value, and of what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub labels: Vec<(&'static str, String)>,
    pub value: f64,
}

impl Family {
    pub fn counter(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Self {
        Self { name, kind: Kind::Counter, help, samples }
    }

    pub fn gauge(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Self {
        Self { name, kind: Kind::Gauge, help, samples }
    }
}

impl Sample {
    pub fn new(labels: impl IntoIterator<Item = (&'static str, String)>, value: f64) -> Self {
        Self { labels: labels.into_iter().collect(), value }
    }
}

/// What the text is, for whoever reads it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text that a monitoring system reads; a family without a sample is left out.
pub fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        let kind = if family.kind == Kind::Counter { "counter" } else { "gauge" };
        // Writing into a String can't fail.
        let _ = writeln!(text, "# HELP {0} {1}\n# TYPE {0} {kind}", family.name, family.help);
        for sample in &family.samples {
            let _ = writeln!(text, "{}{} {}", family.name, labels(&sample.labels), sample.value);
        }
    }
    text
}

fn labels(labels: &[(&'static str, String)]) -> String {
    let each: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    if each.is_empty() { String::new() } else { format!("{{{}}}", each.join(",")) }
}

/// As the format asks for: backslash, quote and line feed.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let sample = |name: &str, value| Sample::new([("account", name.to_owned()), ("site", "s".to_owned())], value);
        let calls = Family::counter("changeover_api_calls_total", "Calls.", vec![sample("a\\b\"c\nd", 3.0), sample("x", 0.5)]);
        let up = Family::gauge("changeover_up", "It runs.", vec![Sample::new([], 1.0)]);
        let none = Family::gauge("changeover_none", "Nothing.", Vec::new());
        let expected = "# HELP changeover_api_calls_total Calls.\n# TYPE changeover_api_calls_total counter\n\
            changeover_api_calls_total{account=\"a\\\\b\\\"c\\nd\",site=\"s\"} 3\n\
            changeover_api_calls_total{account=\"x\",site=\"s\"} 0.5\n\
            # HELP changeover_up It runs.\n# TYPE changeover_up gauge\nchangeover_up 1\n";
        assert_eq!(text(&[calls, none, up]), expected);
    }
}
