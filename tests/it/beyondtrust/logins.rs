//! How often a box is shown an account that it refuses, and a password that it takes.

use std::sync::{Arc, Mutex};

use changeover::domain::metrics;
use changeover::drivers::appliance::beyondtrust::{Accounts, BeyondTrust, Credentials, Editions, Settings, Share};
use changeover::ports::{Clock, Meter as _, ReadError, Reader as _};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use super::server::{A, FakeBox, Hold, Reply};
use super::{driver, settings, with};

/// Time that the test moves; a wait of the driver ends at once.
#[derive(Clone)]
struct Hand(Arc<Mutex<Timestamp>>);

impl Hand {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Timestamp::now())))
    }

    /// Forth, or back as where an operator or a time server sets it.
    fn pass(&self, minutes: i64) {
        *self.0.lock().unwrap() += SignedDuration::from_mins(minutes);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let mut now = self.0.lock().unwrap();
        *now = at.max(*now);
        Box::pin(std::future::ready(()))
    }
}

/// A driver with two sets.
fn with_sets(server: &FakeBox, clock: &Hand, [first, second]: [Credentials; 2]) -> BeyondTrust {
    let accounts = Arc::new(Accounts::new(Share::default(), Arc::new(clock.clone())));
    let settings = Settings { credentials: first, second: Some(second), accounts, ..settings(server) };
    BeyondTrust::new(settings, Arc::new(clock.clone())).unwrap()
}

/// Looks as often as this; all of them are denied.
async fn denied(driver: &BeyondTrust, looks: u32) {
    for _ in 0..looks {
        let read = driver.observe().await;
        assert!(matches!(read, Err(ReadError::Denied(_))), "{read:?}");
    }
}

/// One more attempt an hour later, and none after that, however often somebody looks.
#[tokio::test]
async fn two_passwords_that_are_refused_are_each_sent_twice_and_no_more() {
    let (server, clock) = (FakeBox::start().await, Hand::new());
    let users = ["anna", "bert"].map(|name| Credentials::user(name, "wrong".into()));
    let driver = with_sets(&server, &clock, users);
    let sent = |name: &str| server.asked().iter().filter(|asked| asked.body.contains(&format!("username={name}&"))).count();
    for (minutes, looks, times) in [(0, 10, 1), (30, 10, 1), (31, 10, 2), (61, 10, 2), (10_000, 10, 2)] {
        clock.pass(minutes);
        denied(&driver, looks).await;
        assert_eq!((sent("anna"), sent("bert")), (times, times), "{minutes}");
    }
    driver.access_may_have_changed(true).await;
    denied(&driver, 10).await;
    assert_eq!((sent("anna"), sent("bert")), (3, 3), "a person's word is worth one more");
}

/// Accounts that get tokens and may do nothing with them.
#[tokio::test]
async fn two_accounts_whose_calls_are_refused_get_two_tokens_each_and_no_more() {
    let (server, clock) = (FakeBox::start().await, Hand::new());
    server.refuse_every_token();
    let accounts = ["first", "second"].map(|id| Credentials::client(id, "secret".into()));
    let driver = with_sets(&server, &clock, accounts);
    for (minutes, tokens) in [(0, 2), (61, 4), (61, 4), (10_000, 4)] {
        clock.pass(minutes);
        denied(&driver, 10).await;
        assert_eq!(server.tokens_given(), tokens, "{minutes}");
    }
}

/// The attempt an hour later is whole: the second set is tried too, and what works is used from then on.
#[tokio::test]
async fn an_hour_later_whichever_set_works_is_used_again() {
    let (server, clock) = (FakeBox::start().await, Hand::new());
    let users = ["anna", "bert"].map(|name| Credentials::user(name, "right".into()));
    let driver = with_sets(&server, &clock, users);
    denied(&driver, 3).await;
    server.take_passwords();
    denied(&driver, 3).await;
    clock.pass(61);
    for _ in 0..3 {
        driver.observe().await.unwrap();
    }
}

/// The clock is set back by days while access is shut: an hour of the clock as it is now is all that is waited for.
#[tokio::test]
async fn after_the_clock_was_set_back_access_is_tried_again_within_an_hour() {
    let (server, clock) = (FakeBox::start().await, Hand::new());
    let users = ["anna", "bert"].map(|name| Credentials::user(name, "right".into()));
    let driver = with_sets(&server, &clock, users);
    denied(&driver, 3).await;
    clock.pass(-3 * 24 * 60);
    denied(&driver, 3).await;
    server.take_passwords();
    clock.pass(61);
    driver.observe().await.unwrap();
}

/// A refusal that comes later than anybody waits for it.
fn late_refusal(server: &FakeBox) -> Hold {
    let (hold, refusal) = (Hold::new(), Reply::Http(401, "application/json", br#"{"error":"invalid_client"}"#.to_vec()));
    server.answer("/oauth2/token", Reply::Late(hold.clone(), Box::new(refusal)));
    hold
}

/// A look that is broken off while the box thinks about a login: the login is not made again by the next look.
#[tokio::test]
async fn a_login_that_is_refused_when_its_caller_has_left_is_not_made_again() {
    let server = FakeBox::start().await;
    let (hold, driver) = (late_refusal(&server), driver(&server));
    tokio::select! {
        read = driver.observe() => panic!("{read:?}"),
        () = hold.asked() => {}
    }
    hold.release();
    denied(&driver, 3).await;
    assert_eq!(server.count("/oauth2/token"), 1);
}

/// The same by the service's name, where a look waits for a few seconds only.
#[tokio::test]
async fn a_login_by_the_services_name_that_is_refused_too_late_is_not_made_again() {
    let server = FakeBox::start().await;
    let (hold, driver) = (late_refusal(&server), driver(&server));
    tokio::select! {
        told = driver.who_answers(None) => panic!("{told:?}"),
        () = hold.asked() => {}
    }
    hold.release();
    for _ in 0..3 {
        assert_eq!(driver.who_answers(None).await, None);
    }
    assert_eq!(server.count("/oauth2/token"), 1);
}

/// A token that comes late is used by the next look, and none is asked for again.
#[tokio::test]
async fn a_token_that_comes_when_its_caller_has_left_is_used() {
    let server = FakeBox::start().await;
    let (hold, driver) = (Hold::new(), driver(&server));
    let token = br#"{"access_token":"token-1","token_type":"Bearer","expires_in":3600}"#.to_vec();
    server.answer("/oauth2/token", Reply::Late(hold.clone(), Box::new(Reply::Http(200, "application/json", token))));
    tokio::select! {
        told = driver.who_answers(None) => panic!("{told:?}"),
        () = hold.asked() => {}
    }
    hold.release();
    assert_eq!(driver.who_answers(None).await.as_deref(), Some(A));
    assert_eq!(server.count("/oauth2/token"), 1);
}

/// Releases before 16.1 have no token: each call is a login.
#[tokio::test]
async fn a_password_by_the_services_name_that_is_refused_too_late_is_not_sent_again() {
    let server = FakeBox::start().await;
    server.take_passwords();
    let hold = Hold::new();
    let refusal = Reply::Http(200, "text/plain", b"Invalid credentials".to_vec());
    server.answer("check_health", Reply::Late(hold.clone(), Box::new(refusal)));
    let driver = with(Settings { credentials: Credentials::user("anna", "wrong".into()), ..settings(&server) });
    tokio::select! {
        told = driver.who_answers(None) => panic!("{told:?}"),
        () = hold.asked() => {}
    }
    hold.release();
    for _ in 0..3 {
        assert_eq!(driver.who_answers(None).await, None);
    }
    // Before it the path with an ending was asked for, which this box doesn't have.
    let judged = server.asked().iter().filter(|asked| asked.line.ends_with("/api/command")).count();
    assert_eq!(judged, 1, "{:?}", server.asked());
}

/// Where the old path is not there the call is made once more without its ending, and each of the two counts.
#[tokio::test]
async fn what_is_asked_at_two_paths_is_counted_twice() {
    let (server, clock) = (FakeBox::start().await, Hand::new());
    server.take_passwords();
    let accounts = Arc::new(Accounts::new(Share::default(), Arc::new(clock.clone())));
    let credentials = Credentials::user("anna", "right".into());
    let editions = Editions::Xml;
    let settings = Settings { credentials, editions, accounts: accounts.clone(), ..settings(&server) };
    let driver = BeyondTrust::new(settings, Arc::new(clock.clone())).unwrap();
    driver.observe().await.unwrap();
    let sent = server.asked().iter().filter(|asked| asked.body.contains("username=anna")).count();
    let text = metrics::text(&accounts.families());
    let line = format!("changeover_api_calls_total{{site=\"support\",node=\"a\",account=\"anna\"}} {sent}");
    assert!(sent >= 2 && text.lines().any(|told| told == line), "{sent}:\n{text}");
}
