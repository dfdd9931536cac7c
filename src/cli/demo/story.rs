//! The story as it is told: a line for each record of the journal, and for what only a bystander sees.

use std::collections::HashMap;
use std::io::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::cli::output;
use crate::domain::event::{Event, Evidence, WaitingOn};
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::journal::Record;
use crate::domain::site::Role;
use crate::simulator::world::Truth;

use super::alerts::Alert;

/// Users are counted aloud this often.
const CENSUS: SignedDuration = SignedDuration::from_hours(6);

/// Tells the story, on stdout or, where stdout is for JSON, on stderr.
pub struct Story {
    aside: bool,
    origin: Timestamp,
    begun: HashMap<String, Timestamp>,
    part: String,
    serving: Option<Option<NodeId>>,
    served_since: Timestamp,
    nodes: Option<PerNode<(Role, bool)>>,
    next_census: Timestamp,
    /// Lines not said yet, in the order in which they were heard of.
    heard: Vec<(Timestamp, String)>,
}

impl Story {
    pub fn new(origin: Timestamp, aside: bool) -> Self {
        Self {
            aside,
            origin,
            begun: HashMap::new(),
            part: String::new(),
            serving: None,
            served_since: origin,
            nodes: None,
            next_census: origin + CENSUS,
            heard: Vec::new(),
        }
    }

    /// A line without a time.
    pub fn say(&self, text: &str) {
        let text = output::clean(text);
        // Who no longer listens has heard enough; the run goes on to its end.
        let _ = if self.aside { writeln!(std::io::stderr(), "{text}") } else { writeln!(std::io::stdout(), "{text}") };
    }

    /// What somebody did or saw. It is said with the next [`Story::flush`].
    pub fn tell(&mut self, at: Timestamp, who: &str, text: &str) {
        let line = format!("{}  {who:<9} {}", self.moment(at), text.replace('\n', " "));
        self.heard.push((at, line));
    }

    /// Says what was heard, in the order in which it happened: journal, alerts and world are read one after the other.
    pub fn flush(&mut self) {
        let mut heard = std::mem::take(&mut self.heard);
        heard.sort_by_key(|(at, _)| *at);
        heard.iter().for_each(|(_, line)| self.say(line));
    }

    /// `day 2 14:03:20`: days count from the demo's begin, the clock is UTC.
    fn moment(&self, at: Timestamp) -> String {
        let [first, now] = [self.origin, at].map(|at| at.to_zoned(TimeZone::UTC));
        let days = now.date().duration_since(first.date()).as_hours() / 24;
        format!("day {} {}", days + 1, now.strftime("%H:%M:%S"))
    }

    /// One record: when, who, where in the plan, what and why.
    pub fn record(&mut self, record: &Record) {
        self.heading(record);
        let who = if record.actor == "daemon" { "daemon" } else { "person" };
        let step = record.step.as_deref().map(|step| format!("{step}: ")).unwrap_or_default();
        let by = if who == "person" { format!(" (user `{}`)", record.actor) } else { String::new() };
        let text = self.sentence(record);
        self.tell(record.at, who, &format!("{step}{text}{by}"));
    }

    /// A line of its own where the procedure goes into its next part.
    fn heading(&mut self, record: &Record) {
        let part = record.step.as_deref().and_then(|step| step.split_once('.')).map(|(part, _)| part);
        let Some(part) = part.filter(|part| *part != self.part) else { return };
        self.part = part.to_owned();
        let title = match part {
            "prepare" => "before the windows: nobody is disturbed",
            "window-1" => "window one",
            "soak" => "between the windows: the new version in production, without failover",
            "window-2" => "window two",
            "finish" => "the end",
            other => other,
        };
        self.heard.push((record.at, format!("\n{title}")));
    }

    fn sentence(&mut self, record: &Record) -> String {
        let step = record.step.clone().unwrap_or_default();
        match Event::from_parts(&record.event, &record.data) {
            Ok(Event::Started { plan }) => {
                let (from, to) = (&plan.from.version, &plan.to.version);
                format!("starts run `{}`: `{}`, {from} to {to}, {} steps", record.run, plan.procedure, plan.steps.len())
            }
            Ok(Event::StepBegun { attempt, .. }) => {
                self.begun.insert(step, record.at);
                let again = if attempt > 1 { format!("attempt {attempt}: ") } else { String::new() };
                format!("{again}{}", record.reason)
            }
            Ok(Event::Instructed { number, lines, .. }) => {
                format!("there is no interface for this, so instruction {number} ({} lines) goes to the operator", lines.len())
            }
            Ok(Event::Waited { on, until }) => waits(on, until.map(|until| self.moment(until)), &record.reason),
            Ok(Event::StepDone { evidence, .. }) => {
                let took = self.begun.remove(&step).map(|from| lasted(record.at.duration_since(from)));
                let took = took.map(|took| format!(" after {took}")).unwrap_or_default();
                format!("done{took}: {}", seen(&evidence))
            }
            Ok(Event::Doubted { message }) => format!("IN DOUBT: {message}"),
            Ok(Event::Held { code, .. }) => format!("HELD ({code}): {}", record.reason),
            Ok(Event::Confirmed { note: Some(note), .. }) => format!("{}: \"{note}\"", record.reason),
            Ok(Event::SwitchBackOrdered { note }) => format!("{}: \"{note}\"", record.reason),
            _ => record.reason.clone(),
        }
    }

    pub fn alert(&mut self, at: Timestamp, alert: &Alert) {
        let summary = &alert.data.summary;
        // The whole instruction is in it, which the operator's next line tells in a few words.
        let summary = if alert.name == "by_operator" { summary.split(':').next().unwrap_or_default() } else { summary };
        self.tell(at, "alert", &format!("{} ({}): {summary}", alert.name, alert.data.severity));
    }

    /// Who serves, when that changed, and the users from time to time.
    pub fn look(&mut self, truth: &Truth) {
        self.nodes_changed(truth);
        if self.serving != Some(truth.serving) {
            self.serving_changed(truth);
        }
        if truth.now >= self.next_census {
            self.census(truth);
            self.next_census = truth.now + CENSUS;
        }
    }

    fn serving_changed(&mut self, truth: &Truth) {
        self.serving = Some(truth.serving);
        let since = std::mem::replace(&mut self.served_since, truth.now);
        let version = |node: NodeId| truth.nodes[node].version.as_str();
        match truth.serving {
            Some(node) => {
                // Only a gap that ended since the last change belongs to this one.
                let gap = truth.service_gaps.last().filter(|gap| gap.to.is_some_and(|to| to > since));
                let gap = gap.map(|gap| format!("; for {} no node did", lasted(SignedDuration::from_millis(gap.ms))));
                let gap = gap.unwrap_or_default();
                self.tell(truth.now, "service", &format!("node {node} serves the users, on {}{gap}", version(node)));
            }
            None => self.tell(truth.now, "service", "no node serves the users"),
        }
    }

    /// Roles, and boxes that fall silent for their update.
    fn nodes_changed(&mut self, truth: &Truth) {
        let state = |node: NodeId| (truth.nodes[node].role, truth.nodes[node].updating_until.is_some());
        let now = PerNode::new(state);
        let Some(before) = self.nodes.replace(now) else {
            return self.tell(truth.now, "pair", &linked(now.map(|(role, _)| role)));
        };
        for node in NodeId::BOTH {
            let version = &truth.nodes[node].version;
            match (before[node].1, now[node].1) {
                (false, true) => self.tell(truth.now, "pair", &format!("node {node} is silent: it installs its update")),
                (true, false) => self.tell(truth.now, "pair", &format!("node {node} answers again, on {version}")),
                _ => {}
            }
        }
        let roles = now.map(|(role, _)| role);
        if roles != before.map(|(role, _)| role) {
            self.tell(truth.now, "pair", &linked(roles));
        }
    }

    pub fn census(&mut self, truth: &Truth) {
        let (a, b) = (&truth.nodes.a, &truth.nodes.b);
        let sessions = &truth.sessions;
        let text = format!(
            "{} at work on node a, {} on node b; {} sessions so far, {} interrupted",
            a.users, b.users, sessions.created, sessions.interrupted
        );
        self.tell(truth.now, "users", &text);
    }
}

fn waits(on: WaitingOn, until: Option<String>, reason: &str) -> String {
    let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
    match on {
        WaitingOn::Gate => format!("asks a person: {reason}"),
        WaitingOn::Window => format!("waits for its window{until}"),
        _ => format!("waits{until}: {reason}"),
    }
}

fn seen(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Seen { found, .. } | Evidence::Settings { found, .. } | Evidence::Ttl { found, .. } => found.clone(),
        Evidence::Sync { sync, .. } => format!("a sync of {}, status `{}`", sync.at, sync.status.as_deref().unwrap_or("good")),
        Evidence::Version { version, .. } => format!("it runs {version}, healthy in two readings"),
        Evidence::Checks { results } => format!("{} checks, none speaks against the start", results.len()),
        Evidence::Drained { found, .. } => found.clone(),
        Evidence::Files { records, .. } => {
            let records = records.map(|records| format!("{records} session records in ")).unwrap_or_default();
            format!("{records}{}, hashes recorded", evidence.files_told().unwrap_or_default())
        }
    }
}

/// `42m 10s`; whole seconds, since nothing here is known finer.
pub fn lasted(duration: SignedDuration) -> String {
    output::seconds(duration.as_secs())
}

fn linked(roles: PerNode<Role>) -> String {
    match (roles.a, roles.b) {
        (Role::Standalone, Role::Standalone) => "the nodes are on their own: no failover from here on".to_owned(),
        (Role::Primary, Role::Standby) => "the nodes are linked, node a is primary, node b standby".to_owned(),
        (Role::Standby, Role::Primary) => "the nodes are linked, node b is primary, node a standby".to_owned(),
        (a, b) => format!("node a is {}, node b is {}", a.as_str(), b.as_str()),
    }
}
