//! From check to target: one package after the other, each with its backup, pressed once.

use serde_json::json;

use super::Lab;

const TO: [&str; 4] = ["--to", "24.2.1", "--yes", "--json"];

/// BG-10: install, check again, and go on; one package is listed from the beginning, one only after the other.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_a_chain_is_gone_to_its_target() {
    for lab in [
        Lab::new(&["24.1.9", "24.2.1:24.1.9", "24.3.1"]).await,
        Lab::new(&["24.1.5", "24.1.9", "24.2.1::24.1.9", "7.1.0"]).await,
        Lab::german(&["24.1.9", "24.2.1:24.1.9", "24.3.1"]).await,
    ] {
        let left = lab.call(&TO);
        assert_eq!(left.code, Some(0), "{left:?}");
        assert_eq!((lab.updates(), lab.presses("update")), (vec!["24.1.9".to_owned(), "24.2.1".to_owned()], 2), "{left:?}");
        let line = left.json();
        assert_eq!((&line["version"], &line["target"]), (&json!("24.2.1"), &json!("24.2.1")));
        let installed = line["installed"].as_array().unwrap();
        assert_eq!(installed.len(), 2, "{line}");
        assert_eq!((&installed[0]["from"], &installed[1]["from"]), (&json!("24.1.1"), &json!("24.1.9")));
        // R4: one backup each, from before.
        let backups: Vec<_> = installed.iter().map(|one| one["backup"]["path"].as_str().unwrap()).collect();
        assert!(backups[0].contains("lab-24.1.1-") && backups[1].contains("lab-24.1.9-"), "{backups:?}");
        assert_eq!(lab.backups().len(), 2);
        assert!(lab.simulator.current().truth().broken_promises.is_empty());
    }
}

/// BG-10: the target itself, where it can be installed at once.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_the_target_goes_before_what_is_in_between() {
    let lab = Lab::new(&["24.1.9", "24.2.1"]).await;
    let left = lab.call(&["--to", "24.2.1", "--yes"]);
    assert_eq!((left.code, left.stdout.as_str()), (Some(0), "appliance `lab` runs 24.2.1: installed 24.2.1\n"), "{left:?}");
    assert_eq!((lab.updates(), lab.presses("update")), (vec!["24.2.1".to_owned()], 1));
    // There already: nothing is asked of the page.
    let checks = lab.presses("check");
    for to in ["24.2.1", "24.1.9"] {
        let left = lab.call(&["--to", to, "--yes"]);
        assert_eq!((left.code, left.stdout.as_str()), (Some(0), "appliance `lab` runs 24.2.1: nothing to do\n"), "{left:?}");
    }
    assert_eq!((lab.presses("check"), lab.presses("update")), (checks, 1));
}

/// BG-10: a list presses the vendor's check, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_a_list_presses_nothing_else() {
    for (lab, waits) in [
        (Lab::new(&["24.1.9", "24.2.1:24.1.9"]).await, "available after 24.1.9"),
        (Lab::german(&["24.1.9", "24.2.1:24.1.9"]).await, "verfügbar nach 24.1.9"),
    ] {
        let left = lab.call(&["--list", "--json"]);
        assert_eq!(left.code, Some(0), "{left:?}");
        let offers = json!([
            { "name": "Support 24.1.9 (1.3 GB)", "version": "24.1.9", "waits_for": null },
            { "name": "Support 24.2.1 (1.3 GB)", "version": "24.2.1", "waits_for": waits },
        ]);
        assert_eq!(left.json()["offers"], offers);
        let left = lab.call(&["--list"]);
        assert!(left.stdout.contains("24.1.9   Support 24.1.9 (1.3 GB)") || left.stdout.contains("24.1.9  Support"), "{left:?}");
        assert_eq!((lab.presses("check"), lab.presses("update"), lab.backups().len()), (2, 0, 0));
    }
    let none = Lab::new(&["24.1.1"]).await;
    assert!(none.call(&["--list"]).stdout.contains("nothing is offered"));
}

/// A question on the way is confirmed once, and the package is installed once.
#[tokio::test(flavor = "multi_thread")]
async fn bg_10_a_question_in_between_is_confirmed() {
    let lab = Lab::new(&["24.2.1"]).await;
    lab.plan(changeover::simulator::faults::Fault::PageConfirms, "update");
    let left = lab.call(&TO);
    assert_eq!((left.code, lab.updates(), lab.presses("update")), (Some(0), vec!["24.2.1".to_owned()], 1), "{left:?}");
}
