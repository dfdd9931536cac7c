//! Every API account that this process calls with: one budget each, whoever calls, and what is counted for metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;

use super::budget::{Budget, Share};
use crate::domain::metrics::{Family, Sample};
use crate::ports::{Clock, Meter};

/// Who calls whom: site, node, account.
type Caller = (String, String, String);

/// The accounts of a process. Accounts are told apart by name: the nodes of a pair have the same ones, since a sync copies them.
pub struct Accounts {
    clock: Arc<dyn Clock>,
    share: Share,
    budgets: Mutex<BTreeMap<String, Arc<Budget>>>,
    uses: Mutex<BTreeMap<Caller, Arc<Use>>>,
}

/// What one node's driver has done with one account since the daemon's start.
#[derive(Debug, Default)]
pub struct Use {
    pub calls: AtomicU64,
    /// Tokens asked for; calls too.
    pub token_requests: AtomicU64,
    /// Tokens refused: failed logins, as the box counts them.
    pub failed_logins: AtomicU64,
    /// Calls refused for lack of access.
    pub refusals: AtomicU64,
    /// Answers 429.
    pub limited: AtomicU64,
    /// Calls that had to wait for the budget or a pause, and for how long.
    pub waits: AtomicU64,
    waited_millis: AtomicU64,
    /// 1 while access is refused and not tried again.
    shut: AtomicU64,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").field("share", &self.share).finish_non_exhaustive()
    }
}

impl Accounts {
    pub fn new(share: Share, clock: Arc<dyn Clock>) -> Self {
        Self { clock, share, budgets: Mutex::default(), uses: Mutex::default() }
    }

    /// The one budget of this account.
    pub(super) fn budget(&self, account: &str) -> Arc<Budget> {
        let mut budgets = lock(&self.budgets);
        let new = || Arc::new(Budget::new(self.share, self.clock.clone()));
        budgets.entry(account.to_owned()).or_insert_with(new).clone()
    }

    /// Where a driver counts.
    pub(super) fn counts(&self, site: &str, node: &str, account: &str) -> Arc<Use> {
        let caller = (site.to_owned(), node.to_owned(), account.to_owned());
        lock(&self.uses).entry(caller).or_default().clone()
    }
}

impl Use {
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn waited(&self, time: SignedDuration) {
        if time.is_positive() {
            Self::add(&self.waits);
            self.waited_millis.fetch_add(u64::try_from(time.as_millis()).unwrap_or(0), Ordering::Relaxed);
        }
    }

    pub fn set_shut(&self, shut: bool) {
        self.shut.store(u64::from(shut), Ordering::Relaxed);
    }

    pub fn failed_logins(&self) -> u64 {
        self.failed_logins.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A count as metrics have it: exact up to 2^53.
fn number(count: u64) -> f64 {
    count as f64
}

/// A counter of [`Use`]: its name, what it means, and where it is read.
type Counter = (&'static str, &'static str, fn(&Use) -> f64);

const COUNTERS: [Counter; 7] = [
    ("changeover_api_calls_total", "Calls of an appliance's API, token requests among them.", |of| read(&of.calls)),
    ("changeover_api_token_requests_total", "Tokens asked for.", |of| read(&of.token_requests)),
    ("changeover_api_failed_logins_total", "Tokens refused: what the appliance counts as failed logins.", |of| {
        read(&of.failed_logins)
    }),
    ("changeover_api_refusals_total", "Calls that were refused for lack of access.", |of| read(&of.refusals)),
    ("changeover_api_rate_limited_total", "Calls answered with 429: too many.", |of| read(&of.limited)),
    ("changeover_api_waits_total", "Calls that waited for the account's budget, or for a pause after a 429.", |of| {
        read(&of.waits)
    }),
    ("changeover_api_wait_seconds_total", "How long they waited.", |of| read(&of.waited_millis) / 1000.0),
];

fn read(counter: &AtomicU64) -> f64 {
    number(counter.load(Ordering::Relaxed))
}

impl Meter for Accounts {
    fn families(&self) -> Vec<Family> {
        let uses = lock(&self.uses);
        let of_each = |value: fn(&Use) -> f64| {
            let sample = |((site, node, account), of): (&Caller, &Arc<Use>)| {
                Sample::new([("site", site.clone()), ("node", node.clone()), ("account", account.clone())], value(of))
            };
            uses.iter().map(sample).collect::<Vec<_>>()
        };
        let counters = COUNTERS.iter().map(|(name, help, value)| Family::counter(name, help, of_each(*value)));
        let shut = "1 while access with this account is refused and not tried again without a person.";
        let shut = Family::gauge("changeover_api_access_refused", shut, of_each(|of| read(&of.shut)));
        counters.chain([shut]).chain(self.budgets_now()).collect()
    }
}

impl Accounts {
    fn budgets_now(&self) -> [Family; 3] {
        let budgets = lock(&self.budgets);
        let standings: Vec<_> = budgets.iter().map(|(account, budget)| (account, budget.standing())).collect();
        let sample = |account: &String, value: u64| Sample::new([("account", account.clone())], number(value));
        let used = |used: usize| u64::try_from(used).unwrap_or(u64::MAX);
        let most = standings.iter().map(|(account, now)| sample(account, now.per_hour.into())).collect();
        let left = standings.iter().map(|(account, now)| sample(account, u64::from(now.per_hour).saturating_sub(used(now.used))));
        let told = standings.iter().filter_map(|(account, now)| Some(sample(account, now.told?))).collect();
        [
            Family::gauge("changeover_api_budget_calls", "Calls that this daemon may make with the account in an hour.", most),
            Family::gauge(
                "changeover_api_budget_left_calls",
                "How many of them are left in the hour that ends now.",
                left.collect(),
            ),
            Family::gauge("changeover_api_told_left_calls", "What the appliance last said is left of the account's hour.", told),
        ]
    }
}
