//! How much, how many and how long: every bound of the server in one place.

use std::time::Duration;

/// Request bodies are a few hundred bytes; a window, a note and a path fit into this many times over.
pub const BODY_BYTES: usize = 64 * 1024;

/// A note stands in one journal record, and records stay below the 4 KiB that the store is proven for.
pub const NOTE_CHARS: usize = 1000;

/// The request line and all headers together; hyper takes no less than 8 KiB.
pub const HEAD_BYTES: usize = 16 * 1024;

pub const HEADERS: usize = 64;

/// For the head of a request, and for its body once more.
pub const READ: Duration = Duration::from_secs(10);

/// Each connection holds one descriptor; daemons commonly may open 1024, and appliances, store and programs need theirs.
pub const CONNECTIONS: usize = 256;

/// After the daemon was told to end, requests under way get this long.
pub const LINGER: Duration = Duration::from_millis(500);

/// How long a request may take before it is answered with 504.
///
/// Plans and starts hash and copy a package of several GB (some 200 MB/s from a slow disk); checks and test alerts wait for
/// appliances and hooks, whose own time-outs are tens of seconds.
pub fn answer_time(path: &str) -> Duration {
    match path.trim_start_matches("/api/v1/") {
        "plans" | "runs" => Duration::from_secs(15 * 60),
        path if path.ends_with("/adopt") || path.ends_with("/adopt/plan") => Duration::from_secs(15 * 60),
        path if reads_appliances(path) || path == "alerts/test" => Duration::from_secs(120),
        _ => Duration::from_secs(30),
    }
}

/// Checks, and what is judged by fresh readings.
fn reads_appliances(path: &str) -> bool {
    ["/check", "/way", "/abort"].iter().any(|end| path.ends_with(end))
}
