//! The token endpoint's memory of one node: which accounts there are, who may call, and for how long.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

/// Life of a token, machine time.
pub const LIFETIME: Duration = Duration::from_secs(3600);
/// More make the oldest of the account invalid, silently for whoever holds it.
pub const MOST_TOKENS: usize = 30;
/// So many failed logins in a row lock an account (the vendor has such a counter; its number is the operator's).
pub const LOCKED_AFTER: u32 = 5;
/// For so long, run time.
const LOCKED_FOR: SignedDuration = SignedDuration::from_mins(30);

/// An API account.
#[derive(Clone, Debug)]
pub struct Account {
    pub client_id: String,
    pub secret: SecretString,
}

/// What has become of an account at one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Logins {
    pub good: u32,
    pub failed: u32,
    /// Since the last good one.
    pub failed_in_a_row: u32,
    /// How often it was locked.
    pub locked: u32,
    #[serde(skip)]
    locked_until: Option<Timestamp>,
}

/// The node as its accounts see it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: Timestamp,
    /// The restarts of the node that the tokens belong to: an update forgets them all (whether a real one does is not published).
    pub boots: u32,
    /// The first account was overwritten by a sync: nobody knows its secret any more.
    pub overwritten: bool,
}

/// The API accounts of one node and their valid tokens.
pub struct Tokens {
    accounts: Vec<(Account, Logins)>,
    lifetime: Duration,
    valid: VecDeque<Valid>,
    boots: u32,
    rng: fastrand::Rng,
}

struct Valid {
    token: String,
    issued: Instant,
    account: usize,
}

impl Tokens {
    pub fn new(accounts: Vec<Account>, lifetime: Duration, seed: u64) -> Self {
        let accounts = accounts.into_iter().map(|account| (account, Logins::default())).collect();
        Self { accounts, lifetime, valid: VecDeque::new(), boots: 0, rng: fastrand::Rng::with_seed(seed) }
    }

    /// A new token for the holder of the client id and secret in a `Basic` header, else `None`.
    pub fn issue(&mut self, authorization: Option<&str>, moment: Moment) -> Option<String> {
        let (id, secret) = basic(authorization)?;
        let known = self.accounts.iter_mut().enumerate().find(|(_, (account, _))| account.client_id == id);
        let (account, (known, logins)) = known?;
        let right = known.secret.expose_secret() == secret && !(moment.overwritten && account == 0);
        if !logins.let_in(right, moment.now) {
            return None;
        }
        self.forget(moment);
        let token = format!("{:032x}", self.rng.u128(..));
        self.valid.push_back(Valid { token: token.clone(), issued: Instant::now(), account });
        if self.valid.iter().filter(|valid| valid.account == account).count() > MOST_TOKENS
            && let Some(oldest) = self.valid.iter().position(|valid| valid.account == account)
        {
            self.valid.remove(oldest);
        }
        Some(token)
    }

    /// The account whose valid token the `Bearer` header holds.
    pub fn accepts(&mut self, authorization: Option<&str>, moment: Moment) -> Option<String> {
        self.forget(moment);
        let lifetime = self.lifetime;
        self.valid.retain(|valid| valid.issued.elapsed() < lifetime);
        let token = authorization?.strip_prefix("Bearer ")?.trim();
        let valid = self.valid.iter().find(|valid| valid.token == token)?;
        Some(self.accounts[valid.account].0.client_id.clone())
    }

    /// Ends every token, as a restart does.
    pub fn revoke(&mut self) {
        self.valid.clear();
    }

    pub fn lifetime_secs(&self) -> u64 {
        self.lifetime.as_secs()
    }

    /// What has become of each account.
    pub fn logins(&self) -> Vec<(String, Logins)> {
        self.accounts.iter().map(|(account, logins)| (account.client_id.clone(), logins.clone())).collect()
    }

    fn forget(&mut self, moment: Moment) {
        if moment.boots != self.boots {
            (self.boots, self.valid) = (moment.boots, VecDeque::new());
        }
        if moment.overwritten {
            self.valid.retain(|valid| valid.account != 0);
        }
    }
}

impl Logins {
    /// Counts a login; a locked account takes none, right or wrong.
    fn let_in(&mut self, right: bool, now: Timestamp) -> bool {
        let locked = self.locked_until.is_some_and(|until| now < until);
        if right && !locked {
            (self.good, self.failed_in_a_row) = (self.good + 1, 0);
            return true;
        }
        (self.failed, self.failed_in_a_row) = (self.failed + 1, self.failed_in_a_row + 1);
        if !locked && self.failed_in_a_row >= LOCKED_AFTER {
            self.locked += 1;
            self.locked_until = Some(now + LOCKED_FOR);
        }
        false
    }
}

/// The client id and secret of a `Basic` header.
pub fn basic(authorization: Option<&str>) -> Option<(String, String)> {
    let basic = authorization?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(basic.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn tokens(lifetime: Duration) -> Tokens {
        let account = |id: &str, secret: &str| Account { client_id: id.into(), secret: secret.into() };
        Tokens::new(vec![account("id", "s:1"), account("other", "s:2")], lifetime, 1)
    }

    fn after(minutes: i64) -> Moment {
        let now = Timestamp::from_second(1_790_000_000 + minutes * 60).unwrap();
        Moment { now, boots: 0, overwritten: false }
    }

    #[test]
    fn only_the_accounts_get_a_token() {
        let mut tokens = tokens(LIFETIME);
        for wrong in [None, Some("Basic x"), Some("Bearer x"), Some(header("id:s").as_str()), Some(header("di:s:1").as_str())] {
            assert_eq!(tokens.issue(wrong, after(0)), None, "{wrong:?}");
        }
        assert!(tokens.issue(Some(&header("id:s:1")), after(0)).is_some());
        assert!(tokens.issue(Some(&header("other:s:2")), after(0)).is_some());
    }

    #[test]
    fn the_31st_token_ends_the_first_and_a_restart_ends_all() {
        let mut tokens = tokens(LIFETIME);
        let other = format!("Bearer {}", tokens.issue(Some(&header("other:s:2")), after(0)).unwrap());
        let issued: Vec<String> =
            (0..31).map(|_| format!("Bearer {}", tokens.issue(Some(&header("id:s:1")), after(0)).unwrap())).collect();
        assert_eq!(tokens.accepts(Some(&issued[0]), after(0)), None);
        assert!(issued[1..].iter().all(|header| tokens.accepts(Some(header), after(0)).as_deref() == Some("id")));
        assert_eq!(tokens.accepts(Some(&other), after(0)).as_deref(), Some("other"), "each account has its own thirty");
        assert_eq!(tokens.accepts(Some(&issued[30]), Moment { boots: 1, ..after(0) }), None);
    }

    #[test]
    fn an_expired_token_is_not_accepted() {
        let mut tokens = tokens(Duration::ZERO);
        let token = tokens.issue(Some(&header("id:s:1")), after(0)).unwrap();
        assert_eq!(tokens.accepts(Some(&format!("Bearer {token}")), after(0)), None);
    }

    #[test]
    fn failed_logins_in_a_row_lock_an_account_for_a_while() {
        let mut tokens = tokens(LIFETIME);
        for _ in 0..LOCKED_AFTER {
            assert_eq!(tokens.issue(Some(&header("id:wrong")), after(0)), None);
        }
        assert_eq!(tokens.issue(Some(&header("id:s:1")), after(29)), None, "locked");
        assert!(tokens.issue(Some(&header("other:s:2")), after(0)).is_some(), "the other is not");
        assert!(tokens.issue(Some(&header("id:s:1")), after(30)).is_some());
        assert_eq!((tokens.logins()[0].1.locked, tokens.logins()[0].1.failed, tokens.logins()[0].1.failed_in_a_row), (1, 6, 0));
    }

    #[test]
    fn an_account_that_a_sync_has_overwritten_is_refused_and_its_tokens_with_it() {
        let mut tokens = tokens(LIFETIME);
        let mut hold = |pair: &str| format!("Bearer {}", tokens.issue(Some(&header(pair)), after(0)).unwrap());
        let (first, second) = (hold("id:s:1"), hold("other:s:2"));
        let overwritten = Moment { overwritten: true, ..after(1) };
        assert_eq!(tokens.accepts(Some(&first), overwritten), None);
        assert!(tokens.accepts(Some(&second), overwritten).is_some());
        assert_eq!(tokens.issue(Some(&header("id:s:1")), overwritten), None);
    }
}
