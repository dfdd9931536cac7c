//! The outbox in virtual time, and once against a real server.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use changeover::engine::outbox::{Outbox, OutboxStore, Surroundings, Undelivered};
use changeover::ports::{Clock, Notifier, OutboxItem, StoreError};
use futures_util::future::{BoxFuture, FutureExt as _};
use jiff::{SignedDuration, Timestamp};

use super::{Server, Way, eventually, item, second};

/// tokio's paused time as run time, as the machine's clock: what is set back makes no sleep longer.
struct PausedClock {
    began: tokio::time::Instant,
    set_back: AtomicI64,
}

impl PausedClock {
    fn start() -> Arc<Self> {
        Arc::new(Self { began: tokio::time::Instant::now(), set_back: AtomicI64::new(0) })
    }

    fn set_back(&self, secs: i64) {
        self.set_back.fetch_add(secs, Ordering::SeqCst);
    }

    fn passed(&self) -> SignedDuration {
        SignedDuration::try_from(self.began.elapsed()).unwrap()
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        second(1_000_000 - self.set_back.load(Ordering::SeqCst)) + self.passed()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let wait = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
        tokio::time::sleep(wait).boxed()
    }
}

/// For real servers: whoever waits is there at once.
struct JumpingClock(Mutex<Timestamp>);

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        async move {
            tokio::task::yield_now().await;
            let mut now = self.0.lock().unwrap();
            *now = at.max(*now);
        }
        .boxed()
    }
}

/// What the outbox keeps and gives up, in memory.
#[derive(Default)]
struct Kept {
    updated: Mutex<Vec<OutboxItem>>,
    removed: Mutex<Vec<(String, String)>>,
    given_up: Mutex<Vec<(String, String)>>,
    failing: bool,
}

impl OutboxStore for Kept {
    fn update<'a>(&'a self, item: &'a OutboxItem) -> BoxFuture<'a, Result<(), StoreError>> {
        self.updated.lock().unwrap().push(item.clone());
        self.result()
    }

    fn remove<'a>(&'a self, id: &'a str, hook: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.removed.lock().unwrap().push((id.to_owned(), hook.to_owned()));
        self.result()
    }
}

impl Kept {
    fn result(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let result = if self.failing { Err(StoreError::Failed("disk".to_owned())) } else { Ok(()) };
        std::future::ready(result).boxed()
    }

    fn removed(&self) -> Vec<String> {
        self.removed.lock().unwrap().iter().map(|(id, _)| id.clone()).collect()
    }
}

impl Undelivered for Kept {
    fn on_undelivered<'a>(&'a self, item: &'a OutboxItem, why: &'a str) -> BoxFuture<'a, ()> {
        assert!(!self.removed().contains(&item.id), "{} was removed before it was recorded", item.id);
        self.given_up.lock().unwrap().push((item.id.clone(), why.to_owned()));
        std::future::ready(()).boxed()
    }
}

/// A hook that fails `failures` times for each item, and notes when each try came.
struct Flaky {
    failures: usize,
    tries: Mutex<Vec<(String, SignedDuration)>>,
    clock: Arc<PausedClock>,
    at_once: AtomicUsize,
}

impl Flaky {
    fn new(failures: usize, clock: &Arc<PausedClock>) -> Arc<Self> {
        Arc::new(Self { failures, tries: Mutex::default(), clock: clock.clone(), at_once: AtomicUsize::new(0) })
    }

    fn ids(&self) -> Vec<String> {
        self.tries.lock().unwrap().iter().map(|(id, _)| id.clone()).collect()
    }
}

impl Notifier for Flaky {
    fn deliver<'a>(&'a self, item: &'a OutboxItem) -> BoxFuture<'a, Result<(), String>> {
        async move {
            assert_eq!(self.at_once.fetch_add(1, Ordering::SeqCst), 0, "two deliveries at once");
            let passed = self.clock.passed();
            self.tries.lock().unwrap().push((item.id.clone(), passed));
            tokio::task::yield_now().await;
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            let tried = self.ids().iter().filter(|id| **id == item.id).count();
            if tried > self.failures { Ok(()) } else { Err("not now".to_owned()) }
        }
        .boxed()
    }
}

/// A hook that never comes back.
struct Hanging;

impl Notifier for Hanging {
    fn deliver<'a>(&'a self, _: &'a OutboxItem) -> BoxFuture<'a, Result<(), String>> {
        std::future::pending().boxed()
    }
}

fn around(kept: &Arc<Kept>, clock: Arc<dyn Clock>) -> Surroundings {
    Surroundings { store: kept.clone(), undelivered: kept.clone(), clock }
}

/// An outbox as the daemon starts it: then what waits in the store is pushed.
fn started(hooks: Vec<(String, Arc<dyn Notifier>)>, pending: Vec<OutboxItem>, around: &Surroundings) -> Outbox {
    let outbox = Outbox::start(hooks, around);
    outbox.push(pending);
    outbox
}

/// Lets virtual time pass until the condition holds, at most a month.
async fn in_virtual_time(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..30 * 24 * 60 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    panic!("still not so after a month: {what}");
}

#[tokio::test(start_paused = true)]
async fn an_item_is_tried_at_5s_30s_2min_10min_then_hourly_for_3_days_and_given_up() {
    let (kept, clock) = (Arc::new(Kept::default()), PausedClock::start());
    let hook = Flaky::new(usize::MAX, &clock);
    let _outbox = started(vec![("ops".to_owned(), hook.clone())], vec![item("ops", 1)], &around(&kept, clock));
    in_virtual_time("given up", || !kept.removed().is_empty()).await;
    let times: Vec<_> = hook.tries.lock().unwrap().iter().map(|(_, at)| at.as_secs()).collect();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits[..4], [5, 30, 120, 600]);
    assert_eq!((waits[4..].len(), waits[4..].iter().all(|wait| *wait == 3600)), (72, true), "{waits:?}");
    assert_eq!(kept.given_up.lock().unwrap()[..], [("support-7/1/held".to_owned(), "not now".to_owned())]);
    let updated = kept.updated.lock().unwrap();
    assert_eq!((updated.len(), updated[75].attempts), (76, 76), "each next try is kept");
}

#[tokio::test(start_paused = true)]
async fn attempts_go_on_where_a_restart_left_them() {
    let (kept, clock) = (Arc::new(Kept::default()), PausedClock::start());
    let hook = Flaky::new(usize::MAX, &clock);
    let next_at = clock.now() + SignedDuration::from_secs(90);
    let pending = OutboxItem { attempts: 75, next_at, ..item("ops", 1) };
    let _outbox = started(vec![("ops".to_owned(), hook.clone())], vec![pending], &around(&kept, clock));
    in_virtual_time("given up", || !kept.removed().is_empty()).await;
    let times: Vec<_> = hook.tries.lock().unwrap().iter().map(|(_, at)| at.as_secs()).collect();
    assert_eq!(times, [90, 3690]);
}

#[tokio::test(start_paused = true)]
async fn items_go_out_oldest_first_and_a_failed_one_lets_the_others_pass() {
    let (kept, clock) = (Arc::new(Kept::default()), PausedClock::start());
    let hook = Flaky::new(1, &clock);
    let pending = [3, 1, 2].map(|number| item("ops", number)).to_vec();
    let outbox = started(vec![("ops".to_owned(), hook.clone())], pending, &around(&kept, clock));
    in_virtual_time("all delivered", || kept.removed().len() == 3).await;
    outbox.push(vec![item("ops", 4)]);
    in_virtual_time("a later one delivered", || kept.removed().len() == 4).await;
    let order: Vec<_> = hook.ids().iter().map(|id| id.split('/').nth(1).unwrap().to_owned()).collect();
    assert_eq!(order, ["1", "2", "3", "1", "2", "3", "4", "4"]);
}

/// Records never go back, so that what they raise is due in the future of a clock that was set back.
#[tokio::test(start_paused = true)]
async fn after_the_clock_was_set_back_new_items_go_out_at_once_and_in_their_order() {
    let (kept, clock) = (Arc::new(Kept::default()), PausedClock::start());
    let hook = Flaky::new(0, &clock);
    let outbox = started(vec![("ops".to_owned(), hook.clone())], Vec::new(), &around(&kept, clock.clone()));
    let clamped = |number: u32| {
        let since = second(1_000_000) + SignedDuration::from_nanos(i64::from(number));
        OutboxItem { since, next_at: since, ..item("ops", number) }
    };
    clock.set_back(1800);
    outbox.push((1..=3).map(clamped).collect());
    in_virtual_time("all delivered", || kept.removed().len() == 3).await;
    let tries = hook.tries.lock().unwrap().clone();
    assert!(tries.iter().all(|(_, at)| *at == SignedDuration::ZERO), "{tries:?}");
    assert_eq!(kept.removed(), ["support-7/1/held", "support-7/2/held", "support-7/3/held"]);
}

/// Set back in the midst of a wait, or before a restart: the next try comes when as much time has passed as was to pass.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_makes_no_wait_for_the_next_try_longer() {
    let (kept, clock) = (Arc::new(Kept::default()), PausedClock::start());
    let hook = Flaky::new(1, &clock);
    let pending = OutboxItem { attempts: 3, next_at: clock.now() + SignedDuration::from_hours(2), ..item("ops", 1) };
    let _outbox = started(vec![("ops".to_owned(), hook.clone())], vec![pending], &around(&kept, clock.clone()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    clock.set_back(3600);
    in_virtual_time("delivered", || !kept.removed().is_empty()).await;
    let times: Vec<_> = hook.tries.lock().unwrap().iter().map(|(_, at)| at.as_secs()).collect();
    assert_eq!(times, [120, 720]);
}

/// So does that of another item, which was not the next one when the clock was set back.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_is_noticed_for_all_that_wait() {
    let (kept, clock) = (Arc::new(Kept::default()), PausedClock::start());
    let hook = Flaky::new(0, &clock);
    let pending = [(1, 3, 2), (2, 4, 10)].into_iter().map(|(number, attempts, minutes)| OutboxItem {
        attempts,
        next_at: clock.now() + SignedDuration::from_mins(minutes),
        ..item("ops", number)
    });
    let _outbox = started(vec![("ops".to_owned(), hook.clone())], pending.collect(), &around(&kept, clock.clone()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    clock.set_back(86_400);
    in_virtual_time("both are delivered", || kept.removed().len() == 2).await;
    let times: Vec<_> = hook.tries.lock().unwrap().iter().map(|(_, at)| at.as_secs()).collect();
    assert_eq!(times, [120, 720]);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_hangs_delays_no_other_and_no_caller() {
    let (kept, clock) = (Arc::new(Kept::default()), PausedClock::start());
    let good = Flaky::new(0, &clock);
    let hooks: Vec<(String, Arc<dyn Notifier>)> = vec![("stuck".to_owned(), Arc::new(Hanging)), ("ops".to_owned(), good.clone())];
    let outbox = started(hooks, Vec::new(), &around(&kept, clock.clone()));
    for number in 1..=1000 {
        outbox.push(vec![item("stuck", number), item("ops", number)]);
    }
    assert_eq!(clock.passed(), SignedDuration::ZERO, "push waited");
    in_virtual_time("the good hook has all", || kept.removed().len() == 1000).await;
    assert!(kept.removed.lock().unwrap().iter().all(|(_, hook)| hook == "ops"));
}

#[tokio::test(start_paused = true)]
async fn items_of_a_hook_that_is_gone_are_given_up_at_once() {
    let (kept, clock) = (Arc::new(Kept::default()), PausedClock::start());
    let _outbox = started(Vec::new(), vec![item("former", 1)], &around(&kept, clock));
    in_virtual_time("given up", || !kept.removed().is_empty()).await;
    assert_eq!(kept.given_up.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_stops_no_delivery() {
    let (kept, clock) = (Arc::new(Kept { failing: true, ..Kept::default() }), PausedClock::start());
    let hook = Flaky::new(2, &clock);
    let _outbox = started(vec![("ops".to_owned(), hook.clone())], vec![item("ops", 1)], &around(&kept, clock));
    in_virtual_time("delivered", || !kept.removed().is_empty()).await;
    assert_eq!(hook.ids().len(), 3);
}

#[tokio::test]
async fn a_webhook_that_recovers_gets_the_same_id_in_every_try() {
    let server = Server::start(&[Way::Status(500), Way::Status(429), Way::Status(503), Way::Status(200)]).await;
    let (kept, clock) = (Arc::new(Kept::default()), Arc::new(JumpingClock(Mutex::new(second(100)))));
    let hook: Arc<dyn Notifier> = Arc::new(server.hook(Duration::from_secs(20)));
    let _outbox = started(vec![("ops".to_owned(), hook)], vec![item("ops", 1)], &around(&kept, clock.clone()));
    eventually("delivered", || !kept.removed().is_empty()).await;
    let ids: Vec<_> =
        server.got.lock().unwrap().iter().map(|(headers, _)| headers["webhook-id"].to_str().unwrap().to_owned()).collect();
    assert_eq!(ids, ["support-7/1/held"; 4]);
    assert_eq!(clock.now(), second(100 + 5 + 30 + 120));
}
