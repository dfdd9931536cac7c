//! The OAuth2 token of one API account at one box: used again until shortly before its end.
//!
//! A box keeps at most 30 valid tokens for an account and silently drops the oldest, so a token is fetched only when needed,
//! and by one caller at a time (see [`super::access`]).

use std::time::Duration;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

use super::answer::CallError;
use super::credentials::Account;

/// A token is renewed this long before its end, or at half its life if that is later: a call begun with it takes at most
/// half a minute.
const MARGIN: Duration = Duration::from_secs(60);
/// Used where the answer doesn't say; the documented life is an hour.
const UNSTATED_LIFE: u64 = 300;
/// A longer life is not believed; bounds the arithmetic.
const MAX_LIFE: u64 = 86_400;

/// A token and when to stop using it (the machine's clock).
#[derive(Clone)]
pub struct Token {
    pub(super) secret: SecretString,
    pub renew_at: Instant,
    /// Tells tokens apart without comparing secrets.
    pub serial: u64,
    /// Which of the node's sets of credentials it was given to.
    pub set: usize,
    /// There is no token: this user's name and password go with each call.
    pub user: Option<Account>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: SecretString,
    token_type: Option<String>,
    expires_in: Option<u64>,
}

impl Token {
    /// Reads the token endpoint's answer. The text never goes into an error: it holds the token.
    pub fn parse(body: &[u8]) -> Result<Self, CallError> {
        let unusable = |what: &str| CallError::Unusable(format!("the token answer can't be used: {what}"));
        let answer: TokenAnswer =
            serde_json::from_slice(body).map_err(|_| unusable("it is no JSON object with an `access_token`"))?;
        if answer.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(unusable("its `token_type` is not `Bearer`"));
        }
        let life = Duration::from_secs(answer.expires_in.unwrap_or(UNSTATED_LIFE).min(MAX_LIFE));
        let token =
            Self { secret: answer.access_token, renew_at: Instant::now() + usable_for(life), serial: 0, set: 0, user: None };
        token.header()?;
        Ok(token)
    }

    /// Stands for a token where name and password are given in each call.
    pub fn of_user(user: Account) -> Self {
        let renew_at = Instant::now() + Duration::from_secs(MAX_LIFE);
        Self { secret: SecretString::from(""), renew_at, serial: 0, set: 0, user: Some(user) }
    }

    /// The `Authorization` header, marked as not to be shown.
    pub fn header(&self) -> Result<HeaderValue, CallError> {
        let text = SecretString::from(format!("Bearer {}", self.secret.expose_secret()));
        let header = HeaderValue::from_str(text.expose_secret());
        let mut header = header.map_err(|_| CallError::Unusable("the token holds characters that no header may".to_owned()))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

fn usable_for(life: Duration) -> Duration {
    life.saturating_sub(MARGIN).max(life / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_its_end() {
        for (life, usable) in [(3600, 3540), (120, 60), (100, 50), (60, 30), (1, 0), (0, 0)] {
            assert_eq!(usable_for(Duration::from_secs(life)).as_secs(), usable, "{life}");
        }
    }

    #[test]
    fn odd_token_answers_are_refused_without_showing_them() {
        for body in ["", "{}", "[]", r#"{"access_token":"s3cret"#, r#"{"access_token":"s3cret\n"}"#, r#"{"access_token":1}"#] {
            let error = Token::parse(body.as_bytes()).err().unwrap().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        assert!(Token::parse(br#"{"access_token":"x","token_type":"mac"}"#).is_err());
        assert!(Token::parse(br#"{"access_token":"x","more":{}}"#).is_ok());
    }
}
