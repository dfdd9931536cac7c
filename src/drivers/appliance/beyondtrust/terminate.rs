//! Ending the sessions that are under way on one box (BG-02): `terminate_session` for each, or `DELETE /session/{lsid}` where
//! the box has the JSON edition.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;

use super::answer::{CallError, check_status, read_all, says_denied, within};
use super::call::Call;
use super::client::Api;
use super::health::{AnswerError, shown};
use super::product::Product;
use super::sessions::open_sessions;
use super::token::Token;
use super::v2;
use super::xml::Node;

/// A session that began earlier is not looked for: as in an extraction.
const BEGAN_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A listing has some 500 bytes a session: room for more sessions than a site has in a week.
const MAX_LISTING: usize = 32 << 20;

/// Ends every session that the box lists without an end.
///
/// # Effect
/// Who works in one of them loses it. Users stay logged in.
///
/// # Repeat
/// Harmless: a session that is gone can't be ended again.
///
/// # Errors
/// `Denied` where the account may not end sessions; the right is an administrator's. That one session could not be ended is no
/// error, it may just have ended by itself: whether any is left the readings show.
///
/// # Source
/// Vendor documentation of the command and reporting APIs. That the listing has the end of each session is only true of records
/// seen of the product's session reports; where it has none, every session of a week is asked to end, and those that are over
/// answer with an error.
pub async fn end_sessions(api: &Api, product: Product, now: Timestamp, by_v2: bool) -> Result<u64, CallError> {
    let from = now.checked_sub(BEGAN_WITHIN).unwrap_or(Timestamp::UNIX_EPOCH);
    let listing = api.authorised(|token| listing(api, token, product, from)).await?;
    let mut ended = 0;
    for lsid in open_sessions(&listing)? {
        let has_ended = match by_v2 {
            true => api.authorised(|token| v2::end_session(api, token, &lsid)).await?,
            false => api.authorised(|token| terminate(api, token, &lsid)).await?,
        };
        ended += u64::from(has_ended);
    }
    Ok(ended)
}

async fn listing(api: &Api, token: Token, product: Product, from: Timestamp) -> Result<Vec<u8>, CallError> {
    let query = vec![
        ("generate_report", product.listing().to_owned()),
        ("start_time", from.as_second().to_string()),
        // Up to now.
        ("duration", "0".to_owned()),
    ];
    let call = Call { method: Method::GET, path: "/api/reporting", query };
    answer(api, &token, &call, MAX_LISTING).await
}

/// False if the box says that it could not.
async fn terminate(api: &Api, token: Token, lsid: &str) -> Result<bool, CallError> {
    let parameters = vec![("action", "terminate_session".to_owned()), ("lsid", lsid.to_owned())];
    let call = Call { method: Method::POST, path: "/api/command", query: parameters };
    let body = answer(api, &token, &call, MAX_LISTING).await?;
    let root = Node::parse(&body).map_err(AnswerError::from)?;
    match root.error() {
        Some(text) if says_denied(text) => Err(CallError::Denied(format!("the box answered the error `{}`", shown(text)))),
        Some(text) => {
            tracing::debug!(lsid, message = %shown(text), "a session could not be ended");
            Ok(false)
        }
        None => Ok(true),
    }
}

async fn answer(api: &Api, token: &Token, call: &Call<'_>, limit: usize) -> Result<Vec<u8>, CallError> {
    let read = async {
        let response = api.send(token, call).await?;
        let status = response.status();
        let body = read_all(response, limit).await?;
        check_status(status, &body)?;
        Ok(body)
    };
    within(api.limits.first_byte, "no whole answer", read).await
}
