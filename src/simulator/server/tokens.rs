//! The token endpoint's memory: who may call, and for how long.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// Life of a token, machine time.
pub const LIFETIME: Duration = Duration::from_secs(3600);
/// More make the oldest invalid, silently for whoever holds it.
pub const MOST_TOKENS: usize = 30;

/// The API account of one node and its valid tokens.
pub struct Tokens {
    client_id: String,
    secret: SecretString,
    lifetime: Duration,
    valid: VecDeque<(String, Instant)>,
    /// The restarts of the node that the tokens belong to: an update forgets them all (whether a real one does is not published).
    boots: u32,
    rng: fastrand::Rng,
}

impl Tokens {
    pub fn new(client_id: String, secret: SecretString, lifetime: Duration, seed: u64) -> Self {
        Self { client_id, secret, lifetime, valid: VecDeque::new(), boots: 0, rng: fastrand::Rng::with_seed(seed) }
    }

    /// A new token for the holder of the client id and secret in a `Basic` header, else `None`.
    pub fn issue(&mut self, authorization: Option<&str>, boots: u32) -> Option<String> {
        let basic = authorization?.strip_prefix("Basic ")?;
        let pair = String::from_utf8(STANDARD.decode(basic.trim()).ok()?).ok()?;
        let (id, secret) = pair.split_once(':')?;
        if id != self.client_id || secret != self.secret.expose_secret() {
            return None;
        }
        self.forget_after(boots);
        let token = format!("{:032x}", self.rng.u128(..));
        self.valid.push_back((token.clone(), Instant::now()));
        if self.valid.len() > MOST_TOKENS {
            self.valid.pop_front();
        }
        Some(token)
    }

    /// True if the `Bearer` header holds a valid token.
    pub fn accepts(&mut self, authorization: Option<&str>, boots: u32) -> bool {
        self.forget_after(boots);
        let lifetime = self.lifetime;
        self.valid.retain(|(_, issued)| issued.elapsed() < lifetime);
        let token = authorization.and_then(|header| header.strip_prefix("Bearer "));
        token.is_some_and(|token| self.valid.iter().any(|(valid, _)| valid == token.trim()))
    }

    pub fn lifetime_secs(&self) -> u64 {
        self.lifetime.as_secs()
    }

    fn forget_after(&mut self, boots: u32) {
        if boots != self.boots {
            (self.boots, self.valid) = (boots, VecDeque::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn tokens(lifetime: Duration) -> Tokens {
        Tokens::new("id".into(), "s:1".into(), lifetime, 1)
    }

    #[test]
    fn only_the_account_gets_a_token() {
        let mut tokens = tokens(LIFETIME);
        for wrong in [None, Some("Basic x"), Some("Bearer x"), Some(basic("id:s").as_str()), Some(basic("di:s:1").as_str())] {
            assert_eq!(tokens.issue(wrong, 0), None, "{wrong:?}");
        }
        assert!(tokens.issue(Some(&basic("id:s:1")), 0).is_some());
    }

    #[test]
    fn the_31st_token_ends_the_first_and_a_restart_ends_all() {
        let mut tokens = tokens(LIFETIME);
        let issued: Vec<String> =
            (0..31).map(|_| format!("Bearer {}", tokens.issue(Some(&basic("id:s:1")), 0).unwrap())).collect();
        assert!(!tokens.accepts(Some(&issued[0]), 0));
        assert!(issued[1..].iter().all(|header| tokens.accepts(Some(header), 0)));
        assert!(!tokens.accepts(Some(&issued[30]), 1));
    }

    #[test]
    fn an_expired_token_is_not_accepted() {
        let mut tokens = tokens(Duration::ZERO);
        let token = tokens.issue(Some(&basic("id:s:1")), 0).unwrap();
        assert!(!tokens.accepts(Some(&format!("Bearer {token}")), 0));
    }
}
