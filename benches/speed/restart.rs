//! After SIGKILL with ten runs in the middle of an update: how long from the new process's start to its first look.
//!
//! The real daemon, ten sites behind `exec` programs. A look is seen by the program itself, which notes the time of its call.
//! At the end the updates are let go, and none of them was ordered twice.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::daemon::{Daemon, until};
use super::figures::Figures;
use super::program;

const SITES: usize = 10;
const TURNS: usize = 15;

pub fn measure() {
    let folder = tempfile::tempdir().expect("a folder");
    let worlds: Vec<PathBuf> = (1..=SITES).map(|number| folder.path().join(format!("world-{number}"))).collect();
    let sites: Vec<_> = worlds.iter().enumerate().map(|(index, world)| site(index + 1, world)).collect();
    Daemon::configure(folder.path(), &sites);
    let mut daemon = Daemon::spawn(folder.path());
    daemon.ready();
    sites.iter().zip(&worlds).for_each(|((name, _), world)| to_the_update(&daemon, name, world));
    println!("{SITES} runs, each in the middle of its update");

    let (mut first, mut all): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        daemon.kill();
        let start = program::now();
        daemon = Daemon::spawn(folder.path());
        let looks = until("the looks", || worlds.iter().map(|world| look_after(world, start)).collect::<Option<Vec<_>>>());
        first.extend(looks.iter().min().copied());
        all.extend(looks.iter().max().copied());
        daemon.ready();
    }
    Figures::new(first).print("process start to the first look (at most 200 ms)");
    Figures::new(all).print("process start to the first look at the tenth site");
    worlds.iter().for_each(|world| std::fs::write(world.join("go"), "").expect("a file"));
    until("ten updated nodes", || sites.iter().all(|(name, _)| is_past_the_update(&daemon, name)).then_some(()));
    assert!(worlds.iter().all(|world| updates(world) == 1), "an update was ordered twice");
    println!("{TURNS} restarts, {SITES} updates, none of them ordered twice");
    daemon.kill();
}

/// A pair of programs and the text of its site file.
fn site(number: usize, world: &Path) -> (String, String) {
    let synced = jiff::Timestamp::now().to_string();
    for (node, role) in [("a", "primary"), ("b", "standby")] {
        std::fs::create_dir_all(world.join(node)).expect("a folder");
        for (name, value) in [("role", role), ("version", "24.1.1"), ("sync", &synced), ("sessions", "0")] {
            std::fs::write(world.join(node).join(name), value).expect("a fact");
        }
    }
    std::fs::write(world.join("target"), "a").expect("a fact");
    // Run time is machine time.
    std::fs::write(world.join("clock"), "0 1\n").expect("a fact");
    let program = std::env::current_exe().expect("this program");
    let call = |node: &str| format!("program = [{program:?}, \"{}\", {world:?}, \"{node}\"]\n", program::NAME);
    let node = |name: &str, last: usize| {
        let identity = format!("identity = \"{}-{name}\"\naddress = \"127.0.{number}.{last}\"\n", program::identity(world));
        format!("[nodes.{name}]\ndriver = \"exec\"\n{}{identity}", call(name))
    };
    let name = format!("site-{number}");
    let head = format!("name = \"{name}\"\nservice = \"{name}.example.com\"\nprocedure = \"role-swap\"\n");
    let traffic = format!("[[traffic]]\ndriver = \"exec\"\n{}", call("a"));
    (name, format!("{head}{}{}{traffic}", node("a", 1), node("b", 2)))
}

/// Starts a run and answers its gates until its program is called for the update.
fn to_the_update(daemon: &Daemon, site: &str, world: &Path) {
    daemon.said(&["start", site, "--to", "24.2.1", "--package", "base.nss", "--first", "now +8h", "--second", "now +100h"]);
    let run = format!("{site}-1");
    until(site, || {
        if daemon.said(&["status", &run, "--json"]).contains("\"waiting_on\":\"gate\"") {
            // A gate that opens between the question and the word is answered the next time.
            let _ = daemon.cli(&["confirm", &run]).output();
        }
        (updates(world) == 1).then_some(())
    });
}

fn updates(world: &Path) -> usize {
    program::calls(world).iter().filter(|call| call.verb == "update").count()
}

fn look_after(world: &Path, start: Duration) -> Option<Duration> {
    let looks = program::calls(world).into_iter().filter(|call| call.verb == "observe" && call.at >= start);
    looks.map(|call| call.at - start).min()
}

fn is_past_the_update(daemon: &Daemon, site: &str) -> bool {
    daemon.said(&["journal", "show", &format!("{site}-1")]).contains("window-1.verify.b")
}
