//! API accounts: their budget over all nodes, refusals that lock nobody out, second credentials. The driver against the
//! simulated pair over HTTPS, which counts what it is asked.

use std::sync::{Arc, Mutex};

use changeover::domain::ids::NodeId;
use changeover::domain::metrics;
use changeover::drivers::appliance::beyondtrust::{
    Accounts, BeyondTrust, Credentials, Editions, Limits, Peer, Product, Settings, Share,
};
use changeover::drivers::clock::ScaledClock;
use changeover::drivers::tls::TlsTrust;
use changeover::ports::{Clock, Meter as _, ReadError, Reader as _};
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::server::{LOCKED_AFTER, RateLimits};
use changeover::simulator::{Simulator, SimulatorOptions};
use futures_util::future::{BoxFuture, join_all};
use jiff::{SignedDuration, Timestamp};

const FIRST: (&str, &str) = ("first-account", "a secret of nobody");
const SECOND: (&str, &str) = ("second-account", "another secret of nobody");

/// Time that the test moves, and that a driver's wait moves at once. The simulator moves with each call only.
#[derive(Clone)]
struct Hand {
    now: Arc<Mutex<Timestamp>>,
    moves: bool,
}

impl Hand {
    fn new() -> Self {
        Self { now: Arc::new(Mutex::new("2026-11-22T01:00:00Z".parse().unwrap())), moves: true }
    }

    fn pass(&self, minutes: i64) {
        *self.now.lock().unwrap() += SignedDuration::from_mins(minutes);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        if !self.moves {
            return Box::pin(std::future::pending());
        }
        let mut now = self.now.lock().unwrap();
        *now = at.max(*now);
        Box::pin(std::future::ready(()))
    }
}

/// The simulated pair and the drivers of one process.
struct Pair {
    simulator: Simulator,
    accounts: Arc<Accounts>,
    clock: Arc<dyn Clock>,
}

impl Pair {
    async fn start(clock: Arc<dyn Clock>, share: Share, change: impl FnOnce(&mut SimulatorOptions)) -> Self {
        Self::with((clock.clone(), clock), share, change).await
    }

    async fn with(
        (clock, simulated): (Arc<dyn Clock>, Arc<dyn Clock>),
        share: Share,
        change: impl FnOnce(&mut SimulatorOptions),
    ) -> Self {
        let versions = ("24.1.1".parse().unwrap(), "24.2.1".parse().unwrap());
        let mut options = SimulatorOptions::new(simulated, FIRST.1.into(), versions.0, versions.1);
        options.client_id = FIRST.0.to_owned();
        options.second_client = Some((SECOND.0.to_owned(), SECOND.1.into()));
        change(&mut options);
        let simulator = Simulator::start(options).await.unwrap();
        Self { simulator, accounts: Arc::new(Accounts::new(share, clock.clone())), clock }
    }

    async fn by_hand(clock: &Hand) -> Self {
        let simulated = Hand { moves: false, ..clock.clone() };
        Self::with((Arc::new(clock.clone()), Arc::new(simulated)), Share::default(), |_| {}).await
    }

    fn driver(&self, node: NodeId, first: (&str, &str), second: Option<(&str, &str)>) -> BeyondTrust {
        let set = |(id, secret): (&str, &str)| Credentials::client(id, secret.into());
        let settings = Settings {
            site: "support".to_owned(),
            node,
            url: self.simulator.url(node).parse().unwrap(),
            address: self.simulator.nodes[node].ip(),
            service: self.simulator.service.clone(),
            identity: self.simulator.identities[node].clone(),
            credentials: set(first),
            second: second.map(set),
            accounts: self.accounts.clone(),
            tls: TlsTrust::Ca(self.simulator.certificate_pem.clone().into_bytes()),
            peer: Peer {
                url: self.simulator.url(node.other()).parse().unwrap(),
                identity: self.simulator.identities[node.other()].clone(),
                console: None,
            },
            limits: Limits::default(),
            editions: Editions::Auto,
            backup_password: None,
            product: Product::default(),
            recordings: true,
            console: None,
        };
        BeyondTrust::new(settings, self.clock.clone()).unwrap()
    }

    /// Failed logins of an account at a node, and how often it was locked.
    fn failed(&self, node: NodeId, account: &str) -> (u32, u32) {
        let logins = &self.simulator.logins(node)[account];
        (logins.failed, logins.locked)
    }

    /// A sync that overwrites the standby's account.
    fn overwrite(&self, clock: &Hand) {
        self.simulator.current().plan_fault(Planned::once(Fault::AccountOverwritten).on(NodeId::B));
        self.simulator.current().perform("sync-now", NodeId::A, None).unwrap();
        clock.pass(5);
        assert!(self.simulator.current().node(NodeId::B).account_overwritten);
    }

    fn number(&self, line: &str) -> f64 {
        let text = metrics::text(&self.accounts.families());
        let found = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no `{line}` in\n{text}")).parse().unwrap()
    }
}

fn scaled(speed: f64) -> Arc<dyn Clock> {
    Arc::new(ScaledClock::new(Timestamp::now(), speed).unwrap())
}

fn denied(read: Result<impl std::fmt::Debug, ReadError>) -> String {
    match read {
        Err(ReadError::Denied(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_of_an_account_share_one_budget_for_the_hour() {
    // An hour passes in six seconds.
    let share = Share { per_second: 10, per_hour: 60 };
    let pair = Pair::start(scaled(600.0), share, |_| {}).await;
    let drivers = NodeId::BOTH.map(|node| pair.driver(node, FIRST, None));
    let mut readings = (0, 0);
    for _ in 0..15 {
        for read in join_all(drivers.iter().map(|driver| driver.observe())).await {
            match read {
                Ok(_) => readings.0 += 1,
                Err(ReadError::Transient(text)) => {
                    assert!(text.contains("may not be used before"), "{text}");
                    readings.1 += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let busiest = pair.simulator.rates()[FIRST.0];
    assert!(busiest.in_an_hour <= 60 && busiest.in_a_second <= 10 && busiest.refused == 0, "{busiest:?}");
    assert!(readings.0 >= 5 && readings.1 > 0, "{readings:?}");
    let of = |node: &str| {
        pair.number(&format!("changeover_api_calls_total{{site=\"support\",node=\"{node}\",account=\"{}\"}}", FIRST.0))
    };
    assert_eq!(of("a") + of("b"), busiest.calls as f64, "what is counted here and there");
    assert_eq!(pair.number(&format!("changeover_api_budget_calls{{account=\"{}\"}}", FIRST.0)), 60.0);
    let left = pair.number(&format!("changeover_api_budget_left_calls{{account=\"{}\"}}", FIRST.0));
    assert!((0.0..60.0).contains(&left), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_second_has_more_calls_than_the_share() {
    let pair = Pair::start(scaled(1.0), Share { per_second: 10, per_hour: 7500 }, |_| {}).await;
    let drivers = NodeId::BOTH.map(|node| pair.driver(node, FIRST, None));
    join_all(drivers.iter().map(|driver| driver.observe())).await.into_iter().for_each(|read| assert!(read.is_ok()));
    join_all(drivers.iter().map(|driver| driver.settings())).await.into_iter().for_each(|told| assert!(told.is_ok()));
    let busiest = pair.simulator.rates()[FIRST.0];
    // On the way calls may come closer together; half of the vendor's twenty leaves room for that.
    assert!(busiest.calls >= 20 && busiest.in_a_second < 20 && busiest.refused == 0, "{busiest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_answers_429_is_asked_again_after_its_pause_and_not_for_ever() {
    let pair = Pair::start(scaled(600.0), Share::default(), |_| {}).await;
    let driver = pair.driver(NodeId::A, FIRST, None);
    driver.observe().await.unwrap();
    pair.simulator.current().plan_fault(Planned { times: Some(2), ..Planned::for_ever(Fault::TooManyCalls) });
    let before = pair.clock.now();
    driver.observe().await.unwrap();
    assert!(pair.clock.now().duration_since(before) >= SignedDuration::from_secs(10), "two pauses of five seconds");
    pair.simulator.current().plan_fault(Planned::for_ever(Fault::TooManyCalls));
    let calls = pair.simulator.rates()[FIRST.0].calls;
    let error = driver.observe().await.unwrap_err();
    assert!(matches!(&error, ReadError::Transient(text) if text.contains("429") && text.contains("3 times")), "{error:?}");
    assert_eq!(pair.simulator.rates()[FIRST.0].calls - calls, 3);
    let counted = pair.number("changeover_api_rate_limited_total{site=\"support\",node=\"a\",account=\"first-account\"}");
    assert_eq!(counted, 5.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_to_the_request_for_a_token_is_no_failed_login_and_its_pause_is_kept() {
    let pair = Pair::start(scaled(600.0), Share::default(), |_| {}).await;
    let driver = pair.driver(NodeId::A, FIRST, Some(SECOND));
    pair.simulator.current().plan_fault(Planned { times: Some(2), ..Planned::for_ever(Fault::TooManyCalls) });
    let before = pair.clock.now();
    driver.observe().await.unwrap();
    assert!(pair.clock.now().duration_since(before) >= SignedDuration::from_secs(10), "two pauses of five seconds");
    assert_eq!(pair.failed(NodeId::A, FIRST.0), (0, 0));
    let counted = pair.number("changeover_api_rate_limited_total{site=\"support\",node=\"a\",account=\"first-account\"}");
    assert_eq!(counted, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_the_box_that_is_tighter_than_ours_is_kept_too() {
    let limits = RateLimits { per_second: 3, per_hour: 1000 };
    let pair = Pair::start(scaled(20.0), Share::default(), |options| options.rates = limits).await;
    let driver = pair.driver(NodeId::A, FIRST, None);
    for _ in 0..4 {
        driver.observe().await.unwrap();
    }
    assert_eq!(
        pair.number("changeover_api_told_left_calls{account=\"first-account\"}"),
        1000.0 - pair.simulator.rates()[FIRST.0].in_an_hour as f64
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_never_lock_an_account() {
    let clock = Hand::new();
    let pair = Pair::by_hand(&clock).await;
    let driver = Arc::new(pair.driver(NodeId::A, (FIRST.0, "wrong"), None));
    let readings = join_all((0..20).map(|_| driver.observe())).await;
    assert_eq!(readings.into_iter().map(denied).filter(|text| text.contains("access is refused since")).count(), 20);
    assert_eq!(pair.failed(NodeId::A, FIRST.0), (1, 0), "one attempt, whoever asks");
    for (minutes, failed) in [(30, 1), (31, 2), (60, 2), (10_000, 2)] {
        clock.pass(minutes);
        for _ in 0..3 {
            denied(driver.observe().await);
        }
        assert_eq!(pair.failed(NodeId::A, FIRST.0), (failed, 0), "{minutes}");
    }
    let text = denied(driver.observe().await);
    for part in [
        "node `a` of site `support`",
        "`first-account`",
        "2 failed logins",
        "nothing more is sent by itself",
        "API Configuration",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("wrong"), "{text}");
    driver.access_may_have_changed(false).await;
    denied(driver.observe().await);
    assert_eq!(pair.failed(NodeId::A, FIRST.0).0, 2, "what an act changes is no person's word");
    driver.access_may_have_changed(true).await;
    denied(driver.observe().await);
    denied(driver.observe().await);
    assert_eq!(pair.failed(NodeId::A, FIRST.0), (3, 0), "one more for a person's word");
    const { assert!(3 < LOCKED_AFTER) };
    let shut = pair.number("changeover_api_access_refused{site=\"support\",node=\"a\",account=\"first-account\"}");
    assert_eq!(shut, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_set_is_used_after_a_sync_has_overwritten_the_first() {
    let clock = Hand::new();
    let pair = Pair::by_hand(&clock).await;
    let driver = pair.driver(NodeId::B, FIRST, Some(SECOND));
    driver.observe().await.unwrap();
    pair.overwrite(&clock);
    for _ in 0..5 {
        driver.observe().await.unwrap();
    }
    assert_eq!((pair.failed(NodeId::B, FIRST.0), pair.failed(NodeId::B, SECOND.0)), ((1, 0), (0, 0)));
    driver.access_may_have_changed(false).await;
    driver.observe().await.unwrap();
    assert_eq!(pair.failed(NodeId::B, FIRST.0), (1, 0), "the set that works is tried first");
    assert_eq!(pair.simulator.logins(NodeId::B)[SECOND.0].good, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_set_is_tried_once_and_a_person_reopens_both() {
    let clock = Hand::new();
    let pair = Pair::by_hand(&clock).await;
    let driver = pair.driver(NodeId::B, FIRST, Some((SECOND.0, "wrong")));
    driver.observe().await.unwrap();
    pair.overwrite(&clock);
    for _ in 0..10 {
        let text = denied(driver.observe().await);
        assert!(text.contains("`first-account`") && text.contains("`second-account`"), "{text}");
    }
    assert_eq!((pair.failed(NodeId::B, FIRST.0), pair.failed(NodeId::B, SECOND.0)), ((1, 0), (1, 0)));
    pair.simulator.current().perform("restore-account", NodeId::B, None).unwrap();
    denied(driver.observe().await);
    driver.access_may_have_changed(true).await;
    driver.observe().await.unwrap();
    assert_eq!(pair.failed(NodeId::B, FIRST.0), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn access_is_tested_anew_after_each_event_that_may_change_accounts() {
    let clock = Hand::new();
    let pair = Pair::by_hand(&clock).await;
    let driver = pair.driver(NodeId::A, FIRST, None);
    let good = || pair.simulator.logins(NodeId::A)[FIRST.0].good;
    driver.observe().await.unwrap();
    driver.observe().await.unwrap();
    assert_eq!(good(), 1);
    for (act, minutes) in [("sync-now", 15), ("break", 5), ("establish", 5)] {
        let before = good();
        pair.simulator.current().perform(act, NodeId::A, None).unwrap();
        clock.pass(minutes);
        driver.observe().await.unwrap();
        driver.observe().await.unwrap();
        assert_eq!(good(), before + 1, "{act}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_died_is_renewed_once_for_all_callers() {
    let clock = Hand::new();
    let pair = Pair::by_hand(&clock).await;
    let driver = pair.driver(NodeId::A, FIRST, None);
    driver.observe().await.unwrap();
    pair.simulator.revoke_tokens(NodeId::A);
    clock.pass(1);
    for read in join_all((0..3).map(|_| driver.observe())).await {
        assert!(read.is_ok(), "{read:?}");
    }
    assert_eq!((pair.simulator.logins(NodeId::A)[FIRST.0].good, pair.failed(NodeId::A, FIRST.0)), (2, (0, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn boxes_never_see_each_others_tokens_although_they_share_the_account() {
    let clock = Hand::new();
    let pair = Pair::by_hand(&clock).await;
    for node in NodeId::BOTH {
        let driver = pair.driver(node, FIRST, None);
        driver.observe().await.unwrap();
        assert_eq!((pair.simulator.logins(node)[FIRST.0].good, pair.failed(node, FIRST.0)), (1, (0, 0)));
    }
}
