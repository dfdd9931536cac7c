//! How often each kind of call was made, so that a test can say that something only reads.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hyper::Method;

use super::form::Form;
use super::listen::Call;
use super::v2;

/// The commands of the vendor's interface that change nothing.
const READING: [&str; 5] = ["check_health", "get_api_info", "get_appliances", "get_logged_in_reps", "get_connected_client_list"];

/// Calls by kind: `token`, `page`, `read`, `report`, `backup`, `write`. Whatever is not known to read writes.
#[derive(Default)]
pub struct Counts(Mutex<BTreeMap<&'static str, u64>>);

impl Counts {
    pub fn count(&self, call: &Call) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kind(call)).or_default() += 1;
    }

    pub fn all(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn kind(call: &Call) -> &'static str {
    match call.path.strip_suffix(".ns").unwrap_or(&call.path) {
        "/oauth2/token" => "token",
        "/" | "/check_health" if call.method == Method::GET => "page",
        "/api/reporting" => "report",
        "/api/backup" => "backup",
        "/api/command" => {
            let form = Form::of(call);
            if READING.contains(&form.value("action").unwrap_or_default()) { "read" } else { "write" }
        }
        path if path.starts_with(v2::BASE) && [Method::GET, Method::HEAD].contains(&call.method) => "read",
        _ => "write",
    }
}
