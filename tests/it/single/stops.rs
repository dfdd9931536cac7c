//! Where a call stops: what it says, and that it pressed nothing.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use changeover::domain::ids::NodeId;
use changeover::simulator::faults::{Fault, Planned};
use serde_json::Value;

use super::{A, Lab, Left};

const TO: [&str; 4] = ["--to", "24.2.1", "--yes", "--json"];

/// Nothing was installed, and the command was not met.
fn refused(lab: &Lab, left: &Left, code: &str) {
    assert_eq!((left.code, left.error().as_str()), (Some(1), code), "{left:?}");
    assert_eq!((lab.updates().len(), lab.presses("update")), (0, 0), "{left:?}");
}

/// A pair is `start`'s: the page is not even visited.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_a_pair_is_refused() {
    for primary in NodeId::BOTH {
        let lab = Lab::with(&["24.2.1"], |options| options.world.primary = Some(primary)).await;
        for args in [&TO[..], &["--list", "--json"]] {
            let left = lab.call(args);
            refused(&lab, &left, "is_pair");
            assert!(left.stderr.contains("changeover start"), "{left:?}");
        }
        assert_eq!((lab.presses("login"), lab.presses("check")), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bg_10_an_unhealthy_appliance_is_left_alone() {
    let lab = Lab::new(&["24.2.1"]).await;
    lab.simulator.current().plan_fault(Planned::for_ever(Fault::Unhealthy).on(A));
    refused(&lab, &lab.call(&TO), "unhealthy");
    assert_eq!(lab.presses("check"), 0);
}

/// R13: another box at the address.
#[tokio::test(flavor = "multi_thread")]
async fn r13_another_box_is_refused() {
    let lab = Lab::new(&["24.2.1"]).await;
    lab.simulator.current().plan_fault(Planned::for_ever(Fault::WrongBox).on(A));
    refused(&lab, &lab.call(&TO), "wrong_box");
}

/// Nothing that leads on: nothing at all, only what is above the target, only what waits. Base software, by its lower numbers, is `domain::single`'s.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_nothing_that_leads_on_is_said_with_what_there_is() {
    for (offers, found) in [
        (&["24.1.1"][..], "offers nothing"),
        (&["24.3.1"], "Support 24.3.1"),
        (&["24.2.1:24.1.9"], "available after 24.1.9"),
        (&["24.2.1::24.1.9"], "offers nothing"),
    ] {
        let lab = Lab::new(offers).await;
        let left = lab.call(&TO);
        refused(&lab, &left, "nothing_offered");
        assert!(left.stderr.contains(found), "{offers:?}: {left:?}");
        assert_eq!(lab.backups().len(), 0);
    }
}

/// A chain that ends on the way says what it has installed.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_a_chain_that_ends_on_the_way_stops_there() {
    let lab = Lab::new(&["24.1.9"]).await;
    let left = lab.call(&TO);
    assert_eq!((left.code, left.error().as_str(), lab.updates().len()), (Some(1), "nothing_offered", 1), "{left:?}");
    assert!(left.stderr.contains("installed 24.1.9"), "{left:?}");
}

/// Pages that show something else: each stops the call before a press and names what was there.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_a_surprise_on_the_page_stops_the_call() {
    let cases = [
        (Fault::PageNoButton, "check", "no button `Check for Updates`"),
        (Fault::PageLabelChanged, "check", "no button `Check for Updates`"),
        (Fault::PageErrorText, "check", "neither packages nor the words"),
        (Fault::PageSessionLost, "check", "login page"),
        (Fault::PageLabelChanged, "update", "buttons or words that are not known"),
        (Fault::PageMaintenance, "", "maintenance page"),
        (Fault::PageSecondFactor, "", "second factor"),
        (Fault::PageSingleSignOn, "", "another host"),
    ];
    for (fault, verb, found) in cases {
        let lab = Lab::new(&["24.2.1"]).await;
        let planned = Planned::for_ever(fault).on(A);
        lab.simulator.current().plan_fault(if verb.is_empty() { planned } else { planned.act(verb) });
        let left = lab.call(&TO);
        refused(&lab, &left, "page_unknown");
        assert!(left.stderr.contains(found), "{fault}: {left:?}");
        assert_eq!(lab.backups().len(), 0, "{fault}");
    }
}

/// R4: without a backup nothing is pressed.
#[tokio::test(flavor = "multi_thread")]
async fn r4_without_a_backup_nothing_is_pressed() {
    let lab = Lab::new(&["24.2.1"]).await;
    lab.simulator.current().plan_fault(Planned::for_ever(Fault::BackupErrorText).on(A));
    refused(&lab, &lab.call(&TO), "no_backup");
    assert_eq!(lab.backups().len(), 0);
    let mode = std::fs::metadata(lab.folder.path().join("backups")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn bg_10_after_until_nothing_is_begun() {
    let lab = Lab::new(&["24.2.1"]).await;
    let past = (lab.origin - jiff::SignedDuration::from_secs(1)).to_string();
    let left = lab.call(&[&TO[..], &["--until", &past]].concat());
    refused(&lab, &left, "too_late");
    assert_eq!(lab.backups().len(), 0);
    let wrong = lab.call(&["--to", "24.2.1", "--until", "tomorrow"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
}

/// Nobody is there to say yes.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_without_a_yes_nothing_is_pressed() {
    let lab = Lab::new(&["24.2.1"]).await;
    let left = lab.call(&["--to", "24.2.1", "--json"]);
    refused(&lab, &left, "not_confirmed");
    assert!(left.stderr.contains("24.2.1") && lab.backups().is_empty(), "{left:?}");
}

/// An installation that ends on the old version, or on one that nobody asked for, is said so and not tried again.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_an_installation_that_ends_otherwise_is_not_repeated() {
    // A machine that stalls may miss the whole silence: then nothing of an installation was seen.
    let still = ["runs 24.1.1 still", "neither its answers nor its page"];
    for (fault, found) in [(Fault::UpdateFails, &still[..]), (Fault::UpdateWrongVersion, &["runs version 24.2.2"])] {
        let lab = Lab::new(&["24.2.1"]).await;
        lab.plan(fault, "update");
        let left = lab.call(&TO);
        assert_eq!((left.code, left.error().as_str(), lab.presses("update")), (Some(1), "not_installed", 1), "{left:?}");
        assert!(found.iter().any(|found| left.stderr.contains(found)), "{left:?}");
    }
}

/// The press was answered with an error and nothing happened: that is found out, and not pressed again.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_a_press_that_did_nothing_is_found_out() {
    let lab = Lab::new(&["24.2.1"]).await;
    lab.plan(Fault::PageErrorText, "update");
    let left = lab.call(&TO);
    assert_eq!((left.code, left.error().as_str(), lab.presses("update")), (Some(1), "not_installed", 1), "{left:?}");
    assert!(left.stderr.contains("neither its answers nor its page"), "{left:?}");
    assert!(lab.updates().is_empty());
}

/// Two calls at once could each press once.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_a_second_call_beside_the_first_is_refused() {
    let lab = Lab::new(&["24.2.1"]).await;
    // It waits for as long as this takes.
    lab.silence();
    let first = lab.heard(&TO, "no answer");
    let second = lab.call(&TO);
    assert_eq!((second.code, second.error().as_str()), (Some(1), "in_use"), "{second:?}");
    lab.end_silence();
    let first = first.left();
    assert_eq!((first.code, lab.updates().len(), lab.presses("update")), (Some(0), 1, 1), "{first:?}");
}

/// Errors of the file name the file, the line and the key.
#[tokio::test(flavor = "multi_thread")]
async fn the_file_s_problems_are_named() {
    let lab = Lab::new(&["24.2.1"]).await;
    let good = lab.file();
    for (from, to, found) in [
        ("hands = \"console\"", "hands = \"operator\"", "a single appliance is updated at its pages"),
        ("service = \"support", "servcie = \"support", "lab.toml:1: unknown key `servcie`"),
        ("folder = \"backups\"", "", "missing key `folder` in `[backup]`"),
        ("password_file = \"console\"", "password_file = \"nowhere\"", "`password_file` in `[node.console]`"),
        ("driver = \"beyondtrust\"", "driver = \"exec\"\nprogram = [\"/bin/true\"]", "a single appliance needs \"beyondtrust\""),
    ] {
        lab.write("lab.toml", &good.replace(from, to));
        let left = lab.call(&TO);
        assert_eq!((left.code, left.error().as_str()), (Some(1), "bad_config"), "{left:?}");
        assert!(left.stderr.contains(&found.replace('"', "\\\"")), "{found}: {left:?}");
    }
}

/// A list is not waited for; an update is, as a silent appliance may be installing one.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_a_silent_appliance_has_no_list() {
    let lab = Lab::new(&["24.2.1"]).await;
    lab.silence();
    refused(&lab, &lab.call(&["--list", "--json"]), "not_answering");
    let call = lab.heard(&TO, "no answer");
    lab.end_silence();
    let left = call.left();
    assert_eq!((left.code, lab.updates(), lab.presses("update")), (Some(0), vec!["24.2.1".to_owned()], 1), "{left:?}");
}

/// Refused credentials end the call; a password is tried once.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_refused_credentials_end_the_call() {
    let lab = Lab::new(&["24.2.1"]).await;
    lab.write("console", "another password");
    refused(&lab, &lab.call(&TO), "page_unknown");
    assert_eq!(lab.presses("login"), 1);
    lab.write("client", "another secret");
    refused(&lab, &lab.call(&TO), "access_refused");
    assert_eq!(lab.presses("login"), 1);
}

/// A login whose answer is lost, as when the appliance falls silent, is no refusal: it is looked at again.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_an_unanswered_login_does_not_end_the_call() {
    let lab = Lab::new(&["24.2.1"]).await;
    lab.plan(Fault::PageAnswerLost, "login");
    let left = lab.call(&TO);
    assert_eq!((left.code, lab.updates(), lab.presses("update")), (Some(0), vec!["24.2.1".to_owned()], 1), "{left:?}");
    assert!(left.stderr.contains("was not reached"), "{left:?}");
}

/// What the simulator writes for a single appliance is what the command reads.
#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_s_own_file_leads_to_its_list() {
    let folder = tempfile::tempdir().unwrap();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_changeover"));
    serve.args(["simulator", "serve", "--offer", "24.1.9", "--later", "24.2.1:24.1.9", "--folder"]).arg(folder.path());
    let mut serve = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(serve.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    let mut list = Command::new(env!("CARGO_BIN_EXE_changeover"));
    let left = Left::of(&list.args(["single", line["single"].as_str().unwrap(), "--list"]).output().unwrap());
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert_eq!(left.code, Some(0), "{left:?}");
    assert!(left.stdout.contains("24.1.9") && !left.stdout.contains("24.2.1"), "{left:?}");
    for wrong in [["--later", "24.2.1"], ["--offer", "soon"], ["--from", "24.2.1"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_changeover")).args(["simulator", "serve"]).args(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {output:?}");
    }
}
