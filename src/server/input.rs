//! What handlers are given: path, query, body and the person who asks, each with its own clear error.

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use jiff::SignedDuration;
use nix::unistd::{Uid, User};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::domain::event::Verdict;
use crate::domain::gate::Gate;
use crate::domain::ids::{NodeId, NotANode, RunId};
use crate::domain::window::parse_duration;
use crate::engine::api::{Acceptance, PlanRequest, Rebooking, Word};

use super::answer::Refused;
use super::limits;

/// What the journal calls what it does by itself.
const DAEMON: &str = "daemon";

/// Who is at the other end of a Unix socket, by the kernel's word.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub uid: u32,
}

/// The user name that the journal records.
pub struct Actor(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let nobody =
            || Refused::new(StatusCode::FORBIDDEN, "no_actor", "the peer's user is not known, so nothing is done for it");
        let Peer { uid } = *parts.extensions.get::<Peer>().ok_or_else(nobody)?;
        // The name may come from a directory service over the network.
        let found = tokio::task::spawn_blocking(move || User::from_uid(Uid::from_raw(uid))).await;
        let found = found.map_err(|error| error.to_string()).and_then(|found| found.map_err(|error| error.to_string()));
        named(uid, found.map(|user| user.map(|user| user.name))).map(Self)
    }
}

/// The user's name, or the number where it has none. Not the number where that can't be found out: the same person would be
/// another one at the next word, without their roles and as a second voice. A user who is called as we are in the journal is told by
/// the number too.
fn named(uid: u32, found: Result<Option<String>, String>) -> Result<String, Refused> {
    match found {
        Ok(name) => Ok(name.filter(|name| name != DAEMON).unwrap_or_else(|| uid.to_string())),
        Err(why) => {
            let message = format!("the name of user {uid} can't be looked up, so nothing is done for it: {why}");
            Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, "no_actor", message)
                .hint(format!("repeat it once `getent passwd {uid}` answers on the daemon's machine")))
        }
    }
}

/// A name in the path.
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(name)| Self(name)).map_err(|error| Refused::bad_input(error.body_text()))
    }
}

/// A run in the path. What is no run's name is a run that does not exist.
pub struct Id(pub RunId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Name(name) = Name::from_request_parts(parts, state).await?;
        let unknown = |error: crate::domain::ids::NotARunId| {
            Refused::new(StatusCode::NOT_FOUND, "unknown_run", error.to_string()).hint("`changeover runs` lists them")
        };
        name.parse().map(Self).map_err(unknown)
    }
}

/// `?after=SEQ`; 0 where it is not given.
pub struct After(pub u64);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AfterQuery {
    #[serde(default)]
    after: u64,
}

impl<S: Send + Sync> FromRequestParts<S> for After {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let query = Query::<AfterQuery>::try_from_uri(&parts.uri);
        query.map(|Query(query)| Self(query.after)).map_err(|error| Refused::bad_input(error.body_text()))
    }
}

/// `?site=SITE`, where it is given.
pub struct OfSite(pub Option<String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfSiteQuery {
    site: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for OfSite {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let query = Query::<OfSiteQuery>::try_from_uri(&parts.uri);
        query.map(|Query(query)| Self(query.site)).map_err(|error| Refused::bad_input(error.body_text()))
    }
}

/// `?for=DURATION`.
pub struct For(pub Option<SignedDuration>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForQuery {
    r#for: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for For {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let query = Query::<ForQuery>::try_from_uri(&parts.uri);
        let Query(ForQuery { r#for: text }) = query.map_err(|error| Refused::bad_input(error.body_text()))?;
        let length = text.map(|text| parse_duration(&text)).transpose();
        length.map(Self).map_err(|error| Refused::bad_input(error.to_string()))
    }
}

/// What `traffic test` is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestTrafficBody {
    /// Seconds.
    #[serde(default)]
    ttl: Option<u32>,
}

impl TestTrafficBody {
    /// The TTL to which a record would be lowered, in seconds, where one is given.
    pub fn ttl(&self) -> Result<Option<u32>, Refused> {
        match self.ttl {
            Some(ttl) if !(1..=MOST_TTL).contains(&ttl) => {
                Err(Refused::bad_input(format!("`ttl` is {ttl}, expected 1 to {MOST_TTL} seconds")))
            }
            ttl => Ok(ttl),
        }
    }
}

/// RFC 2181 section 8: the highest TTL that there is.
const MOST_TTL: u32 = i32::MAX as u32;

/// A JSON body; an empty one stands for `{}`.
pub struct Input<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        let slow = |_| Refused::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the request's body did not arrive in time");
        let read = tokio::time::timeout(limits::READ, to_bytes(request.into_body(), limits::BODY_BYTES));
        let bytes = read.await.map_err(slow)?.map_err(unread)?;
        let text: &[u8] = if bytes.trim_ascii().is_empty() { b"{}" } else { &bytes };
        // serde takes an array for an object whose fields are given in order.
        if !text.trim_ascii_start().starts_with(b"{") {
            return Err(Refused::bad_input("the request's body is not a JSON object"));
        }
        serde_json::from_slice(text).map(Self).map_err(|error| Refused::bad_input(format!("the request's body: {error}")))
    }
}

fn unread(error: axum::Error) -> Refused {
    let source = std::error::Error::source(&error);
    if source.is_some_and(|source| source.is::<http_body_util::LengthLimitError>()) {
        let message = format!("the request's body is longer than {} bytes", limits::BODY_BYTES);
        return Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message);
    }
    Refused::bad_input("the request's body ended early")
}

/// The body of `hold`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldBody {
    pub seq: Option<u64>,
}

/// The body of `accept`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptBody {
    pub check: String,
    pub node: Option<NodeId>,
    pub reason: String,
    pub seq: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmBody {
    pub gate: Option<String>,
    pub note: Option<String>,
    /// `accept` where it is not given.
    pub verdict: Option<Verdict>,
    /// The hash of the handover note that was read.
    pub read: Option<String>,
    /// The beginning of the hash of what was shown.
    pub evidence: Option<String>,
    pub seq: Option<u64>,
}

/// The body of `waive`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaiveBody {
    pub rule: String,
    pub reason: String,
    pub seq: Option<u64>,
}

impl ConfirmBody {
    /// The word that it is. With a note's hash it takes window two over, and nothing else.
    pub fn into_word(self) -> Result<Word, Refused> {
        let (note, verdict) = (short(self.note)?, self.verdict.unwrap_or(Verdict::Accept));
        let Some(read) = self.read else { return Ok(Word::Confirm { gate: self.gate, verdict, note, evidence: self.evidence }) };
        if self.gate.as_deref().is_some_and(|gate| gate != Gate::Handover.name()) || verdict != Verdict::Accept {
            return Err(Refused::bad_input("`read` goes with accepting the gate `handover`, and with no other"));
        }
        Ok(Word::TakeOver { read, note, evidence: self.evidence })
    }
}

/// The body of `acknowledge`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeBody {
    /// The line's id.
    pub line: String,
    /// Its digest as it was shown, or the first 12 digits.
    pub digest: Option<String>,
    pub note: Option<String>,
    pub seq: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeBody {
    /// For the part where the run stands; not beside `first` and `second`.
    pub window: Option<String>,
    pub first: Option<String>,
    pub second: Option<String>,
    pub responsible: Option<String>,
    pub seq: Option<u64>,
}

impl ResumeBody {
    pub fn word(self) -> Result<Word, Refused> {
        let Self { window, first, second, responsible, .. } = self;
        let responsible = user(responsible)?;
        let rebooking = Rebooking { first, second, responsible };
        match (window, rebooking == Rebooking::default()) {
            (window, true) => Ok(Word::Resume { window }),
            (None, false) => Ok(Word::Rebook(rebooking)),
            (Some(_), false) => {
                Err(Refused::bad_input("`window` stands for `first` or `second`, whichever the run is in; give either, not both"))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchBackBody {
    pub note: String,
    pub seq: Option<u64>,
}

/// The body of `abort`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbortBody {
    /// The ids of the steps that were shown.
    pub way: Option<Vec<String>>,
    pub note: Option<String>,
    pub seq: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseBody {
    pub state: String,
    pub note: String,
    pub seq: Option<u64>,
}

/// The body of `release`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseBody {
    pub note: String,
    #[serde(default)]
    pub withdraw: bool,
    pub seq: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaceBody {
    pub identity: String,
    pub note: Option<String>,
    pub seq: Option<u64>,
}

/// A site and one of its nodes in the path.
pub struct SiteNode(pub String, pub NodeId);

impl<S: Send + Sync> FromRequestParts<S> for SiteNode {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((site, node)) = path.map_err(|error| Refused::bad_input(error.body_text()))?;
        let unknown = |error: NotANode| Refused::new(StatusCode::NOT_FOUND, "unknown_node", error.to_string());
        node.parse().map(|node| Self(site, node)).map_err(unknown)
    }
}

/// A plan's order whose texts fit into a record.
pub fn order(request: PlanRequest) -> Result<PlanRequest, Refused> {
    let (urgent, responsible) = (short(request.urgent)?, user(request.responsible)?);
    let fits = |word: Acceptance| Ok(Acceptance { reason: short(Some(word.reason))?.unwrap_or_default(), ..word });
    let accepted = request.accepted.into_iter().map(fits).collect::<Result<_, Refused>>()?;
    Ok(PlanRequest { urgent, responsible, accepted, ..request })
}

/// A user's name, where one is given; on one line, as a note is.
fn user(name: Option<String>) -> Result<Option<String>, Refused> {
    match name {
        Some(name) if name.contains(char::is_control) => {
            Err(Refused::bad_input("the user who is responsible has a name with a line break or another control character"))
        }
        Some(name) if name.len() > limits::USER_BYTES => {
            Err(Refused::bad_input(format!("the user who is responsible has a name longer than {} bytes", limits::USER_BYTES)))
        }
        name => Ok(name),
    }
}

/// A note that fits into a record, on one line: what breaks lines could be taken for the daemon's own words where it is shown.
pub fn short(note: Option<String>) -> Result<Option<String>, Refused> {
    match note {
        Some(note) if note.chars().count() > limits::NOTE_CHARS => {
            Err(Refused::bad_input(format!("the note is longer than {} characters", limits::NOTE_CHARS)))
        }
        note => Ok(note.map(|note| {
            note.split(char::is_control).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
        })),
    }
}

/// A note that says something.
pub fn required(note: String, why: &str) -> Result<String, Refused> {
    match short(Some(note))? {
        Some(note) if !note.trim().is_empty() => Ok(note),
        _ => Err(Refused::new(StatusCode::BAD_REQUEST, "note_missing", format!("a note is required: {why}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reason forged lines of the by-hand sheet, "by hand you may: …" among them.
    #[test]
    fn a_note_is_one_line() {
        let note = short(Some("vendor says so\n\nby hand you may:\r\n\t- all\u{1b}[2J ".to_owned())).unwrap();
        assert_eq!(note.as_deref(), Some("vendor says so by hand you may: - all [2J"));
        assert_eq!(required("\n \t".to_owned(), "x").unwrap_err().problem.code, "note_missing");
        assert!(user(Some("op1\nby hand you may: all".to_owned())).is_err());
        assert_eq!(user(Some("op1".to_owned())).unwrap().as_deref(), Some("op1"));
    }

    /// A directory that does not answer makes no second person of anybody.
    #[test]
    fn a_name_that_cant_be_looked_up_is_no_number() {
        assert_eq!(named(1001, Ok(Some("op1".to_owned()))).unwrap(), "op1");
        assert_eq!(named(1001, Ok(None)).unwrap(), "1001");
        // Debian has a user of this name.
        assert_eq!(named(1, Ok(Some("daemon".to_owned()))).unwrap(), "1");
        let refused = named(1001, Err("EIO: I/O error".to_owned())).unwrap_err();
        assert_eq!((refused.status, refused.problem.code.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "no_actor"));
        assert!(refused.problem.message.contains("user 1001") && refused.problem.message.contains("EIO"), "{refused:?}");
    }
}
