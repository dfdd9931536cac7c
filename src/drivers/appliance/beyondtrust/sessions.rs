//! Reads reports of sessions as a stream: one session at a time, never the report in memory.
//!
//! Elements are known by their local names (BG-52) and sessions by LSID, always a text (BG-51). Of each session only what a
//! table of sessions shows is kept, and of that a bounded part, so that memory does not grow with a report or a session.

use std::collections::BTreeSet;
use std::io::BufRead;

use jiff::Timestamp;

use super::answer::{CallError, says_denied};
use super::health::{AnswerError, shown, unix_seconds};
use super::xml::{Element, Item, Node, Walker};

/// The roots of the session report and of its listing, and the elements in them.
const REPORTS: [(&str, &str); 2] = [("session_list", "session"), ("session_summary_list", "session_summary")];
/// 32 hex digits today, an integer before release 10.6; always a text here (BG-51).
const MAX_LSID: usize = 64;
/// More of an error's text, or of one fact of a session, is not kept.
const MAX_TEXT: usize = 1000;
/// More people or recordings of one session are not kept; the report has them all.
const MAX_LIST: usize = 200;
/// Bounds the memory where ids are kept as texts.
const MAX_SESSIONS: usize = 1_000_000;

/// What a report says of one session, as far as a table of sessions shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    pub lsid: String,
    /// A number for people; neither unique nor in order (BG-51). Absent before 10.6.
    pub lseq: String,
    pub kind: String,
    pub start: Moment,
    /// Empty while in progress, and after an abnormal end.
    pub end: Moment,
    /// As the box says it, `00:12:41`.
    pub duration: String,
    pub representatives: Vec<String>,
    pub customers: Vec<String>,
    /// The report names a chat transcript for download; its text is in the session's events too.
    pub chat: bool,
    /// The report names a recording of the screen for download.
    pub recording: bool,
    /// The command-shell recordings that the report names, by their number.
    pub shells: BTreeSet<u32>,
}

/// A time as the box writes it: UNIX seconds in an attribute, and a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    pub at: Option<Timestamp>,
    pub text: String,
}

impl Moment {
    /// An end has a time in its attribute or, in older releases, in its text.
    pub fn is_stated(&self) -> bool {
        self.at.is_some() || !self.text.trim().is_empty()
    }
}

/// Walks through a report and shows each session once it is whole.
///
/// # Errors
/// Any other answer, any `<error>` but that of an empty result, a session without an id, an answer that was cut off; whatever
/// `meet` says. Sessions may have been shown before.
pub fn each_session(report: impl BufRead, mut meet: impl FnMut(Session) -> Result<(), CallError>) -> Result<(), CallError> {
    let mut walker = Walker::new(report);
    let mut path: Vec<Element> = Vec::new();
    let (mut session, mut error) = (None::<Session>, None::<String>);
    loop {
        match walker.next().map_err(AnswerError::from)? {
            Item::Open(element) => {
                if let Some(session) = &mut session {
                    session.opened(&path, &element);
                } else {
                    session = begun(&path, &element)?;
                }
                if path.len() <= 1 && element.is("error") {
                    error.get_or_insert_default();
                }
                path.push(element);
            }
            Item::Text(text) => match (&mut session, &mut error) {
                (Some(session), _) => session.told(&path, &text),
                (None, Some(error)) if path.len() <= 2 && path.last().is_some_and(|last| last.is("error")) => add(error, &text),
                _ => {}
            },
            Item::Close => {
                path.pop();
                if path.len() == 1 {
                    session.take().map_or(Ok(()), &mut meet)?;
                }
            }
            Item::End => return error.map_or(Ok(()), |text| judge(&text)),
        }
    }
}

/// Finds the session ids of a report.
///
/// # Errors
/// As [`each_session`]; more than a million of them.
pub fn session_ids(report: impl BufRead) -> Result<BTreeSet<String>, CallError> {
    let mut ids = BTreeSet::new();
    each_session(report, |session| {
        ids.insert(session.lsid);
        if ids.len() > MAX_SESSIONS {
            return Err(CallError::Unusable(format!("a report names more than {MAX_SESSIONS} sessions")));
        }
        Ok(())
    })?;
    Ok(ids)
}

/// The sessions of a listing that have no end: those under way, and those that were cut short.
///
/// # Errors
/// As [`session_ids`].
pub fn open_sessions(listing: &[u8]) -> Result<BTreeSet<String>, CallError> {
    let ids = session_ids(listing)?;
    let root = Node::parse(listing).map_err(AnswerError::from)?;
    let children = REPORTS.iter().flat_map(|(_, session)| root.children(session));
    let ended = children.filter(|session| has_end(session)).filter_map(|session| session.attribute("lsid"));
    let ended: BTreeSet<&str> = ended.map(str::trim).collect();
    Ok(ids.into_iter().filter(|id| !ended.contains(id.as_str())).collect())
}

/// An end has a time in its attribute or, in older releases, in its text.
fn has_end(session: &Node) -> bool {
    let stated = |end: &Node| end.attribute("timestamp").or(end.text()).is_some_and(|time| !time.trim().is_empty());
    session.child("end_time").is_some_and(stated)
}

/// The session that an element begins, if it is one; refuses a foreign root.
fn begun(path: &[Element], element: &Element) -> Result<Option<Session>, CallError> {
    let known = |(root, _): &&(&str, &str)| path.first().unwrap_or(element).is(root);
    let report = REPORTS.iter().find(known);
    match (path.len(), report) {
        (0, None) if !element.is("error") => {
            let found = shown(&element.name);
            Err(AnswerError::Unexpected { expected: "session_list", found }.into())
        }
        (1, Some((_, session))) if element.is(session) => Ok(Some(Session { lsid: session_id(element)?, ..Session::default() })),
        _ => Ok(None),
    }
}

fn session_id(element: &Element) -> Result<String, CallError> {
    let id = element.attribute("lsid").unwrap_or("").trim();
    if id.is_empty() || id.len() > MAX_LSID || id.chars().any(char::is_control) {
        return Err(CallError::Unusable(format!("a report names a session by the id `{}`, which can't be one", shown(id))));
    }
    Ok(id.to_owned())
}

impl Session {
    /// Takes what stands in a tag; `path` leads to its parent.
    fn opened(&mut self, path: &[Element], element: &Element) {
        let time = || element.attribute("timestamp").and_then(unix_seconds);
        match (names(path).as_slice(), element.own_name()) {
            ([], "start_time") => self.start.at = time(),
            ([], "end_time") => self.end.at = time(),
            (["rep_list"], "representative") => begin(&mut self.representatives),
            (["customer_list"], "customer") => begin(&mut self.customers),
            // A customer's name and computer side by side.
            (["customer_list", "customer"], "username" | "hostname") => add_last(&mut self.customers, " "),
            (inside, "download_url") if inside.iter().any(|name| name.contains("shell")) => self.shell(path),
            _ => {}
        }
    }

    /// Takes a text; `path` leads to the element that it is in.
    fn told(&mut self, path: &[Element], text: &str) {
        match names(path).as_slice() {
            ["lseq"] => add(&mut self.lseq, text),
            ["session_type"] => add(&mut self.kind, text),
            ["start_time"] => add(&mut self.start.text, text),
            ["end_time"] => add(&mut self.end.text, text),
            ["duration"] => add(&mut self.duration, text),
            ["rep_list", "representative", "username"] => add_last(&mut self.representatives, text),
            ["customer_list", "customer", "username" | "hostname"] => add_last(&mut self.customers, text),
            ["session_chat_download_url"] => self.chat |= !text.trim().is_empty(),
            ["session_recording_download_url"] => self.recording |= !text.trim().is_empty(),
            _ => {}
        }
    }

    /// A command-shell recording counts by the `instance` that an element around its link has, else by its place.
    fn shell(&mut self, path: &[Element]) {
        let next = u32::try_from(self.shells.len()).unwrap_or(u32::MAX);
        let stated = path.iter().rev().find_map(|element| element.attribute("instance")?.trim().parse().ok());
        if self.shells.len() < MAX_LIST {
            self.shells.insert(stated.unwrap_or(next));
        }
    }
}

/// The names of the elements inside a session; what is in somebody else's namespace has none.
fn names(path: &[Element]) -> Vec<&str> {
    path.iter().skip(2).map(Element::own_name).collect()
}

fn begin(list: &mut Vec<String>) {
    if list.len() < MAX_LIST {
        list.push(String::new());
    }
}

fn add_last(list: &mut [String], text: &str) {
    if let Some(last) = list.last_mut() {
        add(last, text);
    }
}

fn add(to: &mut String, text: &str) {
    let room = MAX_TEXT.saturating_sub(to.len());
    to.extend(text.chars().take(room));
}

fn judge(error: &str) -> Result<(), CallError> {
    if is_empty_result(error) {
        return Ok(());
    }
    let said = format!("the box answered the error `{}`", shown(error));
    Err(if says_denied(error) { CallError::Denied(said) } else { CallError::Unusable(said) })
}

/// True for the error that stands for "nothing found". Its wording for sessions is not documented; that for archives is
/// `No archives found for the given search criteria.` So only that sentence counts, with other nouns: what is said beside it may be
/// about the login's own session.
fn is_empty_result(error: &str) -> bool {
    let text = error.trim().trim_end_matches('.').to_ascii_lowercase();
    let Some((subject, rest)) = text.strip_prefix("no ").and_then(|text| text.split_once(" found")) else { return false };
    let subject = subject.strip_suffix(" were").or(subject.strip_suffix(" was")).unwrap_or(subject);
    let rest = rest.trim();
    let criteria =
        ["for the ", "matching the ", "for these ", "in the ", "for this "].iter().any(|begin| rest.starts_with(begin));
    let of_search =
        ["criteria", "range", "period", "interval", "time", "times", "parameters"].iter().any(|end| rest.ends_with(end));
    let subjects = [
        "session",
        "access session",
        "support session",
        "matching session",
        "result",
        "record",
        "session record",
        "data",
        "report data",
    ];
    let is_known =
        |subject: &str| subjects.contains(&subject) || subject.strip_suffix('s').is_some_and(|one| subjects.contains(&one));
    is_known(subject) && (rest.is_empty() || criteria && of_search) && !rest.contains(['.', ',', ';']) && !says_denied(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bg_50_only_a_sentence_on_the_search_is_an_empty_report() {
        for text in [
            "No sessions found for the given search criteria.",
            " no session found. ",
            "No support sessions were found for the given search criteria",
            "No results found",
            "No records found matching the search criteria.",
            "No report data found.",
            "No access sessions found in the given time range.",
        ] {
            assert!(is_empty_result(text), "{text}");
        }
        for text in [
            "No valid session found, please log in",
            "No session found. Please log in.",
            "No session found for the user, log in first",
            "No session found for the user.",
            "No session found for the token",
            "No session found in the cookie",
            "No login session found for the given token",
            "No permission to see sessions was found",
            "No such report found for sessions",
            "No archives found for the given search criteria.",
            "No session was found to be authorized, access denied",
            "Sessions: none found",
            "",
        ] {
            assert!(!is_empty_result(text), "{text}");
        }
    }
}
