//! `changeover alerts test`: one test document to each hook.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::server::view::{AlertTests, HookTest};

use super::client::Client;
use super::{Daemon, Exit, Failure, Format, Run, output};

/// The alert hooks
#[derive(Subcommand)]
pub enum Alerts {
    Test(Test),
}

impl Alerts {
    pub fn as_run(&self) -> &dyn Run {
        match self {
            Self::Test(command) => command,
        }
    }
}

/// Send one test document to each hook and show what became of it
#[derive(Args)]
pub struct Test {
    #[command(flatten)]
    daemon: Daemon,
    #[command(flatten)]
    format: Format,
}

impl Run for Test {
    fn run(&self) -> Result<Exit, Failure> {
        let reply = Client::new(&self.daemon)?.post(&["alerts", "test"], &json!({}))?;
        let tests: AlertTests = reply.read()?;
        if self.format.json {
            output::raw(reply.text()?)?;
        } else {
            output::say(&output::table(&tests.hooks.iter().map(row).collect::<Vec<_>>()))?;
        }
        if tests.hooks.is_empty() {
            output::tell("no hooks are configured: nobody is told when a run is held");
        }
        Ok(if tests.ok { Exit::Done } else { Exit::NotMet })
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

fn row(hook: &HookTest) -> Vec<String> {
    let outcome = if hook.ok { "delivered" } else { "failed" };
    vec![hook.name.clone(), outcome.to_owned(), hook.message.clone().unwrap_or_default()]
}
