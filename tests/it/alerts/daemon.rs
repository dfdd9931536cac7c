//! Alerts that wait in the store when the daemon comes up.

use std::time::Instant;

use changeover::drivers::store::{Options, Store};
use changeover::ports::{Journal as _, OutboxItem};
use serde_json::Value;

use super::{item, second};
use crate::daemon::{Daemon, PATIENCE};
use crate::untouched::{records, site};

/// The hooks of the alerts that the run's journal says were given up, sorted.
fn given_up(daemon: &mut Daemon) -> Vec<String> {
    let journal = daemon.json(&["journal", "show", "support-1"]);
    let records = journal["records"].as_array().unwrap().iter().filter(|record| record["event"] == "undelivered");
    let mut hooks: Vec<String> = records.map(|record| record["data"]["hook"].as_str().unwrap().to_owned()).collect();
    hooks.sort();
    hooks
}

/// One hook was taken out of the configuration, one fails for the last time right at the start: both are in the run's journal.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_right_at_the_start_is_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let hook = "[[alerts.program]]\nname = \"ops\"\nprogram = [\"/bin/false\"]\n";
    let mut daemon = Daemon::new(folder.path(), &site("support"), hook, None);
    let waiting = |hook: &str, number| OutboxItem {
        id: format!("support-1/{number}/held"),
        run: "support-1".parse().unwrap(),
        attempts: 76,
        next_at: second(0),
        ..item(hook, number)
    };
    let store = Store::open(&folder.path().join("state"), &Options::default()).unwrap().store;
    store.append(records("support-1", None), vec![waiting("pager", 2), waiting("ops", 3)], true).await.unwrap();
    drop(store);
    daemon.start(None);
    let until = Instant::now() + PATIENCE;
    while given_up(&mut daemon) != ["ops", "pager"] {
        assert!(Instant::now() < until, "{:?}\n{}", given_up(&mut daemon), daemon.log());
        daemon.listen();
    }
    let verified: Value = daemon.json(&["journal", "verify", "support-1"]);
    assert!(verified.is_object(), "{verified}");
    assert_eq!(daemon.terminate(), Some(0));
}
