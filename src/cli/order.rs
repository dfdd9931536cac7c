//! The arguments that `plan` and `start` share.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use crate::domain::ids::NodeId;
use crate::domain::version::Target;
use crate::domain::window::choose::Wanted;
use crate::engine::api::{Acceptance, PlanRequest};

use super::Failure;

/// What is ordered.
#[derive(Args)]
pub struct Order {
    /// The site to update
    pub site: String,
    /// The version to update to: VERSION or VERSION+BUILD
    #[arg(long, value_name = "VERSION", value_parser = target)]
    to: String,
    /// The package file, on the daemon's machine; several times, in order, for a chain: each but the last needs a note that
    /// says which version it leads to (FILE.toml)
    #[arg(long, value_name = "FILE", required = true)]
    package: Vec<PathBuf>,
    /// The procedure; by default the site's
    #[arg(long, value_name = "NAME")]
    procedure: Option<String>,
    /// Window one, as in "2026-11-22T02:00[Europe/Berlin] +4h", or `next`, `next NAME`; by default the site's
    #[arg(long, value_name = "WINDOW", value_parser = window)]
    first: Option<String>,
    /// Window two; by default the site's
    #[arg(long, value_name = "WINDOW", value_parser = window)]
    second: Option<String>,
    /// Both windows in one night, and why: the shortest soak is waived for this run, the gate `production` stays
    #[arg(long, value_name = "REASON")]
    urgent: Option<String>,
    /// The user who is responsible for window two; by default the site's, else whoever starts the run
    #[arg(long, value_name = "USER")]
    responsible: Option<String>,
    /// Accept a warning of the preflight, as it is found now; may be given for each
    #[arg(long = "accept", value_name = "NAME[.NODE]=REASON", value_parser = acceptance)]
    accepted: Vec<Acceptance>,
}

impl Order {
    /// The daemon's working folder is not ours, so the package's path is made absolute.
    pub fn request(&self) -> Result<PlanRequest, Failure> {
        let mut packages = self.package.iter().map(|path| absolute(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(PlanRequest {
            site: self.site.clone(),
            to: self.to.clone(),
            // There is at least one.
            package: packages.pop().unwrap_or_default(),
            before: packages,
            procedure: self.procedure.clone(),
            first: self.first.clone(),
            second: self.second.clone(),
            urgent: self.urgent.clone(),
            responsible: self.responsible.clone(),
            accepted: self.accepted.clone(),
        })
    }
}

pub fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::of("bad_input", &error).because(format!("file `{}`", path.display())))
}

/// Refuses early what the daemon would refuse; the daemon gets the text itself.
pub fn target(text: &str) -> Result<String, String> {
    text.parse::<Target>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// `sync_status_unknown.a=the vendor says that it is good`
fn acceptance(text: &str) -> Result<Acceptance, String> {
    let wrong = || "expected NAME=REASON or NAME.NODE=REASON".to_owned();
    let (named, reason) = text.split_once('=').ok_or_else(wrong)?;
    let (check, node) = match named.split_once('.') {
        Some((check, node)) => (check, Some(node.parse::<NodeId>().map_err(|error| error.to_string())?)),
        None => (named, None),
    };
    if check.is_empty() || reason.trim().is_empty() {
        return Err(wrong());
    }
    Ok(Acceptance { check: check.to_owned(), node, reason: reason.trim().to_owned() })
}

/// As [`target`], for windows.
pub fn window(text: &str) -> Result<String, String> {
    Wanted::parse(text, Timestamp::now()).map(|_| text.to_owned()).map_err(|error| error.to_string())
}
