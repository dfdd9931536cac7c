//! `changeover runs`: a line a run.

use clap::Args;
use serde::Deserialize;

use crate::domain::event::{Outcome, WaitingOn};
use crate::domain::ids::{NodeId, RunId};
use crate::server::view::{LeftUntouched, Unprotected};

use super::client::Client;
use super::page::{outcome_name, waiting_name};
use super::{Daemon, Exit, Failure, Format, Run, output};

/// List all runs, oldest first
#[derive(Args)]
pub struct Runs {
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Runs {
    fn run(&self) -> Result<Exit, Failure> {
        list(&self.daemon, &self.format)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

/// Also `status` without argument.
pub fn list(daemon: &Daemon, format: &Format) -> Result<Exit, Failure> {
    let reply = Client::new(daemon)?.get(&["runs"])?;
    if format.json {
        output::raw(reply.text()?)?;
        return Ok(Exit::Done);
    }
    let List { runs, untouched } = reply.read()?;
    if runs.is_empty() && untouched.is_empty() {
        output::tell("no runs yet");
        return Ok(Exit::Done);
    }
    let head = ["RUN", "PHASE", "STEP", "FROM", "TO", "SERVING", "UNPROTECTED"].map(str::to_owned).to_vec();
    let rows = std::iter::once(head).chain(runs.iter().map(Line::row)).chain(untouched.iter().map(row_of_untouched));
    let rows: Vec<Vec<String>> = rows.collect();
    output::say(&output::table(&rows))?;
    Ok(Exit::Done)
}

/// The part of the answer that the table shows; reading only this keeps a list of thousands fast.
#[derive(Deserialize)]
struct List {
    runs: Vec<Line>,
    #[serde(default)]
    untouched: Vec<LeftUntouched>,
}

#[derive(Deserialize)]
struct Line {
    run: RunId,
    phase: String,
    outcome: Option<Outcome>,
    waiting_on: Option<WaitingOn>,
    held: Option<Code>,
    #[serde(default)]
    not_driven: Option<Code>,
    step: Option<StepId>,
    from: String,
    to: String,
    serving: Option<NodeId>,
    unprotected: Unprotected,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct StepId {
    id: String,
}

/// What can be told of a run that the daemon's build can't fold.
fn row_of_untouched(left: &LeftUntouched) -> Vec<String> {
    let phase = format!("left untouched: {}", left.untouched.code);
    [&left.run.to_string(), &phase].into_iter().map(String::as_str).chain(["-"; 5]).map(str::to_owned).collect()
}

impl Line {
    fn phase(&self, detail: Option<String>) -> String {
        let phase = detail.map_or_else(|| self.phase.clone(), |detail| format!("{}: {detail}", self.phase));
        self.not_driven.as_ref().map(|why| format!("{phase}, not driven: {}", why.code)).unwrap_or(phase)
    }

    fn row(&self) -> Vec<String> {
        let detail = self.outcome.map(|outcome| outcome_name(outcome).to_owned());
        let detail = detail.or_else(|| self.waiting_on.map(|on| waiting_name(on).to_owned()));
        let detail = detail.or_else(|| self.held.as_ref().map(|held| held.code.clone()));
        let unprotected = if self.unprotected.seconds > 0 { output::seconds(self.unprotected.seconds) } else { "-".to_owned() };
        vec![
            self.run.to_string(),
            self.phase(detail),
            self.step.as_ref().map_or_else(|| "-".to_owned(), |step| step.id.clone()),
            self.from.clone(),
            self.to.clone(),
            self.serving.map_or("-", NodeId::as_str).to_owned(),
            unprotected,
        ]
    }
}
