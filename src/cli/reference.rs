//! The commands with their flags as `docs/reference/cli.md` shows them, made from what the program itself prints.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};

use super::Cli;

/// Markdown: a heading and the help text for each command.
pub fn reference() -> String {
    let mut root = Cli::command().term_width(100);
    root.build();
    let mut text = String::new();
    for command in root.get_subcommands_mut() {
        add(&mut text, "changeover", command);
    }
    text
}

fn add(text: &mut String, parent: &str, command: &mut Command) {
    let name = format!("{parent} {}", command.get_name());
    if command.get_name() == "help" {
        return;
    }
    if command.has_subcommands() {
        command.get_subcommands_mut().for_each(|command| add(text, &name, command));
        return;
    }
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    // Writing into a string cannot fail.
    let _ = write!(text, "### `{name}`\n\n```text\n{}\n```\n\n", help.join("\n").trim_end());
}
