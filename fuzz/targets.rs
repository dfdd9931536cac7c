//! The fuzz targets: what reads input from outside, and what must be true of whatever it accepts.
//!
//! Shared by the fuzz crate (coverage-guided, nightly) and by `tests/it/fuzz.rs` (mutations of the corpus, in the test command).
//! A target panics where a promise is broken; that a parser panics is found by itself.

use std::net::Ipv4Addr;

use changeover::domain::ids::{NodeId, PerNode};
use changeover::domain::plan::PackageNote;
use changeover::domain::procedure::Procedure;
use changeover::domain::window::{Window, format_duration, parse_duration};
use changeover::drivers::appliance::{beyondtrust, exec};
use changeover::drivers::store;
use changeover::drivers::traffic::rfc2136;
use changeover::simulator::zone;

/// A target: it gets any bytes at all.
pub type Target = fn(&[u8]);

/// Every target by name; its corpus is `fuzz/corpus/<name>`.
pub const TARGETS: [(&str, Target); 16] = [
    ("health_xml", health_xml),
    ("users_xml", users_xml),
    ("api_info_xml", api_info_xml),
    ("v2_json", v2_json),
    ("report", report),
    ("token", token),
    ("page", page),
    ("configuration", configuration),
    ("manifest", manifest),
    ("exec_observe", exec_observe),
    ("dns_answer", dns_answer),
    ("dns_zone", dns_zone),
    ("journal_line", journal_line),
    ("procedure", procedure),
    ("window", window),
    ("calendar", calendar),
];

/// Runs one target by its name.
pub fn run(name: &str, data: &[u8]) {
    for (_, target) in TARGETS.iter().filter(|(own, _)| *own == name) {
        target(data);
    }
}

/// A document of which the last closing tag is cut off is not whole.
fn assert_whole(document: &[u8], accepted: impl Fn(&[u8]) -> bool) {
    if let Some(end) = document.iter().rposition(|byte| *byte == b'<').filter(|end| document.get(end + 1) == Some(&b'/')) {
        assert!(!accepted(&document[..end]), "accepted without its last tag");
    }
}

fn contains(document: &[u8], word: &str) -> bool {
    document.windows(word.len()).any(|part| part == word.as_bytes())
}

/// A health has a GUID, a version and a role, and is no error.
fn health_xml(document: &[u8]) {
    if let Some((identity, version, role)) = beyondtrust::fuzzing::health(document) {
        assert!(identity.len() == 32 && identity.bytes().all(|byte| byte.is_ascii_hexdigit()), "{identity}");
        assert!(version.bytes().next().is_some_and(|byte| byte.is_ascii_digit()), "{version}");
        assert!(["primary", "standby", "standalone"].contains(&role), "{role}");
        assert!(contains(document, "health_check") && contains(document, "failover_role"));
        assert_whole(document, |cut| beyondtrust::fuzzing::health(cut).is_some());
    }
}

fn users_xml(document: &[u8]) {
    if let Some((users, _)) = beyondtrust::fuzzing::people(document) {
        assert!(contains(document, "logged_in_reps"));
        assert!(users as usize <= document.len() / 4, "{users} users in {} bytes", document.len());
        assert_whole(document, |cut| beyondtrust::fuzzing::people(cut).is_some());
    }
}

fn api_info_xml(document: &[u8]) {
    if let Some(at) = beyondtrust::fuzzing::clock(document) {
        assert!(at.as_second() > 0 && contains(document, "timestamp"));
        assert_whole(document, |cut| beyondtrust::fuzzing::clock(cut).is_some());
    }
}

/// The JSON edition: the same of a health; a list is a list, and its members have GUIDs.
fn v2_json(document: &[u8]) {
    let guid = |text: &String| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some((identity, version, role)) = beyondtrust::fuzzing::health_v2(document) {
        assert!(guid(&identity) && version.bytes().next().is_some_and(|byte| byte.is_ascii_digit()));
        assert!(["primary", "standby", "standalone"].contains(&role), "{role}");
    }
    let (users, clock, members) = beyondtrust::fuzzing::lists_v2(document);
    assert!(users.is_none() || clock.is_none(), "a list and an object at once");
    assert!(users.is_none_or(|users| users as usize <= document.len()));
    assert!(members.is_none_or(|members| members.iter().all(guid)), "a member without a GUID");
}

/// A report that is cut off is never taken as complete; ids are texts that can be one; what is kept of a session is bounded.
fn report(document: &[u8]) {
    let _ = beyondtrust::fuzzing::recording(document);
    if let Some((lsids, largest)) = beyondtrust::fuzzing::report(document) {
        assert!(lsids.iter().all(|lsid| (1..=64).contains(&lsid.len()) && !lsid.chars().any(char::is_control)), "{lsids:?}");
        assert!(lsids.len() <= document.len() / 8, "{} sessions in {} bytes", lsids.len(), document.len());
        assert!(largest <= 2 << 20, "{largest}");
        assert_whole(document, |cut| beyondtrust::fuzzing::report(cut).is_some());
    }
}

/// (Fields that nobody asks for are skipped over, so not everything accepted is JSON throughout.)
fn token(document: &[u8]) {
    if beyondtrust::fuzzing::token(document)
        && let Ok(value) = serde_json::from_slice::<serde_json::Value>(document)
    {
        let token = value.get("access_token").or_else(|| value.get(0)).and_then(serde_json::Value::as_str);
        assert!(token.is_some_and(|token| token.chars().all(|c| !c.is_control() || c == '\t')), "no token, or none for a header");
    }
}

/// Words are no longer than the page, for each kind of what encloses them and each byte that is none of UTF-8's; a button sends
/// no more than the page has.
fn page(document: &[u8]) {
    if let Some((words, sent, controls)) = beyondtrust::fuzzing::page(document) {
        assert!(words <= 64 + 16 * document.len(), "{words} bytes of words in {} bytes", document.len());
        assert!(sent <= controls && controls <= document.len(), "{sent} sent, {controls} controls in {} bytes", document.len());
    }
}

/// A list of settings, or of Jump Clients: names are short and plain, digests are digests, and no more need the update than there are.
fn configuration(document: &[u8]) {
    if let Some((items, (need, all))) = beyondtrust::fuzzing::configuration(document) {
        assert!(need <= all && items.len() as u64 <= all, "{need} of {all}, {} items", items.len());
        for (name, digest) in items {
            assert!(name.chars().count() <= 64 && !name.chars().any(char::is_control), "{name:?}");
            assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
        }
    }
}

/// No more whole lines than line ends.
fn manifest(document: &[u8]) {
    assert!(beyondtrust::fuzzing::manifest(document) <= document.iter().filter(|byte| **byte == b'\n').count());
}

fn exec_observe(stdout: &[u8]) {
    if let Some(observation) = exec::fuzzing::observe(stdout) {
        assert!(stdout.trim_ascii_start().starts_with(b"{"), "only an object is an answer");
        assert!(observation.may_be_old.as_secs() >= 0 && observation.identity.len() <= 4096);
        assert!(observation.as_of.is_none_or(|as_of| as_of <= observation.at), "no reading proves what comes after it");
    }
}

const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const B: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 20);

/// A node is named only by a message that holds its address, and by none that holds the other's for the same name.
fn dns_answer(message: &[u8]) {
    let addresses = PerNode { a: A, b: B };
    if let Some(node) = rfc2136::fuzzing::answer(message, "support.example.com.", addresses) {
        let own = addresses[node].octets();
        assert!(message.windows(4).any(|part| part == own), "{node} without its address");
        assert!(message[2] & 0x04 != 0, "{node} without authority");
        let turned = rfc2136::fuzzing::answer(message, "support.example.com.", PerNode { a: B, b: A });
        assert_eq!(turned, Some(node.other()), "the verdict follows the address");
    }
    assert!(rfc2136::fuzzing::answer(message, "support.example.com.", PerNode { a: A, b: A }) != Some(NodeId::B));
}

/// An update that is refused changes nothing, one that is taken moves the serial at most by one.
fn dns_zone(message: &[u8]) {
    for datagram in [true, false] {
        if let Some((before, after, taken)) = zone::fuzzing::message(message, datagram) {
            assert!(taken || before == after, "refused, and changed");
            assert!(after.wrapping_sub(before) <= 1);
        }
    }
}

/// One changed bit is always found.
fn journal_line(line: &[u8]) {
    if let (true, _) = store::fuzzing::line(line) {
        let mut changed = line.to_vec();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        assert!(!store::fuzzing::line(&changed).0, "a changed bit was not found");
    }
}

/// A procedure that is accepted can be planned, from either node.
fn procedure(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Ok(procedure) = Procedure::load("fuzzing", text) {
        for node in NodeId::BOTH {
            assert!(!procedure.resolve(node).is_empty());
        }
    }
    let _ = toml::from_str::<PackageNote>(text);
}

fn window(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let now = jiff::Timestamp::from_second(1_790_000_000).unwrap_or_default();
    if let Ok(window) = Window::parse(text, now) {
        assert!(window.from <= window.to, "{text}");
    }
    if let Ok(length) = parse_duration(text) {
        assert_eq!(parse_duration(&format_duration(length)).ok(), Some(length), "{text}");
    }
}

fn calendar(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Ok(spans) = changeover::config::fuzzing::calendar(text) {
        assert!(spans == 0 || text.to_ascii_uppercase().contains("VEVENT"), "{spans} times without an event");
    }
}
