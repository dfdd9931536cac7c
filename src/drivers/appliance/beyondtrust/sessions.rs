//! Which sessions a report names, found without keeping the report in memory.

use std::collections::BTreeSet;
use std::io::BufRead;

use super::client::{CallError, says_denied};
use super::health::{AnswerError, shown};
use super::xml::{Element, Item, Node, Walker};

/// The roots of the session report and of its listing, and the elements in them.
const REPORTS: [(&str, &str); 2] = [("session_list", "session"), ("session_summary_list", "session_summary")];
/// 32 hex digits today, an integer before release 10.6; always a text here (BG-51).
const MAX_LSID: usize = 64;
/// More of an error's text is not read.
const MAX_ERROR: usize = 1000;
/// Bounds the memory for the ids: some 100 MiB, far more sessions than a site has between two windows.
const MAX_SESSIONS: usize = 1_000_000;

/// Finds the session ids of a report.
///
/// # Errors
/// Any other answer, any `<error>` but that of an empty result, a session without an id, an answer that was cut off.
pub fn session_ids(report: impl BufRead) -> Result<BTreeSet<String>, CallError> {
    let mut walker = Walker::new(report);
    let mut path: Vec<Element> = Vec::new();
    let (mut ids, mut error) = (BTreeSet::new(), None::<String>);
    loop {
        match walker.next().map_err(AnswerError::from)? {
            Item::Open(element) => {
                meet(&path, &element, &mut ids)?;
                if is_error(&path, &element) {
                    error.get_or_insert_default();
                }
                path.push(element);
            }
            Item::Text(text) if path.last().is_some_and(|element| element.is("error")) && path.len() <= 2 => {
                error
                    .iter_mut()
                    .filter(|error| error.len() < MAX_ERROR)
                    .for_each(|error| error.extend(text.chars().take(MAX_ERROR)));
            }
            Item::Text(_) => {}
            Item::Close => drop(path.pop()),
            Item::End => return error.map_or(Ok(()), |text| judge(&text)).map(|()| ids),
        }
    }
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

/// Takes the id of a session element; refuses a foreign root.
fn meet(path: &[Element], element: &Element, ids: &mut BTreeSet<String>) -> Result<(), CallError> {
    let known = |(root, _): &&(&str, &str)| path.first().unwrap_or(element).is(root);
    let report = REPORTS.iter().find(known);
    match (path.len(), report) {
        (0, None) if !element.is("error") => {
            let found = shown(&element.name);
            Err(AnswerError::Unexpected { expected: "session_list", found }.into())
        }
        (1, Some((_, session))) if element.is(session) => {
            ids.insert(session_id(element)?);
            if ids.len() > MAX_SESSIONS {
                return Err(CallError::Unusable(format!("a report names more than {MAX_SESSIONS} sessions")));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn session_id(element: &Element) -> Result<String, CallError> {
    let id = element.attribute("lsid").unwrap_or("").trim();
    if id.is_empty() || id.len() > MAX_LSID || id.chars().any(char::is_control) {
        return Err(CallError::Unusable(format!("a report names a session by the id `{}`, which can't be one", shown(id))));
    }
    Ok(id.to_owned())
}

fn is_error(path: &[Element], element: &Element) -> bool {
    path.len() <= 1 && element.is("error")
}

fn judge(error: &str) -> Result<(), CallError> {
    if is_empty_result(error) {
        return Ok(());
    }
    let said = format!("the box answered the error `{}`", shown(error));
    Err(if says_denied(error) { CallError::Denied(said) } else { CallError::Unusable(said) })
}

/// True for the error that stands for "nothing found". Its wording for sessions is not documented; that for archives is
/// `No archives found for the given search criteria.`
fn is_empty_result(error: &str) -> bool {
    let text = error.trim().to_ascii_lowercase();
    let subject = ["session", "result", "record", "report data", "search criteria"].iter().any(|word| text.contains(word));
    text.starts_with("no ") && text.contains(" found") && subject && !says_denied(&text)
}
