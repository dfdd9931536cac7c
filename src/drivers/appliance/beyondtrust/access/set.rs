//! One set of credentials with what is counted of it, and the pace of its calls: each waits for its turn, and what the box says of
//! the account's rate is taken to heart.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::super::accounts::Use;
use super::super::answer::CallError;
use super::super::budget::{Budget, Need};
use super::super::credentials::Credentials;

/// So often a call is made that the box answers with 429.
pub const MOST_LIMITED: usize = 3;
/// A reading waits so long for its turn at most: a look must end.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// One set with what is counted of it.
pub struct Set {
    pub credentials: Credentials,
    pub budget: Arc<Budget>,
    pub counts: Arc<Use>,
}

impl Set {
    /// Waits for a turn of the account.
    pub async fn turn(&self, need: Need) -> Result<(), CallError> {
        let patience = (need == Need::Reading).then_some(PATIENCE);
        let waited = self.budget.turn(need, patience).await.map_err(|until| {
            let name = &self.credentials.client.name;
            CallError::Unavailable(format!(
                "nothing was asked: account `{name}` may not be used before {until:.0}, by its share of calls or by a pause that the box asked for"
            ))
        })?;
        self.counts.waited(waited);
        Use::add(&self.counts.calls);
        Ok(())
    }

    /// Takes from an answer's head what it says of the account's rate.
    pub fn note(&self, status: StatusCode, headers: &HeaderMap, now: Timestamp) {
        if status == StatusCode::TOO_MANY_REQUESTS {
            Use::add(&self.counts.limited);
            self.budget.limited(retry_after(headers, now));
        } else {
            self.budget.answered(number(headers, "x-ratelimit-limit"), number(headers, "x-ratelimit-remaining"));
        }
    }
}

/// What is said of a call that the box answered with 429 each time.
pub fn limited(said: &str) -> CallError {
    CallError::Unavailable(format!("{said}, {MOST_LIMITED} times with pauses"))
}

/// `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(SignedDuration::from_secs(seconds.into()));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(date.duration_since(now))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn a_pause_is_told_in_seconds_or_as_a_date() {
        let now: Timestamp = "2026-11-22T02:00:00Z".parse().unwrap();
        for (text, pause) in [
            ("30", Some(30)),
            (" 0 ", Some(0)),
            ("Sun, 22 Nov 2026 02:01:30 GMT", Some(90)),
            ("Sun, 22 Nov 2026 01:59:00 GMT", Some(-60)),
            ("soon", None),
            ("-5", None),
            ("99999999999999999999", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([("retry-after".parse().unwrap(), HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers, now), pause.map(SignedDuration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
