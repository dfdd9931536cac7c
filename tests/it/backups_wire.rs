//! BG-01 through the real daemon: what an appliance may give instead of a backup, over HTTPS, and what the run, its status and the
//! alert then say; the room on the disk; and how long backups are kept.

use changeover::domain::backups::RESERVE_BYTES;
use changeover::domain::ids::NodeId;
use changeover::simulator::faults::{Fault, Planned};
use serde_json::Value;

use crate::vendor::{Vendor, at_rest};

const SPEED: u32 = 600;
const GATE: &str = "not_in_backup";
const STEP: &str = "prepare.backup.b";

fn page(vendor: &Vendor, run: &str) -> String {
    String::from_utf8_lossy(&vendor.daemon.cli(&["status", run]).stdout).into_owned()
}

/// The files of a run's backups, by name.
fn files(vendor: &Vendor, run: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![vendor.daemon.folder.join("state/backups").join(run)];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { left.push(path) } else { found.push(path.file_name().unwrap().to_string_lossy().into_owned()) }
        }
    }
    found
}

/// Gives up a run that has its backups and has disturbed nobody.
fn give_up(vendor: &mut Vendor, run: &str) {
    vendor.accompany(run, |status| status["gate"] == GATE || at_rest(status)).unwrap();
    vendor.daemon.json(&["abort", run, "--yes"]);
    let status = vendor.accompany(run, at_rest).unwrap();
    assert_eq!(status["outcome"], "aborted", "{status}\n{}", vendor.daemon.log());
}

/// What comes under HTTP 200 and is no backup: each is named, nothing of it is kept, and the run is held while nothing was disturbed.
#[tokio::test(flavor = "multi_thread")]
async fn bg_01_what_is_no_backup_holds_the_run_and_is_named() {
    let binary: Vec<u8> = (0..=255).cycle().take(900).collect();
    let cases: [(&str, Vec<u8>, &str); 5] = [
        ("application/octet-stream", b"Error: the backup could not be made.".to_vec(), "a text (`Error: the backup"),
        ("text/html", b"<!DOCTYPE html><html><title>Login</title></html>".to_vec(), "an HTML page"),
        ("text/xml", b"<?xml version=\"1.0\"?><error>no right</error>".to_vec(), "XML"),
        ("application/octet-stream", binary, "900 bytes, fewer than 1024"),
        ("application/octet-stream", Vec::new(), "nothing"),
    ];
    let mut vendor = Vendor::start(false, SPEED).await;
    vendor.daemon.start(None);
    vendor.simulator.answer_instead(NodeId::B, "/api/backup", Some((cases[0].0, cases[0].1.clone())));
    let run = vendor.start_run("role-swap");
    for (at, (_, _, found)) in cases.iter().enumerate() {
        let status = vendor.accompany(&run, at_rest).unwrap();
        assert_eq!((&status["step"]["id"], &status["held"]["code"]), (&STEP.into(), &"step_failed".into()), "{found}: {status}");
        let (page, state) = (page(&vendor, &run), status["guide"]["state"].as_str().unwrap_or_default());
        for part in ["expected a backup file", found, "nothing was kept", "changeover resume support-1"] {
            assert!(page.contains(part), "`{part}` is not in\n{page}");
        }
        assert!(state.starts_with("failover is still on"), "{status}");
        assert_eq!(files(&vendor, &run).len(), 1, "{found}: only the other node's is there");
        vendor.await_alert("step_failed");
        let next = cases.get(at + 1).map(|(kind, body, _)| (*kind, body.clone()));
        vendor.simulator.answer_instead(NodeId::B, "/api/backup", next);
        vendor.daemon.json(&["resume", &run]);
    }
    give_up(&mut vendor, &run);
    assert_eq!(files(&vendor, &run).len(), 2);
}

/// Far smaller than the last, which an earlier run took: held until a person takes it for whole by name.
#[tokio::test(flavor = "multi_thread")]
async fn bg_01_a_backup_far_smaller_than_the_last_waits_for_a_person() {
    let mut vendor = Vendor::start(false, SPEED).await;
    vendor.daemon.start(None);
    let first = vendor.start_run("role-swap");
    give_up(&mut vendor, &first);
    vendor.simulator.current().plan_fault(Planned::for_ever(Fault::BackupSmall).on(NodeId::B));
    let run = vendor.start_run("role-swap");
    let held = vendor.accompany(&run, at_rest).unwrap();
    assert_eq!((&held["step"]["id"], &held["held"]["code"]), (&STEP.into(), &"backup_far_smaller".into()), "{held}");
    let page = page(&vendor, &run);
    for part in
        ["the backup of node `b` is far smaller than the last", "50 % of the", "changeover confirm support-2 smaller_backup"]
    {
        assert!(page.contains(part), "`{part}` is not in\n{page}");
    }
    vendor.await_alert("held");
    let taken = vendor.daemon.cli(&["confirm", &run, "smaller_backup", "--note", "half of the users were removed"]);
    assert_eq!(taken.status.code(), Some(0), "{}", String::from_utf8_lossy(&taken.stderr));
    give_up(&mut vendor, &run);
}

/// Too little room: `check` says so before there is a run, a start is refused, and a run whose disk fills up is held at its backup.
#[cfg(feature = "test-kill")]
#[tokio::test(flavor = "multi_thread")]
async fn bg_01_too_little_room_is_found_before_the_backup() {
    let mut vendor = Vendor::start(false, SPEED).await;
    vendor.daemon.start(None);
    let door = vendor.daemon.folder.join("state/test-free");
    let check = |vendor: &Vendor| {
        let output = vendor.daemon.cli(&["check", "support", "--json"]);
        let checks = crate::daemon::last_json(&output.stdout);
        let found = checks["checks"].as_array().unwrap().iter().find(|check| check["name"] == "disk_space").cloned();
        (output.status.code(), found.unwrap_or_else(|| panic!("{checks}")))
    };
    assert_eq!((check(&vendor).0, &check(&vendor).1["result"]), (Some(0), &"pass".into()));
    std::fs::write(&door, (RESERVE_BYTES - 1).to_string()).unwrap();
    let (code, found) = check(&vendor);
    assert_eq!((code, &found["result"]), (Some(1), &"fail".into()), "{found}");
    assert!(found["expected"].as_str().unwrap().starts_with(&RESERVE_BYTES.to_string()), "{found}");
    let package = vendor.daemon.folder.join("base.nss");
    let start = [
        "start",
        "support",
        "--to",
        "24.2.1",
        "--package",
        package.to_str().unwrap(),
        "--first",
        "now +30d",
        "--second",
        "now +30d",
    ];
    let refused = vendor.daemon.cli(&start);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && text.contains("disk_space"), "{text}");

    // Room for the first run, and no more: the next one needs twice what its files took.
    let copied = std::fs::metadata(&package).unwrap().len();
    std::fs::write(&door, (RESERVE_BYTES + copied).to_string()).unwrap();
    assert_eq!(check(&vendor).0, Some(0));
    let first = vendor.start_run("role-swap");
    give_up(&mut vendor, &first);
    let (code, found) = check(&vendor);
    let needed = |found: &Value| found["expected"].as_str().unwrap().split(' ').next().unwrap().parse::<u64>().unwrap();
    assert!(code == Some(1) && needed(&found) > RESERVE_BYTES, "{found}");

    // With room again it starts; then somebody fills the disk.
    std::fs::remove_file(&door).unwrap();
    vendor.simulator.answer_instead(NodeId::A, "/api/backup", Some(("text/plain", b"not now".to_vec())));
    let run = vendor.start_run("role-swap");
    let held = vendor.accompany(&run, at_rest).unwrap();
    assert_eq!(held["step"]["id"], "prepare.backup.a", "{held}");
    vendor.simulator.answer_instead(NodeId::A, "/api/backup", None);
    std::fs::write(&door, "1000").unwrap();
    vendor.daemon.json(&["resume", &run]);
    let held = vendor.accompany(&run, at_rest).unwrap();
    assert_eq!(held["phase"], "held", "{held}");
    let page = page(&vendor, &run);
    for part in ["has 1000 bytes free", "nothing was asked of the node", "make room"] {
        assert!(page.contains(part), "`{part}` is not in\n{page}");
    }
    std::fs::remove_file(&door).unwrap();
    vendor.daemon.json(&["resume", &run]);
    give_up(&mut vendor, &run);
}

/// `[backups]`: with the second run at_rest, the first one's backups go, listed; they stay while the setting says so.
#[tokio::test(flavor = "multi_thread")]
async fn bg_01_backups_are_kept_as_long_as_the_setting_says() {
    for (keep, gone) in [(2, false), (1, true)] {
        let mut vendor = Vendor::start(false, SPEED).await;
        let main = vendor.daemon.folder.join("config/changeover.toml");
        let text = std::fs::read_to_string(&main).unwrap();
        std::fs::write(&main, format!("{text}\n[backups]\nkeep = {keep}\nkeep_for = \"1s\"\n")).unwrap();
        vendor.daemon.start(None);
        let first = vendor.start_run("role-swap");
        give_up(&mut vendor, &first);
        assert_eq!(files(&vendor, &first).len(), 2, "the latest run's are kept");
        let second = vendor.start_run("role-swap");
        give_up(&mut vendor, &second);
        // The deletion follows the end of a run, by a task of its own; coming up does the same, beside its work.
        assert_eq!(vendor.daemon.terminate(), Some(0));
        vendor.daemon.start(None);
        let list = vendor.daemon.folder.join("state/backups/deleted.jsonl");
        let until = std::time::Instant::now() + crate::daemon::PATIENCE;
        while gone && !(list.exists() && files(&vendor, &first).is_empty()) {
            assert!(std::time::Instant::now() < until, "nothing was deleted\n{}", vendor.daemon.log());
            vendor.daemon.listen();
        }
        assert_eq!((files(&vendor, &first).len(), list.exists()), (if gone { 0 } else { 2 }, gone), "keep = {keep}");
        assert_eq!(files(&vendor, &second).len(), 2, "the newest of each node are kept");
    }
}
