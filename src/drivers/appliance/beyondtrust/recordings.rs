//! The recordings of sessions: the screen's, and those of command shells.
//!
//! Which ones there are the report of the session says, by a link. The link itself is not followed: it leads to the service's
//! name, to whichever box serves. The same recording is asked for by LSID at the box's own address instead (R13).

use std::path::Path;

use reqwest::Method;

use super::answer::{CallError, check_streamed, refuse_denial, says_denied, within};
use super::call::Call;
use super::client::Api;
use super::download::Downloaded;
use super::health::shown;
use super::product::Product;
use super::sessions::Session;
use super::token::Token;
use crate::ports::ProducedFile;

/// More than any recording, and less than what fills an ordinary disk.
const MAX_RECORDING: u64 = 64 << 30;
/// Up to this size a body that begins like a message is taken for one.
const MAX_MESSAGE: u64 = 64 << 10;

/// One recording that a report names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub lsid: String,
    /// The number of a command shell; `None` for the screen.
    pub shell: Option<u32>,
}

impl Wanted {
    /// All recordings of a session.
    pub fn of(session: &Session) -> Vec<Self> {
        let screen = session.recording.then_some(None);
        let shells = session.shells.iter().map(|shell| Some(*shell));
        screen.into_iter().chain(shells).map(|shell| Self { lsid: session.lsid.clone(), shell }).collect()
    }

    /// Where it lies in an attempt's folder. What form it has the box doesn't say: `.flv`, `.mp4` and texts were seen.
    pub fn file_name(&self) -> String {
        let lsid: String = self.lsid.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        match self.shell {
            None => format!("recordings/{lsid}-screen.recording"),
            Some(number) => format!("recordings/{lsid}-shell-{number}.recording"),
        }
    }
}

/// The recording in words.
pub fn what(wanted: &Wanted) -> String {
    wanted.shell.map_or_else(|| "screen".to_owned(), |number| format!("command shell {number}"))
}

/// Fetches one recording into `directory`. A refusal may be of this recording only, so that no new token is fetched for it.
///
/// # Effect
/// Load on the box. Nothing changes there.
///
/// # Repeat
/// Safe; the file is replaced by the same.
///
/// # Errors
/// `Unusable` where the box gives a message instead, as for one that is not ready.
///
/// # Source
/// Vendor documentation of the reporting API for the report names and `lsid`. How several command shells of one session are
/// told apart in a call is not published in what could be read; `instance` is asked for from the second on.
pub async fn fetch(api: &Api, product: Product, wanted: &Wanted, directory: &Path) -> Result<ProducedFile, CallError> {
    let report = if wanted.shell.is_none() { product.recording() } else { "CommandShellRecording" };
    let mut query = vec![("generate_report", report.to_owned()), ("lsid", wanted.lsid.clone())];
    query.extend(wanted.shell.filter(|number| *number > 0).map(|number| ("instance", number.to_string())));
    let call = Call { method: Method::GET, path: "/api/reporting", query };
    let name = wanted.file_name();
    let folder = directory.join("recordings");
    let name = name.strip_prefix("recordings/").unwrap_or(&name);
    api.long_with_present_token(|token| download(api, token, &call, &folder, name)).await?.keep()
}

async fn download(api: &Api, token: Token, call: &Call<'_>, folder: &Path, name: &str) -> Result<Downloaded, CallError> {
    let response = within(api.limits.first_byte, "no beginning of the recording", api.send(&token, call)).await?;
    let response = check_streamed(response).await?;
    let file = Downloaded::receive(response, folder, name, MAX_RECORDING, &api.limits).await?;
    match message(&file.head, file.bytes) {
        None => Ok(file),
        Some(text) => {
            refuse_denial(&file.head)?;
            let said = format!("the box gave no recording but `{text}`");
            Err(if says_denied(&text) { CallError::Denied(said) } else { CallError::Unusable(said) })
        }
    }
}

/// The message that an answer is instead of a recording. A command shell's recording may be a plain text, so only what looks
/// like an answer of the interface counts: nothing at all, XML, HTML, a JSON object with an error, a refusal.
pub fn message(head: &[u8], bytes: u64) -> Option<String> {
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if bytes == 0 || start.is_empty() {
        return Some("nothing".to_owned());
    }
    let lower = start.iter().take(64).map(u8::to_ascii_lowercase).collect::<Vec<u8>>();
    let begins = |texts: &[&str]| texts.iter().any(|text| lower.starts_with(text.as_bytes()));
    let json = lower.starts_with(b"{") && lower.windows(7).any(|part| part == b"\"error\"");
    let told = begins(&["<?xml", "<error", "<!doctype", "<html", "invalid credentials"]) || json;
    (bytes <= MAX_MESSAGE && told).then(|| shown(&String::from_utf8_lossy(head)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bg_50_a_message_is_no_recording() {
        for body in [
            "",
            " \r\n",
            "<error>The recording is not ready.</error>",
            "<?xml version=\"1.0\"?><error/>",
            "\u{feff}<!DOCTYPE html><html>",
            "{\"error\":\"not_found\"}",
            "Invalid credentials",
        ] {
            assert!(message(body.as_bytes(), body.len() as u64).is_some(), "{body}");
        }
        for body in [b"FLV\x01\x05".as_slice(), b"\0\0\0\x20ftypisom", b"C:\\> dir\r\n", b"$ cat <x", b"{\"version\": 2}"] {
            assert_eq!(message(body, body.len() as u64), None, "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(message(b"<error", MAX_MESSAGE + 1), None, "too long for a message");
    }

    #[test]
    fn names_stay_inside_their_folder() {
        for lsid in ["../../etc/passwd", "a/b", "c69a8e10bea9428f816cfababe9815fe", "1041"] {
            for shell in [None, Some(3)] {
                let name = Wanted { lsid: lsid.to_owned(), shell }.file_name();
                assert_eq!((name.matches('/').count(), name.contains("..")), (1, false), "{name}");
            }
        }
    }
}
