//! `changeover traffic`: who answers what, everywhere, and whether a switch would be taken.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::domain::check::Outcome;
use crate::domain::site::MovedRecord;
use crate::domain::window::parse_duration;
use crate::server::view::{EntryTest, EntryView, TrafficTest, TrafficView};

use super::client::Client;
use super::{Daemon, Exit, Failure, Format, Run, output};

/// Where a site's service leads: look, and try whether it could be moved
#[derive(Subcommand)]
pub enum Traffic {
    Look(Look),
    Test(Test),
}

impl Traffic {
    pub fn as_run(&self) -> &dyn Run {
        match self {
            Self::Look(command) => command,
            Self::Test(command) => command,
        }
    }
}

/// Show who answers what, everywhere: both nodes, every server of every entry, and the box behind them
#[derive(Args)]
pub struct Look {
    /// The site to look at
    site: String,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

/// Try whether every entry would take a switch and its reverse, by changes that alter nothing, and reckon with caches
#[derive(Args)]
pub struct Test {
    /// The site to test
    site: String,
    /// The TTL to which the record would be lowered before a switch; the site's `policy.switch_ttl` unless given
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    ttl: Option<i64>,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

fn seconds(text: &str) -> Result<i64, String> {
    parse_duration(text).map(|duration| duration.as_secs()).map_err(|error| error.to_string())
}

impl Run for Look {
    fn run(&self) -> Result<Exit, Failure> {
        let reply = Client::new(&self.daemon)?.get(&["sites", &self.site, "traffic"])?;
        let view: TrafficView = reply.read()?;
        if self.format.json {
            output::raw(reply.text()?)?;
        } else {
            output::say(&look_page(&view))?;
        }
        Ok(if view.ok { Exit::Done } else { Exit::NotMet })
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

impl Run for Test {
    fn run(&self) -> Result<Exit, Failure> {
        let reply = Client::new(&self.daemon)?.post(&["sites", &self.site, "traffic", "test"], &json!({ "ttl": self.ttl }))?;
        let test: TrafficTest = reply.read()?;
        if self.format.json {
            output::raw(reply.text()?)?;
        } else {
            output::say(&test_page(&test))?;
        }
        Ok(if test.ok { Exit::Done } else { Exit::NotMet })
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

fn look_page(view: &TrafficView) -> String {
    let rows: Vec<Vec<String>> = view.entries.iter().flat_map(entry_rows).collect();
    let partly = view.agreement.partly.as_ref().map(|partly| {
        let [a, b] = [&partly.at.a, &partly.at.b].map(|places| places.join(", "));
        format!("partly switched; to node a: {a}; to node b: {b}\n")
    });
    format!(
        "{}\n{}{}site `{}`, `{}`: {}",
        output::table(&rows),
        moved(&view.entries),
        partly.unwrap_or_default(),
        view.site,
        view.service,
        view.agreement.line
    )
}

/// What a switch writes, record by record.
fn moved(entries: &[EntryView]) -> String {
    let line = |record: &MovedRecord| {
        format!("  {} {}: {} (node a), {} (node b)\n", record.name, record.kind, record.values.a, record.values.b)
    };
    let lines: String = entries.iter().flat_map(|entry| &entry.records).map(line).collect();
    if lines.is_empty() { lines } else { format!("what a switch writes, while each node serves:\n{lines}\n") }
}

fn entry_rows(entry: &EntryView) -> Vec<Vec<String>> {
    let name = entry.entry.clone().unwrap_or_else(|| "not read".to_owned());
    let seconds = |ttl: Option<u32>, what: &str| ttl.map(|ttl| format!("{what} {ttl} s")).unwrap_or_default();
    let node = |target: Option<crate::domain::ids::NodeId>| target.map_or_else(|| "-".to_owned(), |node| format!("node {node}"));
    let answers = entry.answers.iter().map(|answer| {
        vec![name.clone(), answer.server.clone(), node(answer.target), answer.found.clone(), seconds(answer.ttl, "TTL")]
    });
    let resolvers = entry.resolvers.iter().map(|answer| {
        let server = format!("resolver {}", answer.server);
        vec![name.clone(), server, node(answer.target), answer.found.clone(), seconds(answer.ttl_left, "left")]
    });
    let error = entry.error.iter().map(|error| vec![name.clone(), String::new(), String::new(), error.clone()]);
    let negative = entry.negative_ttl.map(|ttl| vec![name.clone(), "no record".to_owned(), String::new(), format!("{ttl} s")]);
    answers.chain(resolvers).chain(error).chain(negative).collect()
}

fn test_page(test: &TrafficTest) -> String {
    let rows: Vec<Vec<String>> = test.entries.iter().map(test_row).collect();
    let ways = test.entries.iter().filter_map(|entry| {
        let (forward, reverse) = (entry.forward.as_ref()?, entry.reverse.as_ref()?);
        Some(format!("  {}: {forward}; back: {reverse}\n", entry.entry))
    });
    let ways: String = ways.collect();
    let ways = if ways.is_empty() { "the names do not lead to one node: `changeover traffic look`\n".to_owned() } else { ways };
    let verdict = if test.ok { "a switch would be taken, as far as can be tried" } else { "a switch can't be counted on" };
    format!("{}\na switch, and its reverse:\n{ways}\n{}\nsite `{}`: {verdict}", output::table(&rows), caches(test), test.site)
}

fn test_row(entry: &EntryTest) -> Vec<String> {
    let result = match entry.result {
        Outcome::Pass => "pass",
        Outcome::Warn => "warn",
        Outcome::Fail => "fail",
        Outcome::Unknown => "unknown",
        Outcome::Person => "person",
    };
    vec![result.to_owned(), entry.entry.clone(), entry.found.clone()]
}

/// For how long somebody would be led to the old node.
fn caches(test: &TrafficTest) -> String {
    let shown = |seconds: u32| output::seconds(i64::from(seconds));
    let negative = test.negative_seconds.map(|ttl| format!("; that there is no record is remembered for {}", shown(ttl)));
    let negative = negative.unwrap_or_default();
    match (test.caches_seconds, test.wait_seconds) {
        (Some(now), Some(wait)) => format!(
            "caches would lead to the old node for up to {} if it were switched now{negative}; with the TTL lowered to {} and a wait of {} after that, for up to {}\n",
            shown(now),
            shown(test.lowered_seconds),
            shown(wait),
            shown(test.lowered_seconds)
        ),
        _ => format!("no entry tells for how long its answers are remembered{negative}\n"),
    }
}
