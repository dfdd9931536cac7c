//! SIGKILL at two points for each record of both procedures: just after it is durable, and just before it would be, when the
//! act before it has happened. The resumed run ends as the undisturbed one, and nothing was done twice that may not be.

use crate::vendor::{Vendor, at_rest};

/// Run time goes this much faster: a whole run then takes some seconds.
const SPEED: u32 = 3000;

/// Two tests for each record of a procedure, and the number of records that they are made for.
macro_rules! records {
    ($module:ident, $procedure:literal, $($record:ident)*) => {
        mod $module {
            pub const COUNT: usize = [$(stringify!($record)),*].len();
            $(mod $record {
                const NUMBER: &str = stringify!($record);

                #[tokio::test(flavor = "multi_thread")]
                async fn before() {
                    crate::kill::killed($procedure, "before", NUMBER).await;
                }

                #[tokio::test(flavor = "multi_thread")]
                async fn after() {
                    crate::kill::killed($procedure, "after", NUMBER).await;
                }
            })*
        }
    };
}

records!(in_place, "in-place", r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11 r12 r13 r14 r15 r16 r17 r18 r19 r20 r21 r22 r23 r24 r25 r26 r27 r28 r29 r30 r31 r32 r33 r34 r35 r36 r37 r38 r39 r40 r41 r42 r43 r44 r45 r46 r47 r48 r49 r50 r51 r52 r53 r54 r55 r56 r57 r58 r59 r60 r61 r62 r63 r64 r65 r66 r67);
records!(role_swap, "role-swap", r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11 r12 r13 r14 r15 r16 r17 r18 r19 r20 r21 r22 r23 r24 r25 r26 r27 r28 r29 r30 r31 r32 r33 r34 r35 r36 r37 r38 r39 r40 r41 r42 r43 r44 r45 r46 r47 r48 r49 r50 r51 r52 r53 r54 r55 r56 r57 r58 r59 r60 r61 r62 r63 r64 r65 r66 r67 r68 r69 r70 r71 r72 r73 r74);

/// The records of a run that nothing befalls: time, event, step and reason.
async fn undisturbed(procedure: &str) -> Vec<String> {
    let mut vendor = Vendor::start(false, SPEED).await;
    vendor.daemon.start(None);
    let run = vendor.start_run(procedure);
    let status = vendor.accompany(&run, at_rest).unwrap();
    assert_eq!(status["outcome"], "succeeded", "{status}\n{}", vendor.daemon.log());
    let records = vendor.records(&run);
    assert_eq!(status["seq"].as_u64(), Some(records.len() as u64), "{status}");
    records.iter().map(|record| format!("{} {} {} {}", record["at"], record["event"], record["step"], record["reason"])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_records_is_complete() {
    for (procedure, count) in [("in-place", in_place::COUNT), ("role-swap", role_swap::COUNT)] {
        let records = undisturbed(procedure).await;
        assert_eq!(records.len(), count, "{procedure}: {records:#?}");
    }
}

async fn killed(procedure: &str, when: &str, record: &str) {
    let n: u64 = record.trim_start_matches('r').parse().unwrap();
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
    // Before the first record there was no run, after the last it was finished.
    let resumed = (when, n) != ("before", 1) && (when, n) != ("after", status["seq"].as_u64().unwrap());
    assert_eq!(status["resumed"], u64::from(resumed), "{status}");
}

/// SIGKILL after one of the first records of a way home: the order itself, the intent of its first act, what follows.
async fn killed_on_the_way_home(records: u64) {
    let mut vendor = Vendor::start(false, SPEED).await;
    vendor.daemon.start(None);
    let run = vendor.start_run("role-swap");
    let told = |status: &serde_json::Value| {
        status["step"]["id"] == "window-1.update.b" && status["waiting_on"] == "operator" || at_rest(status)
    };
    vendor.accompany(&run, told).unwrap();
    vendor.daemon.kill();
    // The new daemon records that it took the run over, and then the order.
    vendor.daemon.start(None);
    let seq = vendor.daemon.status(&run).unwrap()["seq"].as_u64().unwrap();
    vendor.daemon.kill();
    vendor.daemon.start(Some(&format!("after:{}", seq + 1 + records)));
    let _ = vendor.daemon.cli(&["abort", &run, "--yes"]);
    let ended = vendor.accompany(&run, |status| status["phase"] == "finished");
    assert!(ended.is_none(), "the daemon was not killed: {ended:?}\n{}", vendor.daemon.log());
    vendor.daemon.kill();
    vendor.daemon.start(None);
    let status = vendor.accompany(&run, at_rest).unwrap();
    assert_eq!(status["outcome"], "aborted", "{records}: {status}\n{}", vendor.daemon.log());
    let truth = vendor.truth();
    assert!(truth.linked && truth.broken_promises.is_empty(), "{:?}", truth.broken_promises);
    assert!(truth.nodes.b.updates.is_empty() && !truth.nodes.b.closed, "{:?}", truth.nodes.b);
    assert_eq!((truth.serving, truth.sessions.gone), (Some(changeover::domain::ids::NodeId::A), 0));
}

mod way_home {
    #[tokio::test(flavor = "multi_thread")]
    async fn after_the_order() {
        super::killed_on_the_way_home(1).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn after_the_first_intent() {
        super::killed_on_the_way_home(2).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn after_the_extraction_s_intent() {
        super::killed_on_the_way_home(5).await;
    }
}
