//! `changeover journal rebuild`: the store built again from its plain copy, while no daemon runs.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::drivers::store::{self, Rebuilt};

use super::{Exit, Failure, Format, Run, output};

/// Build the store again from its plain copy, while no daemon runs; the old files are kept under other names
#[derive(Args)]
pub struct Rebuild {
    /// The state folder
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    #[command(flatten)]
    format: Format,
}

impl Run for Rebuild {
    fn run(&self) -> Result<Exit, Failure> {
        self.is_by_the_owner()?;
        let rebuilt = store::rebuild(&self.state).map_err(|error| {
            let failure = Failure::of(error.code(), &error).state("nothing was changed");
            match error.hint() {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
        if self.format.json {
            output::json(&as_json(&rebuilt))?
        } else {
            output::say(&as_text(&rebuilt))?
        }
        Ok(if rebuilt.lost.is_empty() { Exit::Done } else { Exit::NotMet })
    }

    fn json(&self) -> bool {
        self.format.json
    }
}

impl Rebuild {
    /// What is built belongs to whoever builds it: made by root, it would be closed to the daemon.
    fn is_by_the_owner(&self) -> Result<(), Failure> {
        // A folder that can't be looked at is told by the rebuilding itself.
        let Ok(owner) = std::fs::metadata(&self.state).map(|folder| folder.uid()) else { return Ok(()) };
        let own = rustix::process::geteuid().as_raw();
        if owner == own {
            return Ok(());
        }
        let state = self.state.display();
        Err(Failure::new("wrong_user", format!("`{state}` belongs to user {owner}, and this is user {own}"))
            .because("what is built belongs to whoever builds it, and the daemon must be able to open it")
            .state("nothing was changed")
            .hint(format!("sudo -u '#{owner}' changeover journal rebuild --state {state}")))
    }
}

fn as_json(rebuilt: &Rebuilt) -> serde_json::Value {
    let run = |(run, records): &(_, u64)| json!({ "run": run, "records": records });
    let record = |(run, seq): &(_, u64)| json!({ "run": run, "seq": seq });
    json!({
        "runs": rebuilt.runs.iter().map(run).collect::<Vec<_>>(),
        "damaged": rebuilt.damaged.iter().map(|bad| json!({ "line": bad.line, "what": bad.what })).collect::<Vec<_>>(),
        "restored": rebuilt.restored.iter().map(record).collect::<Vec<_>>(),
        "lost": rebuilt.lost.iter().map(record).collect::<Vec<_>>(),
        "old_db": rebuilt.old_db,
        "moved": rebuilt.moved,
    })
}

fn as_text(rebuilt: &Rebuilt) -> String {
    let mut lines: Vec<String> = rebuilt.runs.iter().map(|(run, records)| format!("{run}: {records} records")).collect();
    lines.extend(rebuilt.damaged.iter().map(|bad| format!("journal.log:{}: {}", bad.line, bad.what)));
    lines.extend(rebuilt.restored.iter().map(|(run, seq)| format!("{run}: from record {seq} on taken from the old db")));
    lines.extend(rebuilt.lost.iter().map(|(run, seq)| format!("{run}: record {seq} follows from nothing that is left; LOST")));
    lines.extend(rebuilt.old_db.iter().map(|why| format!("the old db could not help: {why}")));
    lines.extend(rebuilt.moved.iter().map(|path| format!("kept: {}", path.display())));
    lines.join("\n")
}
