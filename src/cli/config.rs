//! `changeover config check/show`: whether the configuration can be used, and what it says in full. Needs no daemon.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::config::{self, ConfigErrors, Settings};
use crate::domain::action;
use crate::drivers::clock::SystemClock;

use super::wiring::{self, ProcedureDocument};
use super::{Exit, Failure, Format, Run, output};

/// Where the config file stands by default.
pub const DEFAULT: &str = "config/changeover.toml";

/// The configuration
#[derive(Subcommand)]
pub enum Config {
    Check(Check),
    Show(Show),
}

impl Config {
    pub fn as_run(&self) -> &dyn Run {
        match self {
            Self::Check(command) => command,
            Self::Show(command) => command,
        }
    }
}

/// Check all config, site and procedure files, and the files and programs that they name
#[derive(Args)]
pub struct Check {
    /// The config file
    #[arg(long, value_name = "FILE", default_value = DEFAULT)]
    config: PathBuf,
    #[command(flatten)]
    format: Format,
}

/// Show every setting in force, with its default where no file gives it; secrets are shown as their paths
#[derive(Args)]
pub struct Show {
    /// The config file
    #[arg(long, value_name = "FILE", default_value = DEFAULT)]
    config: PathBuf,
    /// Say which file and line gave each value
    #[arg(long)]
    origin: bool,
    #[command(flatten)]
    format: Format,
}

/// Loads a configuration; every problem is a cause of the failure.
pub fn load(path: &Path) -> Result<Settings, Failure> {
    config::load(path, &action::names()).map_err(|ConfigErrors(problems)| bad(path, &problems))
}

/// All procedures there are with this folder of the operator's own.
pub fn procedures(folder: Option<&Path>) -> Result<Vec<ProcedureDocument>, Failure> {
    wiring::procedure_documents(folder).map_err(|error| Failure::of("bad_procedure", &error))
}

fn bad(path: &Path, problems: &[config::Problem]) -> Failure {
    problems.iter().fold(unusable_config(path), |failure, problem| failure.because(problem.to_string()))
}

fn unusable_config(path: &Path) -> Failure {
    Failure::new("bad_config", format!("the configuration `{}` can't be used", path.display()))
}

impl Run for Check {
    fn run(&self) -> Result<Exit, Failure> {
        let settings = load(&self.config)?;
        let unusable = config::check_files(&settings);
        if !unusable.is_empty() {
            return Err(bad(&self.config, &unusable));
        }
        let unfit = wiring::rehearse(&settings, Arc::new(SystemClock));
        if !unfit.is_empty() {
            return Err(unfit.iter().fold(unusable_config(&self.config), |failure, error| failure.because(error.to_string())));
        }
        let known = procedures(Some(&settings.procedures_dir))?;
        let names: Vec<&str> = known.iter().map(|known| known.procedure.name.as_str()).collect();
        let unknown = config::unknown_procedures(&settings, &names);
        if !unknown.is_empty() {
            return Err(bad(&self.config, &unknown));
        }
        let procedures = known.len();
        let warnings: Vec<String> =
            config::warnings(&settings).iter().chain(&config::no_site(&settings)).map(ToString::to_string).collect();
        let sites: Vec<&str> = settings.sites.iter().map(|site| site.site.name.as_str()).collect();
        if self.format.json {
            output::json(&json!({ "ok": true, "sites": sites, "procedures": procedures, "warnings": warnings }))?;
        } else {
            warnings.iter().for_each(|warning| output::tell(&format!("warning: {warning}")));
            let (path, sites) = (self.config.display(), sites.len());
            output::say(&format!("`{path}` can be used: {sites} sites, {procedures} procedures"))?;
        }
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

impl Run for Show {
    fn run(&self) -> Result<Exit, Failure> {
        let settings = load(&self.config)?;
        if self.format.json {
            output::json(&json!({ "settings": settings.effective.iter().map(setting).collect::<Vec<_>>() }))?;
        } else {
            output::say(&config::show(&settings, self.origin))?;
        }
        Ok(Exit::Done)
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

/// `value` is TOML; `line` is `null` for a default.
fn setting(entry: &config::Effective) -> Value {
    json!({ "file": entry.file, "line": entry.line, "table": entry.header, "key": entry.key, "value": entry.value })
}
