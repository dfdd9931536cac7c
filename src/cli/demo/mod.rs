//! `changeover demo`: a daemon, a simulated pair and a zone on loopback, in faster time; one complete run, told as it goes.
//!
//! ```text
//!   this process                                        the daemon's process
//!   tale ── person ── hands ─▶ pair (HTTPS) ◀── drivers ──┐
//!    │         └───── words ─▶ Unix socket ───────────▶ engine, store
//!   story ◀── truth ── pair, zone (DNS) ◀── updates ──────┤
//!      └◀── webhook (loopback) ◀── alerts ── outbox ──────┘
//! ```
//!
//! Nothing in the daemon knows of the demo: it is the program that updates real pairs, with a configuration.

mod alerts;
mod ending;
pub mod folder;
pub mod pair;
mod person;
mod play;
mod process;
mod scene;
pub mod secrets;
mod story;
mod tales;

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::domain::procedure::BUILT_IN;

use self::play::Play;
use self::scene::{Scene, Wish};
use super::{Exit, Failure, Run, output};

pub use tales::reference;

/// Simulated seconds in a second.
///
/// An hour and a half: two days and some hours pass between the start and the end, which then take 33 s. Each millisecond of
/// this machine is 5.4 s of the run, so a look at both nodes (10 to 40 ms in a debug build) takes one to four minutes, and
/// window one 80 minutes of its ten hours.
const SPEED: f64 = 5400.0;

/// See a whole update of a simulated pair in under a minute, or a story in which something goes wrong
#[derive(Args)]
pub struct Demo {
    /// The procedure to follow
    #[arg(long, value_name = "NAME", default_value = "role-swap", value_parser = PossibleValuesParser::new(BUILT_IN.map(|(name, _)| name)))]
    procedure: String,
    /// What goes wrong
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(tales::names()))]
    fault: Option<String>,
    /// Another seed, other users at work
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Simulated seconds in a second
    #[arg(long, value_name = "X", default_value_t = SPEED, value_parser = speed)]
    speed: f64,
    /// Keep the folder with configuration, journal, backups and the daemon's log
    #[arg(long)]
    keep: bool,
    /// Print one JSON object as the last line of stdout; the story goes to stderr
    #[arg(long)]
    json: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (1.0..=FASTEST).contains(&speed) { Ok(speed) } else { Err(format!("expected 1 to {FASTEST}")) }
}

/// Here a look takes longer than the pair stands still between two automatic syncs, and proofs no longer come about.
const FASTEST: f64 = 20_000.0;

impl Run for Demo {
    fn run(&self) -> Result<Exit, Failure> {
        let tale = tales::find(self.fault.as_deref())
            .ok_or_else(|| Failure::new("bad_input", "there is no such fault").exit(Exit::Bug))?;
        if let Some(only) = tale.only.filter(|only| *only != self.procedure) {
            let message = format!("`--fault {}` can only be told with `--procedure {only}`", tale.name);
            return Err(Failure::new("bad_input", message).exit(Exit::Bug));
        }
        let wish =
            Wish { tale, procedure: &self.procedure, seed: self.seed, speed: self.speed, keep: self.keep, aside: self.json };
        let mut play = Play::begin(Scene::set(&wish)?)?;
        play.until_the_end()?;
        let (report, differs) = play.close()?;
        if self.json {
            output::json(&report)?;
        }
        for difference in &differs {
            output::tell(&format!("error: {difference}"));
        }
        Ok(if differs.is_empty() { Exit::Done } else { Exit::NotMet })
    }

    fn json(&self) -> bool {
        self.json
    }
}
