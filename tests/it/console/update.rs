//! The package: streamed whole, sent once, never a wrong one; and what a restart makes of an upload that was under way.

use changeover::domain::ids::NodeId;
use changeover::ports::{ActAnswer, Appliance as _, NodeAct, Recall};
use changeover::simulator::faults::{Fault, Planned};

use super::{Pages, intent};

const B: NodeId = NodeId::B;

fn sha256(act: &NodeAct) -> &str {
    match act {
        NodeAct::Update { sha256, .. } => sha256,
        _ => panic!("no update"),
    }
}

fn once(pages: &Pages, fault: Fault, verb: &str) {
    pages.simulator.current().plan_fault(Planned::once(fault).on(B).act(verb));
}

/// BG-11: what arrives is the package, byte for byte, whatever its length is to the pieces' length.
#[tokio::test(flavor = "multi_thread")]
async fn bg_11_the_package_arrives_whole() {
    for bytes in [1, 1000, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 3 << 20] {
        let pages = Pages::unlinked().await;
        let act = pages.package(bytes);
        assert_eq!(pages.act(B, &act).await, ActAnswer::accepted(), "{bytes}");
        let expected = ("base.nss".to_owned(), bytes as u64, sha256(&act).to_owned());
        assert_eq!(pages.simulator.received(B), Some(expected));
        assert_eq!((pages.presses(B, "upload"), pages.presses(B, "update"), pages.taken("update")), (1, 1, 1));
    }
}

/// A file that is not the planned one never arrives: its last piece stays here.
#[tokio::test(flavor = "multi_thread")]
async fn r5_another_file_than_planned_is_not_uploaded() {
    let pages = Pages::unlinked().await;
    for bytes in [10, 3 << 20] {
        let NodeAct::Update { package, target, .. } = pages.package(bytes) else { panic!("no update") };
        let act = NodeAct::Update { package, sha256: "ab".repeat(32), target };
        let answer = pages.act(B, &act).await;
        assert!(matches!(&answer, ActAnswer::Refused { message } if message.contains("planned was abab")), "{answer:?}");
        assert_eq!((pages.simulator.received(B), pages.taken("update")), (None, 0));
    }
    let gone = NodeAct::Update { package: "/nowhere/base.nss".into(), sha256: String::new(), target: "24.2.1".parse().unwrap() };
    assert!(matches!(pages.act(B, &gone).await, ActAnswer::Refused { .. }));
}

/// A connection that is cut on the way has done nothing: the act never arrived, and the next attempt sends the package again.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cut_has_done_nothing() {
    let pages = Pages::unlinked().await;
    once(&pages, Fault::PageUploadCut, "update");
    let act = pages.package(20 << 20);
    let answer = pages.act(B, &act).await;
    assert!(matches!(answer, ActAnswer::Transient { .. }), "{answer:?}");
    assert_eq!((pages.simulator.received(B), pages.taken("update")), (None, 0));
    assert_eq!(pages.driver(B).recall(&intent(B, &act, 1)).await, Recall::NeverSent);
    assert_eq!(pages.driver(B).act(&intent(B, &act, 2), &act).await, ActAnswer::accepted());
    assert_eq!((pages.presses(B, "upload"), pages.taken("update")), (2, 1));
}

/// An upload that arrived is not sent again, though its answer was lost or the session with it.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_arrived_is_not_sent_again() {
    for fault in [Fault::PageAnswerLost, Fault::PageSessionLost] {
        let pages = Pages::unlinked().await;
        once(&pages, fault, "upload");
        let act = pages.package(1 << 20);
        assert_eq!(pages.act(B, &act).await, ActAnswer::accepted(), "{fault}");
        assert_eq!((pages.presses(B, "upload"), pages.presses(B, "update"), pages.taken("update")), (1, 1, 1), "{fault}");
    }
}

/// The upload was refused in words: nobody knows what became of it, and it is not sent again.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_answered_with_an_error_is_in_doubt() {
    let pages = Pages::unlinked().await;
    once(&pages, Fault::PageErrorText, "upload");
    let answer = pages.act(B, &pages.package(1000)).await;
    assert!(matches!(&answer, ActAnswer::Ambiguous { message } if message.contains("nothing of it")), "{answer:?}");
    assert_eq!((pages.presses(B, "upload"), pages.taken("update")), (1, 0));
}

/// The package arrived, and its page has no button that is known: nothing is pressed, and nobody claims to know.
#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_package_without_its_button_is_in_doubt() {
    for fault in [Fault::PageNoButton, Fault::PageLabelChanged] {
        let pages = Pages::unlinked().await;
        pages.plan(fault, B, "update");
        let answer = pages.act(B, &pages.package(1000)).await;
        assert!(matches!(&answer, ActAnswer::Ambiguous { message } if message.contains("was uploaded")), "{answer:?}");
        assert_eq!((pages.presses(B, "upload"), pages.presses(B, "update")), (1, 0));
    }
}

/// After a crash between upload and press: the page shows the package, so the act goes on from there.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_an_uploaded_package_is_only_installed() {
    let pages = Pages::unlinked().await;
    let act = pages.package(1000);
    // As a crash leaves it: the package is there, the button was never pressed.
    once(&pages, Fault::PageNoButton, "update");
    let answer = pages.act(B, &act).await;
    assert!(!matches!(answer, ActAnswer::Accepted { .. }), "{answer:?}");
    let stage = std::fs::read_to_string(pages.trace(B, &act)).unwrap();
    assert!(stage.contains("uploaded"), "{stage}");
    assert_eq!(pages.driver(B).recall(&intent(B, &act, 1)).await, Recall::NeverSent);
    assert_eq!(pages.act(B, &act).await, ActAnswer::accepted());
    assert_eq!((pages.presses(B, "upload"), pages.presses(B, "update"), pages.taken("update")), (1, 1, 1));
}

/// A package of that name which this run did not send is not installed.
#[tokio::test(flavor = "multi_thread")]
async fn a_package_of_somebody_else_is_left_alone() {
    let pages = Pages::unlinked().await;
    let act = pages.package(1000);
    once(&pages, Fault::PageNoButton, "update");
    let _ = pages.act(B, &act).await;
    std::fs::remove_file(pages.trace(B, &act)).unwrap();
    let ActAnswer::ByOperator { instructions } = pages.act(B, &act).await else { panic!("not left to a person") };
    assert!(instructions.last().unwrap().contains("did not upload"), "{instructions:?}");
    assert_eq!((pages.presses(B, "upload"), pages.taken("update")), (1, 0));
}

/// R5: the upload broke off, and then somebody uploaded another file of that name: its hash is not known, so it is not installed.
#[tokio::test(flavor = "multi_thread")]
async fn r5_what_this_run_never_sent_whole_is_not_installed() {
    let pages = Pages::unlinked().await;
    let act = pages.package(20 << 20);
    once(&pages, Fault::PageUploadCut, "update");
    let answer = pages.act(B, &act).await;
    assert!(matches!(answer, ActAnswer::Transient { .. }), "{answer:?}");
    let stage = std::fs::read_to_string(pages.trace(B, &act)).unwrap();
    assert!(stage.contains("uploading"), "{stage}");
    // The other file comes by another run's hands, which leave off before the button.
    once(&pages, Fault::PageNoButton, "update");
    let other = pages.other_run(B, &pages.package(1000)).await;
    assert!(!matches!(other, ActAnswer::Accepted { .. }), "{other:?}");
    assert_eq!(pages.simulator.received(B).map(|(_, bytes, _)| bytes), Some(1000));
    let ActAnswer::ByOperator { instructions } = pages.act(B, &act).await else { panic!("not left to a person") };
    assert!(instructions.last().unwrap().contains("did not upload whole"), "{instructions:?}");
    assert_eq!((pages.presses(B, "update"), pages.taken("update")), (0, 0));
}

/// A box, or what stands before it, that answers before it has the package has nothing: a person is told, and nobody doubts.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_refused_on_the_way_has_done_nothing() {
    let pages = Pages::unlinked().await;
    once(&pages, Fault::PageUploadRefused, "update");
    let act = pages.package(40 << 20);
    let answer = pages.act(B, &act).await;
    let ActAnswer::ByOperator { instructions } = &answer else { panic!("{answer:?}") };
    let last = instructions.last().unwrap();
    assert!(last.contains("413") && last.contains("nothing was uploaded"), "{last}");
    let stage = std::fs::read_to_string(pages.trace(B, &act)).unwrap();
    assert!(stage.contains("uploading"), "{stage}");
    assert_eq!(pages.driver(B).recall(&intent(B, &act, 1)).await, Recall::NeverSent);
    assert_eq!((pages.simulator.received(B), pages.taken("update")), (None, 0));
    // At once: nothing of the first attempt is still at work on the trace.
    assert_eq!(pages.driver(B).act(&intent(B, &act, 2), &act).await, ActAnswer::accepted());
    assert_eq!((pages.presses(B, "upload"), pages.taken("update")), (2, 1));
}

/// A trace that can't be read leaves a doubt; one that can't be written stops the act.
#[tokio::test(flavor = "multi_thread")]
async fn r14_without_a_trace_nothing_is_pressed() {
    let pages = Pages::linked().await;
    let act = NodeAct::BreakFailover;
    let trace = pages.trace(NodeId::A, &act);
    std::fs::create_dir_all(trace.parent().unwrap()).unwrap();
    std::fs::write(&trace, "{").unwrap();
    assert_eq!(pages.driver(NodeId::A).recall(&intent(NodeId::A, &act, 1)).await, Recall::MayBeSent);
    std::fs::remove_dir_all(trace.parent().unwrap()).unwrap();
    std::fs::write(trace.parent().unwrap(), "in the way").unwrap();
    let answer = pages.act(NodeId::A, &act).await;
    assert!(matches!(&answer, ActAnswer::Refused { message } if message.contains("can't be written")), "{answer:?}");
    assert_eq!((pages.presses(NodeId::A, "break_failover"), pages.taken("break")), (0, 0));
}
