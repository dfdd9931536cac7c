//! Whole runs whose update crosses a border between generations, through the real daemon over HTTPS and DNS.

use crate::vendor::{Vendor, at_rest};

/// BG-51, BG-52: namespace and session ids change; the old login stays.
#[tokio::test(flavor = "multi_thread")]
async fn bg_51_role_swap_from_10_4_to_10_6() {
    whole("role-swap", "10.4.2", "10.6.1").await;
}

/// API accounts come; the user's name and password go on being taken.
#[tokio::test(flavor = "multi_thread")]
async fn in_place_from_15_to_16_1() {
    whole("in-place", "15.2.3", "16.1.1").await;
}

/// The JSON edition comes, at first on one node only, and the namespace changes.
#[tokio::test(flavor = "multi_thread")]
async fn bg_52_role_swap_from_25_to_26() {
    whole("role-swap", "25.1.1", "26.1.1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bg_52_in_place_from_25_to_26() {
    whole("in-place", "25.1.1", "26.1.1").await;
}

async fn whole(procedure: &str, from: &str, to: &str) {
    let mut vendor = Vendor::between(false, 600, from, to).await;
    vendor.daemon.start(None);
    let run = vendor.start_run_to(to, procedure);
    let status = vendor.accompany(&run, at_rest).unwrap();
    assert_eq!(status["outcome"], "succeeded", "{status}\n{}", vendor.daemon.log());
    let truth = vendor.truth();
    assert!(truth.linked && truth.broken_promises.is_empty(), "{:?}", truth.broken_promises);
    assert_eq!((truth.nodes.a.version.as_str(), truth.nodes.b.version.as_str()), (to, to));
    // Before 10.6 the next sync overwrites what only the other node had (BG-50): then it was extracted before.
    let lost: Vec<_> = truth.sessions.records.iter().filter(|record| record.on.is_empty() && !record.handed_out).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(vendor.daemon.terminate(), Some(0));
}
