//! What the daemon costs beside its appliances: orchestration, restart, waiting, status. The store's own figures: `append.rs`.
//!
//! `cargo bench --bench speed [-- orchestration|restart|waiting|status]`; without a name all four, each as a process of its own.
//! Folders are made below the temporary one (`TMPDIR` names another disk). Prints medians, ranges and ratios; what they were
//! on which machine stands in `docs/develop/timings.md`.

mod daemon;
mod figures;
mod orchestration;
mod pair;
mod play;
mod program;
mod restart;
mod status;
mod waiting;

use std::process::Command;

const ALL: [&str; 4] = ["orchestration", "restart", "waiting", "status"];

fn main() {
    // cargo passes `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] => ALL.iter().for_each(|name| itself(name)),
        ["orchestration"] => orchestration::measure(),
        ["restart"] => restart::measure(),
        ["waiting"] => waiting::measure(),
        ["status"] => status::measure(),
        // The two sides of `waiting`, and the program behind the nodes of `restart`.
        [waiting::CHILD, folder, sites] => waiting::child(folder.as_ref(), sites.parse().expect("a number of sites")),
        [program::NAME, rest @ ..] => program::run(rest),
        other => panic!("expected one of {ALL:?} or nothing, found {other:?}"),
    }
}

fn itself(name: &str) {
    let status = Command::new(std::env::current_exe().expect("this program")).arg(name).status().expect("it starts");
    assert!(status.success(), "{name}: {status}");
}
