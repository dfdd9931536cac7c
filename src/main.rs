//! The binary: everything is in the library; here stands only what a bug of ours looks like to its user.

use std::io::Write as _;
use std::panic;
use std::process::ExitCode;

fn main() -> ExitCode {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        report(info);
        // A panic on another thread is caught and told by whoever waits for that thread.
        if std::thread::current().name() == Some("main") {
            // Not `eprintln!`: it panics where stderr can't be written, and a panic in here ends the process.
            let _ = writeln!(
                std::io::stderr(),
                "error: this is a bug of changeover; please report it with the lines above and the command that led to it"
            );
        }
    }));
    panic::catch_unwind(changeover::cli::main).unwrap_or(ExitCode::from(2))
}
