//! BG-02: the sessions under way are ended over the command API, one by one, and only those.

use changeover::drivers::appliance::beyondtrust::{Product, Settings};
use changeover::ports::{ActAnswer, Appliance as _, NodeAct};

use super::server::{FakeBox, Reply, health};
use super::{B, driver, intent, settings, with};

const STEP: &str = "window-1.drain.a";
const OPEN: &str = "0123456789abcdef0123456789abcdef";
const CUT_SHORT: &str = "fedcba9876543210fedcba9876543210";
const CLOSED: &str = "c69a8e10bea9428f816cfababe9815fe";

fn listing() -> String {
    format!(
        "<session_summary_list><session_summary lsid=\"{OPEN}\"><end_time timestamp=\"\"/></session_summary>\
         <session_summary lsid=\"{CLOSED}\"><end_time timestamp=\"1795309323\">x</end_time></session_summary>\
         <session_summary lsid=\"{CUT_SHORT}\"/></session_summary_list>"
    )
}

async fn busy() -> FakeBox {
    let server = FakeBox::start().await;
    server.answer("SupportSessionListing:start_time", Reply::xml(listing()));
    server.answer("terminate_session", Reply::xml("<success>Successfully terminated</success>"));
    server
}

#[tokio::test]
async fn bg_02_each_session_without_an_end_is_ended() {
    let server = busy().await;
    let answer = driver(&server).act(&intent(STEP), &NodeAct::EndSessions).await;
    assert_eq!(answer, ActAnswer::accepted());
    for (lsid, times) in [(OPEN, 1), (CUT_SHORT, 1), (CLOSED, 0)] {
        assert_eq!(server.count(&format!("lsid={lsid}")), times, "{lsid}");
    }
}

/// The two products call their listings differently, and neither knows the other's name. The order itself is a form.
#[tokio::test]
async fn bg_02_each_product_is_asked_by_its_own_names() {
    for (product, name) in
        [(Product::RemoteSupport, "SupportSessionListing"), (Product::PrivilegedRemoteAccess, "AccessSessionListing")]
    {
        let server = FakeBox::start().await;
        server.answer(&format!("{name}:start_time"), Reply::xml(listing()));
        server.answer("terminate_session", Reply::xml("<success>Successfully terminated</success>"));
        let driver = with(Settings { product, ..settings(&server) });
        assert_eq!(driver.act(&intent(STEP), &NodeAct::EndSessions).await, ActAnswer::accepted(), "{name}");
        assert_eq!(server.count("SessionListing"), server.count(name), "{name}");
        let orders: Vec<_> = server.asked().into_iter().filter(|asked| asked.body.contains("terminate_session")).collect();
        assert_eq!(orders.len(), 2, "{name}");
        for order in orders {
            assert_eq!(order.line, "POST /api/command", "the order stands in the body, not in the URL");
            assert!(order.head.contains("content-type: application/x-www-form-urlencoded"), "{}", order.head);
        }
    }
}

/// One that has ended meanwhile answers an error; whether any is left the readings show.
#[tokio::test]
async fn bg_02_a_session_that_is_gone_is_no_failure() {
    let server = busy().await;
    server.answer("terminate_session", Reply::xml("<error>Unable to terminate: no such session.</error>"));
    assert_eq!(driver(&server).act(&intent(STEP), &NodeAct::EndSessions).await, ActAnswer::accepted());
    let none = FakeBox::start().await;
    none.answer(
        "SupportSessionListing:start_time",
        Reply::xml("<error>No sessions found for the given search criteria.</error>"),
    );
    assert_eq!(driver(&none).act(&intent(STEP), &NodeAct::EndSessions).await, ActAnswer::accepted());
    assert_eq!(none.count("terminate_session"), 0);
}

/// Without the administrator's right, of another box (R13), or without a listing, nothing is ended and the run is told so.
#[tokio::test]
async fn bg_02_what_may_not_be_ended_is_refused() {
    let denied = Reply::xml("<error>Permission denied.</error>");
    for (key, reply) in [
        ("terminate_session", denied.clone()),
        ("SupportSessionListing:start_time", denied),
        ("SupportSessionListing:start_time", Reply::xml("<html/>")),
        ("check_health", Reply::xml(health(B, "primary"))),
    ] {
        let server = busy().await;
        server.answer(key, reply);
        let answer = driver(&server).act(&intent(STEP), &NodeAct::EndSessions).await;
        assert!(matches!(answer, ActAnswer::Refused { .. }), "{key}: {answer:?}");
        assert!(key == "terminate_session" || server.count("terminate_session") == 0, "{key}");
    }
}
