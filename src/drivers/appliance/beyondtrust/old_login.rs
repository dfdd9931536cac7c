//! The login of releases before 16.1: user name and password as parameters beside `action`, at paths that end in `.ns`.
//!
//! Releases from 16.1 on go on taking it from those who used it before. Everything is posted as a form, so that the password
//! stands in no URL and in no log of a box. The API of the JSON edition and the configuration API never knew this login.
//!
//! # Source
//! Vendor documentation of the old command API (the parameters, GET and POST); the paths from a public client of 2012. Whether
//! a later release keeps the paths is not documented, so the same call is made once more without the `.ns` where there is none.

use reqwest::header::{ACCEPT, HeaderName};
use reqwest::{Client, RequestBuilder, Url};
use secrecy::ExposeSecret as _;

use super::answer::CallError;
use super::call::Call;
use super::credentials::Account;

/// The paths that took this login.
const PATHS: [&str; 3] = ["/api/command", "/api/reporting", "/api/backup"];

/// The paths to try for a call, the old one first.
///
/// # Errors
/// `Unusable` for an API that came with the API accounts; nothing is sent.
pub fn paths(call: &Call<'_>, user: &Account) -> Result<[String; 2], CallError> {
    if PATHS.contains(&call.path) {
        return Ok([format!("{}.ns", call.path), call.path.to_owned()]);
    }
    Err(CallError::Unusable(format!(
        "`{}` takes only an API account, and this node is reached with user name `{}`; nothing was asked",
        call.path, user.name
    )))
}

/// The call as a form with the user's name and password.
pub fn request(http: &Client, url: Url, call: &Call<'_>, user: &Account, header: &(HeaderName, &str)) -> RequestBuilder {
    let mut form: Vec<(&str, &str)> = call.query.iter().map(|(name, value)| (*name, value.as_str())).collect();
    form.extend([("username", user.name.as_str()), ("password", user.secret.expose_secret())]);
    let accepted = if header.0 == ACCEPT { header.1 } else { "*/*" };
    http.post(url).header(ACCEPT, accepted).form(&form)
}
