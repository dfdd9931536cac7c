//! `changeover check SITE`: the preflight alone.

use clap::Args;

use crate::domain::checks;
use crate::server::view::{CheckView, Checks};

use super::client::Client;
use super::{Daemon, Exit, Failure, Format, Run, output};

/// Run the preflight of a site; nothing is changed
#[derive(Args)]
pub struct Check {
    /// The site to check
    site: String,
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Check {
    fn run(&self) -> Result<Exit, Failure> {
        let reply = Client::new(&self.daemon)?.get(&["sites", &self.site, "check"])?;
        let checks: Checks = reply.read()?;
        if self.format.json {
            output::raw(reply.text()?)?;
        } else {
            output::say(&page(&checks))?;
        }
        Ok(if checks.ok { Exit::Done } else { Exit::NotMet })
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

fn page(checks: &Checks) -> String {
    let rows: Vec<Vec<String>> = checks.checks.iter().map(row).collect();
    let remedies = checks.checks.iter().filter(|check| check.result != "pass");
    let remedies: String = remedies.map(|check| format!("  {}: {}{}\n", name(check), check.remedy, accept(check))).collect();
    let warns = checks.checks.iter().any(|check| check.result == "warn");
    let verdict = match (&checks.run, checks.ok, warns) {
        (Some(run), ..) => checks::beside(run),
        (None, false, _) => "not ready for a start".to_owned(),
        (None, true, true) => "ready for a start once its warnings are accepted".to_owned(),
        (None, true, false) => "nothing speaks against a start".to_owned(),
    };
    let what_helps = if remedies.is_empty() { String::new() } else { format!("\nwhat helps:\n{remedies}") };
    format!("{}{what_helps}\nsite `{}`: {verdict}", output::table(&rows), checks.site)
}

fn row(check: &CheckView) -> Vec<String> {
    let age = format!("{} s ago", check.age_seconds);
    // One cell: a column of its own would be as wide as the longest thing found.
    vec![check.result.clone(), name(check), age, format!("{} (expected: {})", check.found, check.expected)]
}

/// What is typed where a warning may stand.
fn accept(check: &CheckView) -> String {
    let node = check.node.map(|node| format!(".{node}")).unwrap_or_default();
    let typed = || format!("; or start with `--accept {}{node}=\"why\"`", check.name);
    if check.result == "warn" { typed() } else { String::new() }
}

fn name(check: &CheckView) -> String {
    check.node.map_or_else(|| check.name.clone(), |node| format!("{} {node}", check.name))
}
