//! How much, how many and how long: every bound of the server in one place.

use std::time::Duration;

/// Request bodies are a few hundred bytes; a window, a note and a path fit into this many times over.
pub const BODY_BYTES: usize = 64 * 1024;

/// A note stands in one journal record, and records stay below the 4 KiB that the store is proven for.
pub const NOTE_CHARS: usize = 1000;

/// Linux has no longer names of users, with the zero byte at its end (`LOGIN_NAME_MAX`).
pub const USER_BYTES: usize = 255;

/// The request line and all headers together; hyper takes no less than 8 KiB.
pub const HEAD_BYTES: usize = 16 * 1024;

pub const HEADERS: usize = 64;

/// For the head of a request, and for its body once more.
pub const READ: Duration = Duration::from_secs(10);

/// So long nothing of an answer may be taken: who asks and doesn't read would keep a place for ever, and there are only
/// [`CONNECTIONS`]. A client on a bad line needs some seconds for what was lost on it.
pub const WRITE: Duration = Duration::from_secs(30);

/// For an answer as a whole: who takes a little of it now and then keeps a place too. The longest journals have some megabytes,
/// which take a line of 64 kB/s a minute or two.
pub const ANSWER: Duration = Duration::from_secs(5 * 60);

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
        path if is_word(path) => Duration::from_secs(120),
        _ => Duration::from_secs(30),
    }
}

/// Checks, what is shown of fresh readings, and the word on a replaced box: two looks at a pair, of which a node that says nothing takes 30 s each.
fn reads_appliances(path: &str) -> bool {
    ["/check", "/way", "/traffic", "/traffic/test", "/replace"].iter().any(|end| path.ends_with(end))
}

/// A person's word to a run. Many are judged by fresh readings, and each waits for the look that the run is at.
fn is_word(path: &str) -> bool {
    const WORDS: [&str; 10] =
        ["abort", "accept", "acknowledge", "close", "confirm", "hold", "release", "resume", "switch-back", "waive"];
    let mut parts = path.split('/');
    parts.next() == Some("runs") && parts.nth(1).is_some_and(|word| WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_an_appliance_is_given_its_time() {
        let cases = [
            ("runs", 900),
            ("sites/support/adopt", 900),
            ("sites/support/check", 120),
            ("sites/support/traffic", 120),
            ("sites/support/traffic/test", 120),
            ("sites/support/nodes/a/replace", 120),
            ("runs/support-1/way", 120),
            ("runs/support-1/resume", 120),
            ("runs/support-1/confirm", 120),
            ("runs/support-1", 30),
            ("runs/support-1/journal", 30),
            ("sites/resume", 30),
        ];
        for (path, seconds) in cases {
            assert_eq!(answer_time(&format!("/api/v1/{path}")).as_secs(), seconds, "{path}");
        }
    }
}
