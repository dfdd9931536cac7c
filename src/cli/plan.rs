//! `changeover plan SITE …`: what would be done, when, and what speaks against it. Touches nothing.

use std::fmt::Write as _;

use clap::Args;

use crate::domain::action::Impact;
use crate::server::view;

use super::client::Client;
use super::order::Order;
use super::{Daemon, Exit, Failure, Format, Run, output};

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
        let reply = Client::new(&self.daemon)?.post(&["plans"], &self.order.request()?)?;
        let plan: view::Plan = reply.read()?;
        if self.format.json {
            output::raw(reply.text()?)?;
        } else {
            output::say(&page(&plan))?;
        }
        Ok(if plan.refusals.is_empty() { Exit::Done } else { Exit::NotMet })
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

fn page(plan: &view::Plan) -> String {
    let mut page = format!("plan for site `{}`: {}, {} to {}\n", plan.site, plan.procedure, plan.from, plan.to);
    let package = &plan.package;
    // Writing into a string cannot fail.
    let _ = writeln!(page, "package  {} ({} bytes, SHA-256 {})", package.path.display(), package.bytes, package.sha256);
    for (name, window) in [("window 1", &plan.windows.first), ("window 2", &plan.windows.second)] {
        if let Some(window) = window {
            let _ = writeln!(page, "{name} {}", output::window(window));
        }
    }
    let _ = write!(page, "\n{}", steps(plan));
    if !plan.refusals.is_empty() {
        page.push_str("\nnot to be started as it is:\n");
    }
    for refusal in &plan.refusals {
        let step = refusal.step.as_ref().map(|step| format!(" at `{step}`")).unwrap_or_default();
        let _ = writeln!(page, "  {}{step}: {}", refusal.rule, refusal.message);
    }
    page
}

fn steps(plan: &view::Plan) -> String {
    let head = ["AT", "STEP", "IMPACT", "TAKES", "WHAT"].map(str::to_owned).to_vec();
    let row = |step: &view::PlanStep| {
        let at = step.at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        vec![at, step.id.clone(), impact(step.impact).to_owned(), output::seconds(step.expected_seconds), step.sentence.clone()]
    };
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(plan.steps.iter().map(row)).collect();
    output::table(&rows)
}

pub fn impact(impact: Impact) -> &'static str {
    match impact {
        Impact::None => "none",
        Impact::Load => "load",
        Impact::Disruptive => "disruptive",
        Impact::Irreversible => "irreversible",
    }
}
