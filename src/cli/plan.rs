//! `changeover plan SITE …`: what would be done, when, and what speaks against it. Touches nothing.

use std::fmt::Write as _;

use clap::Args;

use crate::domain::action::Impact;
use crate::domain::plan::Source;
use crate::server::view::{self, Hop, StopHere};

use super::client::Client;
use super::order::Order;
use super::zones::Zones;
use super::{Daemon, Exit, Failure, Format, Run, output, page};

/// Show the plan of a run: its steps with times and impact, and what speaks against it; touches nothing
#[derive(Args)]
pub struct Plan {
    #[command(flatten)]
    order: Order,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Plan {
    fn run(&self) -> Result<Exit, Failure> {
        let reply = Client::new(&self.daemon)?.order(&self.order.site, &["plans"], &self.order.request()?)?;
        let plan: view::Plan = reply.read()?;
        if self.format.json {
            output::raw(reply.text()?)?;
        } else {
            output::say(&text(&plan))?;
        }
        Ok(if plan.refusals.is_empty() { Exit::Done } else { Exit::NotMet })
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

/// What the columns on time say.
const LATE: &str = "
LATEST    the latest safe start: begun later, a step that disturbs users does not fit into its window any more
TAKES     likely, and at worst; BACK  the way back that must fit after it
TOO LATE  not begun in time, it is not begun any more: the run holds, or goes home; begun, it is finished
";

fn text(plan: &view::Plan) -> String {
    let mut text = format!("plan for site `{}`: {}, {} to {}\n", plan.site, plan.procedure, plan.from, plan.to);
    for Hop { to, package, .. } in &plan.hops {
        let leads = if plan.hops.len() > 1 { format!("to {to}: ") } else { String::new() };
        let (path, bytes, sha256) = (package.path.display(), package.bytes, &package.sha256);
        // Writing into a string cannot fail.
        let _ = writeln!(text, "package  {leads}{path} ({bytes} bytes, SHA-256 {sha256})");
    }
    let zones = Zones::of(&plan.zone);
    for (name, window) in [("window 1", &plan.windows.first), ("window 2", &plan.windows.second)] {
        if let Some(window) = window {
            let _ = writeln!(text, "{name} {}", output::window(window, &zones));
        }
    }
    if let Some(rehearsal) = &plan.rehearsal {
        let _ = writeln!(text, "rehearsal {}", output::rehearsal(rehearsal));
    }
    if let Some(why) = &plan.urgent {
        let _ = writeln!(text, "urgent   the shortest soak is waived: {why}");
    }
    for flag in &plan.flags {
        let _ = writeln!(text, "note     {flag}");
    }
    if plan.windows.second.is_some() {
        let responsible = plan.responsible.as_deref().unwrap_or("whoever starts the run");
        let _ = writeln!(text, "window 2 is in the charge of {responsible}");
    }
    let ways = distinct(plan);
    let _ = write!(text, "\n{}", steps(plan, &ways, &zones));
    text.push_str(&legend(&ways));
    text.push_str(LATE);
    if !plan.refusals.is_empty() {
        text.push_str("\nnot to be started as it is:\n");
    }
    for refusal in &plan.refusals {
        let step = refusal.step.as_ref().map(|step| format!(" at `{step}`")).unwrap_or_default();
        let _ = writeln!(text, "  {}{step}: {}", refusal.rule, zones.text(&refusal.message));
    }
    text
}

fn steps(plan: &view::Plan, ways: &[&StopHere], zones: &Zones) -> String {
    let head =
        ["AT", "LATEST", "STEP", "IMPACT", "TAKES", "BACK", "TOO LATE", "IF YOU STOP HERE", "WHAT"].map(str::to_owned).to_vec();
    let row = |step: &view::PlanStep| {
        let at = step.at.map_or_else(|| "-".to_owned(), |at| zones.at(at));
        let stop = step.stop_here.as_ref().map(|stop| stop_here(stop, ways)).unwrap_or_default();
        let latest = step.latest_start.map_or_else(|| "-".to_owned(), |at| zones.at(at));
        let back = if step.back_seconds == 0 { "-".to_owned() } else { output::seconds(step.back_seconds) };
        let late = if step.impact < Impact::Disruptive { "-" } else { step.when_time_runs_out.name() }.to_owned();
        vec![at, latest, step.id.clone(), impact(step.impact).to_owned(), takes(step), back, late, stop, step.sentence.clone()]
    };
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(plan.steps.iter().map(row)).collect();
    output::table(&rows)
}

/// `12m to 18m, learned (2)`: likely and worst, and where they are from unless that is the table of actions.
fn takes(step: &view::PlanStep) -> String {
    let (likely, worst) = (output::seconds(step.likely_seconds), output::seconds(step.worst_seconds));
    let range = if likely == worst { likely } else { format!("{likely} to {worst}") };
    match step.estimate {
        Source::Default => range,
        Source::Site => format!("{range}, site"),
        Source::Learned => format!("{range}, learned ({})", step.samples),
    }
}

/// The ways that the plan's steps have, each once; their numbers count from 1.
fn distinct(plan: &view::Plan) -> Vec<&StopHere> {
    let mut ways: Vec<&StopHere> = Vec::new();
    for stop in plan.steps.iter().filter_map(|step| step.stop_here.as_ref()) {
        if !stop.steps.is_empty() && !ways.iter().any(|way| is_same(way, stop)) {
            ways.push(stop);
        }
    }
    ways
}

fn is_same(way: &StopHere, other: &StopHere) -> bool {
    way.steps == other.steps && way.leaves_behind == other.leaves_behind
}

/// `home [2], 9m`; `no return`: the step begun, only a person's decision leads home.
fn stop_here(stop: &StopHere, ways: &[&StopHere]) -> String {
    let number = ways.iter().position(|way| is_same(way, stop)).map(|index| format!(" [{}]", index + 1)).unwrap_or_default();
    let takes = if stop.steps.is_empty() { String::new() } else { format!(", {}", output::seconds(stop.expected_seconds)) };
    let last = if stop.point_of_no_return { "; NO RETURN" } else { "" };
    format!("{}{number}{takes}{last}", stop.end())
}

/// What the numbers stand for.
fn legend(ways: &[&StopHere]) -> String {
    let mut legend = String::from("\nif you stop:\n");
    for (index, way) in ways.iter().enumerate() {
        let steps: Vec<String> = way.steps.iter().map(page::way_step).collect();
        // Writing into a string cannot fail.
        let _ = writeln!(legend, "  [{}] {}: {}{}", index + 1, way.end(), steps.join(", "), page::left_behind(way));
    }
    legend.push_str("  NO RETURN: the step can't be undone, and once it is done only a person's decision leads home\n");
    legend
}

pub fn impact(impact: Impact) -> &'static str {
    match impact {
        Impact::None => "none",
        Impact::Load => "load",
        Impact::Disruptive => "disruptive",
        Impact::Irreversible => "irreversible",
    }
}
