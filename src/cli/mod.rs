//! The command line: one file a command, low arguments in, the API's words out.
//!
//! Data go to stdout, talk and errors to stderr. Exit codes: 0 done, 1 understood but not met, 2 a wrong command line or a bug of
//! ours. Imports: everything of ours.

mod abort;
mod accept;
mod acknowledge;
mod adopt;
mod alerts;
mod ask;
mod check;
mod client;
mod close;
mod config;
mod confirm;
mod demo;
mod exposure;
mod failure;
mod handover;
mod hold;
mod journal;
mod journal_file;
mod ledger;
mod logging;
mod machine;
mod node;
mod order;
mod output;
mod page;
mod plan;
mod procedures;
mod prove;
mod rebuild;
mod reference;
mod release;
mod resume;
mod runs;
mod serve;
mod simulator;
mod single;
mod start;
mod status;
mod switch_back;
mod traffic;
mod verify;
mod waive;
mod watch;
mod way;
mod windows;
mod wiring;
mod zones;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use demo::reference as demo_reference;
pub use failure::{Exit, Failure};
pub use reference::reference;

/// Carries the software update of a failover pair through two maintenance windows and never loses its place
#[derive(Parser)]
#[command(name = "changeover", version, propagate_version = false, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The table of commands.
#[derive(Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    #[command(subcommand)]
    Simulator(simulator::Simulator),
    Check(check::Check),
    #[command(subcommand)]
    Traffic(traffic::Traffic),
    Windows(windows::Windows),
    Plan(plan::Plan),
    Start(start::Start),
    Status(status::Status),
    Runs(runs::Runs),
    Watch(watch::Watch),
    Exposure(exposure::Exposure),
    Handover(handover::Handover),
    Confirm(confirm::Confirm),
    Waive(waive::Waive),
    Accept(accept::Accept),
    Ledger(ledger::Ledger),
    Acknowledge(acknowledge::Acknowledge),
    Hold(hold::Hold),
    Resume(resume::Resume),
    SwitchBack(switch_back::SwitchBack),
    Abort(abort::Abort),
    Close(close::Close),
    Release(release::Release),
    Adopt(adopt::Adopt),
    Single(single::Single),
    #[command(subcommand)]
    Node(node::Node),
    #[command(subcommand)]
    Journal(journal::Journal),
    #[command(subcommand)]
    Procedures(procedures::Procedures),
    #[command(subcommand)]
    Machine(machine::Machine),
    #[command(subcommand)]
    Config(config::Config),
    #[command(subcommand)]
    Alerts(alerts::Alerts),
}

impl Command {
    fn as_run(&self) -> &dyn Run {
        match self {
            Self::Serve(command) => command,
            Self::Demo(command) => command,
            Self::Simulator(command) => command.as_run(),
            Self::Check(command) => command,
            Self::Traffic(command) => command.as_run(),
            Self::Windows(command) => command,
            Self::Plan(command) => command,
            Self::Start(command) => command,
            Self::Status(command) => command,
            Self::Runs(command) => command,
            Self::Watch(command) => command,
            Self::Exposure(command) => command,
            Self::Handover(command) => command,
            Self::Confirm(command) => command,
            Self::Waive(command) => command,
            Self::Accept(command) => command,
            Self::Ledger(command) => command,
            Self::Acknowledge(command) => command,
            Self::Hold(command) => command,
            Self::Resume(command) => command,
            Self::SwitchBack(command) => command,
            Self::Abort(command) => command,
            Self::Close(command) => command,
            Self::Release(command) => command,
            Self::Adopt(command) => command,
            Self::Single(command) => command,
            Self::Node(command) => command.as_run(),
            Self::Journal(command) => command.as_run(),
            Self::Procedures(command) => command.as_run(),
            Self::Machine(command) => command.as_run(),
            Self::Config(command) => command.as_run(),
            Self::Alerts(command) => command.as_run(),
        }
    }
}

/// A command.
pub trait Run {
    /// Does it and prints its data.
    fn run(&self) -> Result<Exit, Failure>;

    /// Whether its errors are printed as JSON too.
    fn json(&self) -> bool;
}

/// The daemon that a command talks to.
#[derive(Args)]
pub struct Daemon {
    /// The daemon's socket
    #[arg(
        long,
        value_name = "PATH",
        env = "CHANGEOVER_SOCKET",
        hide_env_values = true,
        default_value = "./state/changeover.sock"
    )]
    socket: PathBuf,
}

#[derive(Args)]
pub struct Format {
    /// Print one JSON object, on one line, as the last line of stdout; errors as JSON on stderr
    #[arg(long)]
    json: bool,
}

/// Parses, runs, prints.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error),
    };
    let command = cli.command.as_run();
    match command.run() {
        Ok(exit) => exit.into(),
        Err(failure) => failure.print(command.json()),
    }
}

/// Help and the version are data. A wrong command line is 2; a script that asked for JSON gets its error as JSON too.
fn not_parsed(error: &clap::Error) -> ExitCode {
    let asked_for_json = std::env::args_os().any(|argument| argument == "--json");
    if !error.use_stderr() || !asked_for_json {
        // Nobody is left to tell that the terminal is gone.
        let _ = error.print();
        return if error.use_stderr() { Exit::Bug } else { Exit::Done }.into();
    }
    let text = error.to_string();
    let told = text.split("\n\n").next().unwrap_or_default();
    let message = told.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
    Failure::new("wrong_command_line", message).exit(Exit::Bug).hint("`--help` after a command shows how it is used").print(true)
}
