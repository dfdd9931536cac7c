//! `changeover watch RUN`: each record as a line, until the run is finished.

use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;

use crate::domain::journal::Record;

use super::client::Client;
use super::zones::Zones;
use super::{Daemon, Exit, Failure, Run, output};

/// Records come seconds to days apart; a second is as live as a person needs.
const INTERVAL: Duration = Duration::from_secs(1);

/// A daemon that is restarted is back within seconds; after this long it is not coming back by itself.
const PATIENCE: Duration = Duration::from_secs(300);

/// Follow a run: a line for each record of its journal, until it is finished
#[derive(Args)]
pub struct Watch {
    /// The run
    run: String,
    #[command(flatten)]
    daemon: Daemon,
    /// Print each record as a JSON line, and the status object as the last line
    #[arg(long)]
    json: bool,
}

impl Run for Watch {
    fn run(&self) -> Result<Exit, Failure> {
        let client = Client::new(&self.daemon)?;
        let mut after = 0;
        let mut records = records(&client, &self.run, after)?;
        let zones = Zones::of(&client.zone(&["runs", &self.run])?);
        loop {
            for record in &records {
                self.print(record, &zones)?;
                after = record.seq;
            }
            if records.iter().any(|record| matches!(record.event.as_str(), "finished" | "closed")) {
                return self.end(&client);
            }
            sleep(INTERVAL);
            records = patiently(|| self::records(&client, &self.run, after))?;
        }
    }

    fn json(&self) -> bool {
        self.json
    }
}

impl Watch {
    fn print(&self, record: &Record, zones: &Zones) -> Result<(), Failure> {
        if self.json {
            return output::json(record);
        }
        output::say(&zones.text(&line(record)))
    }

    fn end(&self, client: &Client) -> Result<Exit, Failure> {
        if self.json {
            output::raw(client.get(&["runs", &self.run])?.text()?)?;
        }
        Ok(Exit::Done)
    }
}

/// Time, step, sentence.
fn line(record: &Record) -> String {
    let step = record.step.as_deref().unwrap_or("-");
    let by = if record.actor == "daemon" { String::new() } else { format!(" ({})", record.actor) };
    format!("{}  {step}  {}{by}", record.at, record.reason.replace('\n', " "))
}

/// The records of a run above `after`.
pub fn records(client: &Client, run: &str, after: u64) -> Result<Vec<Record>, Failure> {
    let reply = client.journal(run, after)?;
    let unread = |error: serde_json::Error| Failure::of("other_version", &error).exit(Exit::Bug);
    reply.text()?.lines().map(|line| serde_json::from_str(line).map_err(unread)).collect()
}

/// Outlives a restart of the daemon.
fn patiently<T>(ask: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
    let since = Instant::now();
    let mut told = false;
    loop {
        match ask() {
            Err(failure) if matches!(failure.code(), "no_daemon" | "no_answer") && since.elapsed() < PATIENCE => {
                if !std::mem::replace(&mut told, true) {
                    output::tell(&format!("the daemon does not answer; trying again for {} s", PATIENCE.as_secs()));
                }
                sleep(INTERVAL);
            }
            answer => return answer,
        }
    }
}
