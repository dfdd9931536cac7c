//! SIGKILL and Ctrl-C at every stage: a call that follows looks first, and each package is installed once.

use std::process::Command;

use changeover::simulator::faults::Fault;

use super::{Lab, kill};

const TO: [&str; 4] = ["--to", "24.2.1", "--yes", "--json"];

/// Kills a call as soon as this holds; the next one must end well, with each package installed once.
async fn killed(what: &str, when: impl Fn(&Lab) -> bool) {
    let lab = Lab::new(&["24.1.9", "24.2.1::24.1.9"]).await;
    let call = lab.start(&TO);
    lab.until(what, when);
    let said = kill(call);
    let left = lab.call(&TO);
    assert_eq!(left.code, Some(0), "{what}: {said}\n{left:?}");
    let wanted = vec!["24.1.9".to_owned(), "24.2.1".to_owned()];
    assert_eq!((lab.updates(), lab.presses("update")), (wanted, 2), "{what}: {said}\n{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bg_10_killed_before_the_press() {
    killed("the list", |lab| lab.presses("check") > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bg_10_killed_with_the_backup_there() {
    killed("the backup", |lab| !lab.backups().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bg_10_killed_right_after_the_press() {
    killed("the press", |lab| lab.presses("update") > 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bg_10_killed_while_the_appliance_is_silent() {
    killed("the silence", Lab::is_silent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bg_10_killed_after_the_first_package() {
    killed("the first package", |lab| lab.updates() == ["24.1.9"] && !lab.is_silent()).await;
}

/// The answer to the press is lost: nothing is pressed again, the appliance shows that it was taken.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_a_lost_answer_is_no_second_press() {
    let lab = Lab::new(&["24.2.1"]).await;
    lab.plan(Fault::PageAnswerLost, "update");
    let left = lab.call(&TO);
    assert_eq!((left.code, lab.updates(), lab.presses("update")), (Some(0), vec!["24.2.1".to_owned()], 1), "{left:?}");
    assert!(left.stderr.contains("nothing is pressed again"), "{left:?}");
}

/// The press was answered, and then nobody was there: it arrived, so the readings are followed.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_an_appliance_that_is_gone_once_it_has_answered_is_followed() {
    let lab = Lab::new(&["24.2.1"]).await;
    lab.plan(Fault::PageGone, "update");
    let call = lab.heard(&TO, "nothing is pressed again");
    lab.end_silence();
    let left = call.left();
    assert_eq!((left.code, lab.updates(), lab.presses("update")), (Some(0), vec!["24.2.1".to_owned()], 1), "{left:?}");
}

/// Ctrl-C ends the call, and says whether the appliance goes on by itself; the next call goes on from there.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_ctrl_c_says_what_goes_on() {
    for (ordered, heard, state) in
        [(false, "no answer", "no installation under way"), (true, "nothing is pressed again", "goes on by itself")]
    {
        let lab = Lab::new(&["24.2.1"]).await;
        // Silent before anything was ordered, or from the press on: so the call waits for as long as this takes.
        if ordered {
            lab.plan(Fault::PageGone, "update")
        } else {
            lab.silence()
        }
        let call = lab.heard(&TO, heard);
        assert!(Command::new("kill").args(["-INT", &call.call.id().to_string()]).status().unwrap().success());
        let left = call.left();
        assert_eq!((left.code, left.error().as_str()), (Some(1), "interrupted"), "{left:?}");
        assert!(left.stderr.contains(state), "{left:?}");
        lab.end_silence();
        let left = lab.call(&TO);
        assert_eq!((left.code, lab.updates(), lab.presses("update")), (Some(0), vec!["24.2.1".to_owned()], 1), "{left:?}");
    }
}
