//! Each act × each way in which the pages can be odd: done once, left to a person, or in doubt; never pressed twice.

use std::path::PathBuf;

use changeover::domain::ids::NodeId;
use changeover::domain::labels::{Label, Labels};
use changeover::ports::{ActAnswer, Appliance as _, NodeAct, Recall};
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::server::generation::Generation;

use super::{Pages, intent};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Pressed once, taken by the world.
    Taken,
    /// Nothing was pressed; the instruction says what the page showed.
    Person(&'static str),
    /// Pressed once, in doubt, and taken by the world or not.
    Doubt { taken: usize },
}

/// An act, the node on which it is done, the world's word for it, and whether it needs a linked pair.
fn acts() -> [(NodeAct, NodeId, &'static str, bool); 4] {
    let (a, b) = (NodeId::A, NodeId::B);
    let update = NodeAct::Update { package: PathBuf::new(), sha256: String::new(), target: "24.2.1".parse().unwrap() };
    [
        (NodeAct::ForceSync { from: a, to: b }, b, "sync-now", true),
        (NodeAct::BreakFailover, a, "break", true),
        (NodeAct::EstablishFailover { primary: a, standby: b }, a, "establish", false),
        (update, b, "update", false),
    ]
}

/// A fault, whether it strikes the act itself (else any page), and how it ends.
const ODDITIES: [(Fault, bool, End); 13] = [
    (Fault::PageConfirms, true, End::Taken),
    (Fault::PageMaintenance, false, End::Person("a maintenance page")),
    (Fault::PageSingleSignOn, false, End::Person("another host, `sso.example.net`")),
    (Fault::PageSecondFactor, false, End::Person("a second factor")),
    (Fault::PageSessionLost, false, End::Person("the login page")),
    (Fault::PageNoButton, true, End::Person("no button `")),
    (Fault::PageLabelChanged, true, End::Person("no button `")),
    (Fault::PageSessionLost, true, End::Doubt { taken: 0 }),
    (Fault::PageErrorText, true, End::Doubt { taken: 0 }),
    (Fault::PageAnswerLost, true, End::Doubt { taken: 1 }),
    (Fault::PageGone, true, End::Doubt { taken: 1 }),
    (Fault::PageDenied, true, End::Doubt { taken: 0 }),
    (Fault::PageUnavailable, true, End::Doubt { taken: 0 }),
];

async fn stage(linked: bool, german: bool) -> Pages {
    Pages::with(|options| {
        if german {
            Pages::german(options);
        }
        if !linked {
            options.world.primary = None;
        }
    })
    .await
}

/// The act with a package that is there.
fn with_package(pages: &Pages, act: NodeAct) -> NodeAct {
    if matches!(act, NodeAct::Update { .. }) { pages.package(300_000) } else { act }
}

/// An update has two buttons; what is odd about the second is not left to a person any more.
fn first_button(fault: Fault, act: &NodeAct) -> &'static str {
    let absent = matches!(fault, Fault::PageNoButton | Fault::PageLabelChanged);
    if absent && matches!(act, NodeAct::Update { .. }) { "upload" } else { act.verb() }
}

fn check(answer: &ActAnswer, end: End, case: &str) {
    match (end, answer) {
        (End::Taken, ActAnswer::Accepted { .. }) | (End::Doubt { .. }, ActAnswer::Ambiguous { .. }) => {}
        (End::Person(says), ActAnswer::ByOperator { instructions }) => {
            let last = instructions.last().unwrap();
            assert!(last.contains("gave up: ") && last.contains(says), "{case}: `{says}` is missing in {last}");
            assert!(
                instructions.len() > 4 && instructions.iter().any(|line| line.starts_with("Open ")),
                "{case}: {instructions:?}"
            );
        }
        _ => panic!("{case}: expected {end:?}, found {answer:?}"),
    }
}

/// BG-11, BG-21: in both languages each act is done by pressing one button once.
#[tokio::test(flavor = "multi_thread")]
async fn bg_11_every_act_is_done_once_in_english_and_german() {
    for german in [false, true] {
        for (act, node, what, linked) in acts() {
            let pages = stage(linked, german).await;
            let act = with_package(&pages, act);
            let answer = pages.act(node, &act).await;
            check(&answer, End::Taken, &format!("{what}, german: {german}"));
            assert_eq!((pages.presses(node, act.verb()), pages.taken(what)), (1, 1), "{what}, german: {german}");
            assert_eq!(pages.driver(node).recall(&intent(node, &act, 1)).await, Recall::MayBeSent, "{what}");
            assert_eq!(pages.driver(node).recall(&intent(node, &act, 2)).await, Recall::NeverSent, "{what}");
        }
    }
}

/// Each generation's interface says who the box is before a button is pressed: the acts are done at all of them, in one language or
/// the other.
#[tokio::test(flavor = "multi_thread")]
async fn bg_52_every_act_is_done_once_in_every_generation() {
    for (at, generation) in Generation::ALL.into_iter().enumerate() {
        let stage = async |linked: bool| {
            Pages::between(generation.example(), "27.1.1", |options| {
                if at % 2 == 1 {
                    Pages::german(options);
                }
                if !linked {
                    options.world.primary = None;
                }
            })
            .await
        };
        for (act, node, what, linked) in acts() {
            let pages = stage(linked).await;
            let act = with_package(&pages, act);
            let answer = pages.act(node, &act).await;
            check(&answer, End::Taken, &format!("{what}, {generation}"));
            assert_eq!((pages.presses(node, act.verb()), pages.taken(what)), (1, 1), "{what}, {generation}");
        }
    }
}

/// Every surprise: a person, or a doubt once the button was pressed.
#[tokio::test(flavor = "multi_thread")]
async fn bg_11_every_surprise_is_left_to_a_person_or_in_doubt() {
    for (fault, of_act, end) in ODDITIES {
        for (act, node, what, linked) in acts() {
            let pages = stage(linked, false).await;
            let act = with_package(&pages, act);
            let case = format!("{what}, {fault}");
            // BG-21: where the standby's page has no button the primary's is used, so both lack it here.
            for node in NodeId::BOTH {
                if of_act {
                    pages.plan(fault, node, first_button(fault, &act));
                } else {
                    pages.simulator.current().plan_fault(Planned::for_ever(fault).on(node));
                }
            }
            let answer = pages.act(node, &act).await;
            check(&answer, end, &case);
            let taken = match end {
                End::Taken => 1,
                End::Person(_) => 0,
                End::Doubt { taken } => taken,
            };
            let presses = pages.presses(NodeId::A, act.verb()) + pages.presses(NodeId::B, act.verb());
            assert_eq!((presses, pages.taken(what)), (u64::from(!matches!(end, End::Person(_))), taken), "{case}");
        }
    }
}

/// BG-21: from the standby's side; where its page has no such button, from the primary's, after reading that box's GUID.
#[tokio::test(flavor = "multi_thread")]
async fn bg_21_without_the_button_on_the_standby_the_primary_s_is_pressed() {
    let pages = Pages::linked().await;
    let act = NodeAct::ForceSync { from: NodeId::A, to: NodeId::B };
    pages.plan(Fault::PageNoButton, NodeId::B, "force_sync");
    assert_eq!(pages.act(NodeId::B, &act).await, ActAnswer::accepted());
    assert_eq!((pages.presses(NodeId::A, "force_sync"), pages.presses(NodeId::B, "force_sync")), (1, 0));
    assert_eq!(pages.taken("sync-now"), 1);
}

/// A password that was refused is not tried a second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once() {
    let mut pages = Pages::linked().await;
    pages.password = "another password";
    let driver = pages.driver(NodeId::A);
    let act = NodeAct::BreakFailover;
    for says in ["was not let in at /login", "the last login was not let in"] {
        let answer = driver.act(&intent(NodeId::A, &act, 1), &act).await;
        check(&answer, End::Person(says), says);
        assert!(!format!("{answer:?}").contains("another password"));
        assert_eq!(pages.presses(NodeId::A, "login"), 1, "{says}");
    }
    assert_eq!(pages.taken("break"), 0);
}

/// A refusal is one in whatever form it comes, and told with what came.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_refused_by_no_page_is_tried_once() {
    let (pages, act) = (Pages::linked().await, NodeAct::BreakFailover);
    pages.simulator.current().plan_fault(Planned::once(Fault::PageDenied).on(NodeId::A).act("login"));
    let driver = pages.driver(NodeId::A);
    for says in ["user `admin` was not let in at /login (403 Forbidden and no page: `not now`)", "the last login was not let in"]
    {
        check(&driver.act(&intent(NodeId::A, &act, 1), &act).await, End::Person(says), says);
    }
    assert_eq!((pages.presses(NodeId::A, "login"), pages.taken("break")), (1, 0));
}

/// A login whose answer was lost, as by a box that falls silent, may have been refused: it is tried once more, and no third time.
#[tokio::test(flavor = "multi_thread")]
async fn an_unanswered_login_is_tried_once_more() {
    let pages = Pages::linked().await;
    let (driver, act) = (pages.driver(NodeId::A), NodeAct::BreakFailover);
    pages.simulator.current().plan_fault(Planned::once(Fault::PageAnswerLost).on(NodeId::A).act("login"));
    assert!(matches!(driver.act(&intent(NodeId::A, &act, 1), &act).await, ActAnswer::Transient { .. }));
    assert_eq!(driver.act(&intent(NodeId::A, &act, 1), &act).await, ActAnswer::accepted());
    assert_eq!((pages.presses(NodeId::A, "login"), pages.taken("break")), (2, 1));

    for fault in [Fault::PageAnswerLost, Fault::PageGone] {
        let (pages, act) = (Pages::linked().await, NodeAct::ForceSync { from: NodeId::A, to: NodeId::B });
        let driver = pages.driver(NodeId::B);
        pages.simulator.current().plan_fault(Planned::for_ever(fault).on(NodeId::B).act("login"));
        for _ in 0..2 {
            let answer = driver.act(&intent(NodeId::B, &act, 1), &act).await;
            assert!(matches!(answer, ActAnswer::Transient { .. }), "{fault}: {answer:?}");
            pages.answers_again(NodeId::B);
        }
        for _ in 0..2 {
            let answer = driver.act(&intent(NodeId::B, &act, 1), &act).await;
            check(&answer, End::Person("the last 2 logins were left unanswered"), &format!("{fault}, a third"));
        }
        assert_eq!((pages.presses(NodeId::B, "login"), pages.taken("sync-now")), (2, 0), "{fault}");
    }
}

/// A box that starts, or what stands before it, judges no password: it is tried as often as the act is.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_nobody_is_there_to_judge_does_not_count() {
    let (pages, act) = (Pages::linked().await, NodeAct::BreakFailover);
    let driver = pages.driver(NodeId::A);
    let unavailable = Planned::for_ever(Fault::PageUnavailable).on(NodeId::A).act("login");
    pages.simulator.current().plan_fault(unavailable.clone());
    for _ in 0..3 {
        assert!(matches!(driver.act(&intent(NodeId::A, &act, 1), &act).await, ActAnswer::Transient { .. }));
    }
    pages.simulator.current().plan_fault(Planned { times: Some(0), ..unavailable });
    assert_eq!(driver.act(&intent(NodeId::A, &act, 1), &act).await, ActAnswer::accepted());
    assert_eq!(pages.taken("break"), 1);
}

/// R13: at another box nothing is pressed, not even the login's button; a silent one is tried again later.
#[tokio::test(flavor = "multi_thread")]
async fn r13_nothing_is_pressed_at_another_box_or_a_silent_one() {
    for (fault, says) in [(Fault::WrongBox, "Refused"), (Fault::NodeSilent, "Transient"), (Fault::LoginRefused, "Refused")] {
        for (act, node, what, linked) in acts() {
            let pages = stage(linked, false).await;
            let act = with_package(&pages, act);
            pages.simulator.current().plan_fault(Planned::for_ever(fault).on(node));
            let answer = format!("{:?}", pages.act(node, &act).await);
            assert!(answer.starts_with(says), "{what}, {fault}: {answer}");
            assert!(NodeId::BOTH.into_iter().all(|node| pages.simulator.presses(node).is_empty()), "{what}, {fault}");
            assert_eq!(pages.taken(what), 0, "{what}, {fault}");
        }
    }
}

/// A site's own words stand instead of the table's.
#[tokio::test(flavor = "multi_thread")]
async fn words_of_the_site_find_what_the_table_s_do_not() {
    let mut pages = Pages::linked().await;
    pages.plan(Fault::PageLabelChanged, NodeId::A, "break_failover");
    check(&pages.act(NodeId::A, &NodeAct::BreakFailover).await, End::Person("no button"), "without");
    let mut labels = Labels::default();
    labels.set(Label::BreakFailover, "break failover relationship(s)  2.0:".to_owned());
    pages.labels = labels;
    assert_eq!(pages.act(NodeId::A, &NodeAct::BreakFailover).await, ActAnswer::accepted());
    assert_eq!(pages.taken("break"), 1);
}

/// What has no page stays with a person, and says nothing of pages.
#[tokio::test(flavor = "multi_thread")]
async fn closing_and_opening_stay_with_a_person() {
    let pages = Pages::linked().await;
    for act in [NodeAct::Quiesce, NodeAct::Reopen] {
        let ActAnswer::ByOperator { instructions } = pages.act(NodeId::A, &act).await else { panic!("{}", act.verb()) };
        assert!(!instructions.concat().contains("gave up"), "{instructions:?}");
    }
    assert!(pages.simulator.presses(NodeId::A).is_empty());
}
