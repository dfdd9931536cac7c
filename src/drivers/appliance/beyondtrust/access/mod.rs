//! Access to one box: which set of credentials is used, its token, and what follows when it is refused.
//!
//! A box counts failed logins and locks an account after some. So a set that is refused is tried once, then the node's second
//! set, if there is one, once; after that nothing is sent any more until an hour has passed (once), or a person says so. Readings
//! fail meanwhile with access refused, which tells nothing of the box. Callers wait for each other, so that a token is fetched,
//! and a login fails, once for all of them. A request for a token is waited for also where its caller leaves: a login whose end nobody
//! hears of would be made again by the next one. Tokens belong to one box and are never carried to another one. The sets,
//! and how often their accounts may call, stand in `set`.

pub mod set;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use self::set::{MOST_LIMITED, Set, limited};
use super::accounts::{Accounts, Use};
use super::answer::{CallError, to_its_end};
use super::budget::Need;
use super::credentials::{Credentials, Login};
use super::token::Token;
use crate::ports::Clock;

/// After both sets were refused, one more attempt is made by itself, this much later: an account that was locked or disabled
/// for a moment. No third one: that is a person's.
const PAUSE: SignedDuration = SignedDuration::from_hours(1);
/// A call that was refused with a fresh token lacks a right; for so long it is given no further one. Six tokens an hour at most,
/// of the 30 that the box keeps for an account.
const FUTILE: SignedDuration = SignedDuration::from_mins(10);
/// A token that was refused and is older has died with a restart of the box, say: it is no word on the account.
const FRESH: SignedDuration = SignedDuration::from_secs(30);

/// Asks a box for a token with one set, which is told by its number too.
pub type Fetch = Box<dyn Fn(usize, Credentials) -> BoxFuture<'static, Result<Token, CallError>> + Send + Sync>;

/// The sets of one box, and the token in use.
pub struct Access {
    sets: Vec<Set>,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The set in use.
    set: usize,
    token: Option<Token>,
    /// The token in use has been taken by the box.
    served: bool,
    fetched: u64,
    fetched_at: Option<Timestamp>,
    /// Sets refused since a call last went well.
    refused: Vec<usize>,
    shut: Option<Shut>,
    /// Until then a refused call that is no reading gets no new token.
    futile_until: Option<Timestamp>,
}

/// Every set was refused.
#[derive(Clone)]
struct Shut {
    since: Timestamp,
    /// When one more attempt is made; `None`: by a person's word only.
    again: Option<Timestamp>,
    /// That attempt is under way: each set may be tried, until one is taken or all are refused.
    trial: bool,
    why: String,
}

impl Access {
    pub fn new(
        of: (&str, &str),
        (first, second): (Credentials, Option<Credentials>),
        accounts: &Accounts,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let set = |credentials: Credentials| {
            let name = &credentials.client.name;
            Set { budget: accounts.budget(name), counts: accounts.counts(of.0, of.1, name), credentials }
        };
        Self { sets: std::iter::once(first).chain(second).map(set).collect(), clock, state: Arc::default() }
    }

    /// The present token, or a new one by `fetch` if there is none or it is near its end.
    ///
    /// # Errors
    /// `Denied` if every set is refused, now or before; else what `fetch` says.
    pub async fn token(self: &Arc<Self>, fetch: Fetch) -> Result<Token, CallError> {
        let mut state = self.own_state().await;
        self.begin_trial(&mut state);
        self.check_open(&state)?;
        match &state.token {
            Some(token) if Instant::now() < token.renew_at => Ok(token.clone()),
            _ => self.renewed(state, fetch).await,
        }
    }

    /// What to call with after a call with `token` was refused: a token that another caller has renewed, a new one, one of the
    /// other set; `None` if a further token would not help.
    ///
    /// # Errors
    /// As [`Access::token`].
    pub async fn after_refusal(
        self: &Arc<Self>,
        token: &Token,
        need: Need,
        why: &CallError,
        fetch: Fetch,
    ) -> Result<Option<Token>, CallError> {
        let mut state = self.own_state().await;
        self.sets.get(token.set).into_iter().for_each(|set| Use::add(&set.counts.refusals));
        self.check_open(&state)?;
        if let Some(newer) = state.token.clone().filter(|newer| newer.serial != token.serial) {
            return Ok(Some(newer));
        }
        let now = self.clock.now();
        let old = state.fetched_at.is_none_or(|at| now.duration_since(at).abs() > FRESH);
        state.futile_until = at_most(state.futile_until, now, FUTILE);
        // A password doesn't grow old: the same one once more would only be a second failed login.
        if token.user.is_some() {
            self.sets.get(token.set).into_iter().for_each(|set| Use::add(&set.counts.failed_logins));
        } else if (state.served || old) && !(need == Need::Bulk && state.futile_until.is_some_and(|until| now < until)) {
            return self.renewed(state, fetch).await.map(Some);
        }
        if need == Need::Bulk {
            let until = now.saturating_add(FUTILE).unwrap_or(Timestamp::MAX);
            state.futile_until = state.futile_until.max(Some(until));
            return Ok(None);
        }
        let (access, set, why) = (self.clone(), token.set, why.to_string());
        let next = async move {
            access.refuse(&mut state, set);
            access.next_set(&mut state, &fetch, why).await
        };
        to_its_end(next).await.map(Some)
    }

    /// The state, for as long as a request for a token takes. A caller that leaves while it waits for it has asked for nothing.
    async fn own_state(&self) -> OwnedMutexGuard<State> {
        self.state.clone().lock_owned().await
    }

    /// A new token; what becomes of it is in the state also where the caller has left.
    async fn renewed(self: &Arc<Self>, mut state: OwnedMutexGuard<State>, fetch: Fetch) -> Result<Token, CallError> {
        let access = self.clone();
        to_its_end(async move { access.renew(&mut state, &fetch).await }).await
    }

    /// False while every set is refused, and nothing is sent.
    pub async fn is_open(&self) -> bool {
        self.state.lock().await.shut.is_none()
    }

    /// A call with this token went well.
    pub async fn served(&self, token: &Token, need: Need) {
        let mut state = self.state.lock().await;
        if state.token.as_ref().is_none_or(|present| present.serial != token.serial) {
            return;
        }
        state.served = true;
        state.refused.clear();
        state.shut = None;
        if need == Need::Bulk {
            state.futile_until = None;
        }
        self.set_shut(false);
    }

    /// How many tokens were asked for: whether it is another one now.
    pub async fn serial(&self) -> u64 {
        self.state.lock().await.fetched
    }

    /// Accounts may have been changed: the next call begins with a new token. What is shut stays so.
    pub async fn retest(&self) {
        self.state.lock().await.token = None;
    }

    /// A person has looked at the accounts: each set may be tried once more.
    pub async fn reopen(&self) {
        let mut state = self.state.lock().await;
        (state.token, state.shut, state.futile_until) = (None, None, None);
        state.refused.clear();
        self.set_shut(false);
    }

    /// Waits for a turn of the account of this set.
    pub async fn turn(&self, set: usize, need: Need) -> Result<(), CallError> {
        let Some(set) = self.sets.get(set) else { return Ok(()) };
        set.turn(need).await
    }

    /// Takes from an answer's head what it says of the rate of this set's account.
    pub fn note(&self, set: usize, status: StatusCode, headers: &HeaderMap) {
        let Some(set) = self.sets.get(set) else { return };
        set.note(status, headers, self.clock.now());
    }

    /// After the pause each set may be tried once more. It begins once: what is refused in it stays refused.
    fn begin_trial(&self, state: &mut State) {
        let now = self.clock.now();
        let Some(shut) = state.shut.as_mut() else { return };
        shut.again = at_most(shut.again, now, PAUSE);
        if shut.again.is_some_and(|again| again <= now) {
            (shut.again, shut.trial) = (None, true);
            state.refused.clear();
        }
    }

    /// Refuses while access is shut.
    fn check_open(&self, state: &State) -> Result<(), CallError> {
        match &state.shut {
            Some(shut) if !shut.trial => Err(CallError::Denied(self.told(shut))),
            _ => Ok(()),
        }
    }

    /// A new token with the present set, else with the other.
    async fn renew(&self, state: &mut State, fetch: &Fetch) -> Result<Token, CallError> {
        let set = state.set;
        match self.fetch(state, set, fetch).await {
            Err(CallError::Denied(why)) => {
                self.refuse(state, set);
                self.next_set(state, fetch, why).await
            }
            other => other,
        }
    }

    fn refuse(&self, state: &mut State, set: usize) {
        state.token = None;
        if !state.refused.contains(&set) {
            state.refused.push(set);
        }
    }

    /// One attempt with each set that was not refused; then access is shut.
    async fn next_set(&self, state: &mut State, fetch: &Fetch, mut why: String) -> Result<Token, CallError> {
        while let Some(set) = (0..self.sets.len()).find(|set| !state.refused.contains(set)) {
            match self.fetch(state, set, fetch).await {
                Err(CallError::Denied(also)) => {
                    self.refuse(state, set);
                    why = format!("{why}; {also}");
                }
                Ok(token) => {
                    let name = &self.sets[set].credentials.client.name;
                    tracing::warn!(account = %name, why, "another set of credentials is used now");
                    state.set = set;
                    return Ok(token);
                }
                Err(other) => return Err(other),
            }
        }
        Err(CallError::Denied(self.told(&self.shut(state, why))))
    }

    /// The same words as long as it lasts: an alert is not raised again for a second attempt.
    fn shut(&self, state: &mut State, why: String) -> Shut {
        let now = self.clock.now();
        let shut = match &state.shut {
            Some(before) => Shut { again: None, trial: false, why, since: before.since },
            None => Shut { again: Some(now.saturating_add(PAUSE).unwrap_or(Timestamp::MAX)), trial: false, why, since: now },
        };
        self.set_shut(true);
        state.shut.insert(shut).clone()
    }

    async fn fetch(&self, state: &mut State, set: usize, fetch: &Fetch) -> Result<Token, CallError> {
        state.token = None;
        state.served = false;
        state.fetched += 1;
        state.fetched_at = Some(self.clock.now());
        let token = self.fetch_in_turn(set, fetch).await.inspect_err(|error| {
            if matches!(error, CallError::Denied(_)) {
                Use::add(&self.sets[set].counts.failed_logins);
            }
        })?;
        let token = Token { serial: state.fetched, set, ..token };
        state.token = Some(token.clone());
        Ok(token)
    }

    /// Asks for a token when it is the account's turn; again after a pause where the box answers 429, which is no failed login.
    async fn fetch_in_turn(&self, set: usize, fetch: &Fetch) -> Result<Token, CallError> {
        let of = &self.sets[set];
        let mut said = String::new();
        for _ in 0..MOST_LIMITED {
            if of.credentials.login == Login::Token {
                of.turn(Need::Reading).await?;
                Use::add(&of.counts.token_requests);
            }
            match fetch(set, of.credentials.clone()).await {
                Err(CallError::Limited(text)) => said = text,
                other => return other,
            }
        }
        Err(limited(&said))
    }

    fn set_shut(&self, shut: bool) {
        self.sets.iter().for_each(|set| set.counts.set_shut(shut));
    }

    /// What a person must know and do.
    fn told(&self, shut: &Shut) -> String {
        let accounts: Vec<String> = self
            .sets
            .iter()
            .map(|set| {
                let (name, failed) = (&set.credentials.client.name, set.counts.failed_logins());
                format!("`{name}` ({failed} failed logins of ours since the daemon's start)")
            })
            .collect();
        let next = match shut.again {
            Some(again) => format!("nothing is sent before {again:.0}, then one more attempt is made"),
            None => "nothing more is sent by itself".to_owned(),
        };
        format!(
            "access is refused since {:.0} for account {}: {}; {next}, so that the box locks no account. Check at /login > Management > \
             API Configuration of this box that the account is there, enabled, not locked, has its permissions, and that its secret is \
             the one in the file that is configured; then resume the run, or start the daemon again",
            shut.since,
            accounts.join(" and account "),
            shut.why
        )
    }
}

/// An end of a pause, not further away than the pause is long: after the clock was set back it bears the time of the clock before.
fn at_most(until: Option<Timestamp>, now: Timestamp, pause: SignedDuration) -> Option<Timestamp> {
    let latest = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
    until.map(|until| until.min(latest))
}
