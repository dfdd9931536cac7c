//! The question before a word that can't be taken back.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use super::{Failure, output};

/// Asks on the terminal and goes on with a yes. `what` it is that is done, for those who are not at one.
///
/// # Errors
/// Not a terminal, or the answer is not yes: nothing was changed.
pub fn sure(what: &str, question: &str) -> Result<(), Failure> {
    let no = |message: String| Failure::new("not_confirmed", message).state("nothing was changed");
    if !std::io::stdin().is_terminal() {
        return Err(no(format!("{what}; repeat with `--yes` to do it")));
    }
    output::ask(&format!("{question} [y/N] "));
    let mut answer = String::new();
    let read = std::io::stdin().lock().take(64).read_line(&mut answer);
    read.map_err(|error| Failure::of("not_confirmed", &error))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(no("not confirmed".to_owned())) }
}
