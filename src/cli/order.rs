//! The arguments that `plan` and `start` share.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use crate::domain::version::Target;
use crate::domain::window::choose::Wanted;
use crate::engine::api::PlanRequest;

use super::Failure;

/// What is ordered.
#[derive(Args)]
pub struct Order {
    /// The site to update
    site: String,
    /// The version to update to: VERSION or VERSION+BUILD
    #[arg(long, value_name = "VERSION", value_parser = target)]
    to: String,
    /// The package file, on the daemon's machine
    #[arg(long, value_name = "FILE")]
    package: PathBuf,
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
}

impl Order {
    /// The daemon's working folder is not ours, so the package's path is made absolute.
    pub fn request(&self) -> Result<PlanRequest, Failure> {
        Ok(PlanRequest {
            site: self.site.clone(),
            to: self.to.clone(),
            package: absolute(&self.package)?,
            procedure: self.procedure.clone(),
            first: self.first.clone(),
            second: self.second.clone(),
            urgent: self.urgent.clone(),
            responsible: self.responsible.clone(),
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

/// As [`target`], for windows.
pub fn window(text: &str) -> Result<String, String> {
    Wanted::parse(text, Timestamp::now()).map(|_| text.to_owned()).map_err(|error| error.to_string())
}
