//! SIGKILL at two points for each record of both procedures: just after it is durable, and just before it would be, when the
//! act before it has happened. The resumed run ends as the undisturbed one, and nothing was done twice that may not be.

use crate::vendor::{Vendor, at_rest};

/// Run time goes this much faster: a whole run then takes some seconds.
const SPEED: u32 = 3000;

/// Records of an undisturbed run; the tests below are made for these numbers.
const IN_PLACE: u64 = 0;
const ROLE_SWAP: u64 = 0;

async fn undisturbed(procedure: &str) -> u64 {
    let mut vendor = Vendor::start(false, SPEED).await;
    vendor.daemon.start(None);
    let run = vendor.start_run(procedure);
    let status = vendor.accompany(&run, at_rest).unwrap();
    assert_eq!(status["outcome"], "succeeded", "{status}\n{}", vendor.daemon.log());
    status["seq"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_records_is_complete() {
    assert_eq!((undisturbed("in-place").await, undisturbed("role-swap").await), (IN_PLACE, ROLE_SWAP));
}

async fn killed(procedure: &str, when: &str, n: u64) {
    let mut vendor = Vendor::start(false, SPEED).await;
    vendor.daemon.start(Some(&format!("{when}:{n}")));
    let package = vendor.daemon.folder.join("base.nss");
    // With the first record the daemon dies under the start itself.
    let start = [
        "start",
        "support",
        "--to",
        "24.2.1",
        "--package",
        package.to_str().unwrap(),
        "--procedure",
        procedure,
        "--first",
        "now +30d",
        "--second",
        "now +30d",
        "--json",
    ];
    let _ = vendor.daemon.cli(&start);
    let run = "support-1";
    let ended = if n == 1 { None } else { vendor.accompany(run, |status| status["phase"] == "finished") };
    assert!(ended.is_none(), "the daemon was not killed at {when}:{n}: {ended:?}\n{}", vendor.daemon.log());
    vendor.daemon.kill();
    vendor.daemon.start(None);
    if vendor.daemon.status(run).is_none() {
        assert_eq!((when, n), ("before", 1), "the run is gone");
        vendor.daemon.json(&start[..start.len() - 1]);
    }
    let status = vendor.accompany(run, at_rest).unwrap();
    assert_eq!(status["outcome"], "succeeded", "{when}:{n}: {status}\n{}", vendor.daemon.log());
    let truth = vendor.truth();
    let serving = if procedure == "in-place" { "a" } else { "b" };
    assert_eq!(truth.serving.map(|node| node.to_string()).as_deref(), Some(serving));
    assert_eq!((truth.nodes.a.updates.len(), truth.nodes.b.updates.len()), (1, 1));
    assert!(truth.linked && truth.broken_promises.is_empty(), "{:?}", truth.broken_promises);
    assert_eq!(truth.sessions.gone, 0);
    assert_eq!(status["resumed"], u64::from(n > 1 || when == "after"), "{status}");
}
