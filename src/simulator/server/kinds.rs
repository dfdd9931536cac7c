//! Of what kind a call is: whether it only reads.

use hyper::Method;

use super::form::Form;
use super::listen::Call;
use super::pages::is_page;
use super::v2;

/// The commands of the vendor's interface that change nothing.
const READING: [&str; 5] = ["check_health", "get_api_info", "get_appliances", "get_logged_in_reps", "get_connected_client_list"];

/// `token`, `page`, `read`, `report`, `backup` or `write`. Whatever is not known to read writes.
pub(super) fn of(call: &Call) -> &'static str {
    match call.path.strip_suffix(".ns").unwrap_or(&call.path) {
        "/oauth2/token" => "token",
        path if call.method == Method::GET && is_page(path) => "page",
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
