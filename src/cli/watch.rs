//! `changeover watch RUN`: each record as a line, until the run is finished.

use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;

use crate::domain::journal::Record;
use crate::server::view::Status;

use super::client::Client;
use super::zones::Zones;
use super::{Daemon, Exit, Failure, Run, output, page};

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
            let is_any = |events: &[&str]| records.iter().any(|record| events.contains(&record.event.as_str()));
            if is_any(&["finished", "closed"]) {
                return self.end(&client);
            }
            if is_any(&["held"]) {
                self.tell_hold(&client)?;
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

    /// A person is at it now, unless they were faster.
    fn tell_hold(&self, client: &Client) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        let status = client.status(&self.run)?;
        if status.held.is_none() {
            return Ok(());
        }
        let helps = status.guide.iter().map(|guide| format!("\nwhat helps: {}\n", guide.unblocks)).collect::<String>();
        output::say(&format!("{}{}", Zones::of(&status.zone).text(&helps), at_rest(&status)))
    }

    fn end(&self, client: &Client) -> Result<Exit, Failure> {
        if self.json {
            output::raw(client.get(&["runs", &self.run])?.text()?)?;
        } else {
            output::say(&at_rest(&client.status(&self.run)?))?;
        }
        Ok(Exit::Done)
    }
}

/// How things stand at an end: who serves, and what may and must not be done by hand.
fn at_rest(status: &Status) -> String {
    let serving = status.serving.map_or_else(|| "no node".to_owned(), |node| format!("node {node}"));
    let guide = status.guide.iter().map(|guide| format!("state: {}\n{}", guide.state, page::by_hand(guide)));
    Zones::of(&status.zone).text(&format!("\nserving: {serving}\n{}", guide.collect::<String>()))
}

/// Time, step, sentence; of a hold its code before that.
fn line(record: &Record) -> String {
    let step = record.step.as_deref().unwrap_or("-");
    let by = if record.actor == "daemon" { String::new() } else { format!(" ({})", record.actor) };
    let held = match record.data["code"].as_str() {
        Some(code) if record.event == "held" => format!("held ({code}): "),
        _ => String::new(),
    };
    format!("{}  {step}  {held}{}{by}", record.at, record.reason.replace('\n', " "))
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
