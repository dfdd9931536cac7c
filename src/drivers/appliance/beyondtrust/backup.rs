//! The settings backup of one box, over `/api/backup`, kept only if it can be one.
//!
//! The file's form is proprietary and only an appliance can read it, so what can be checked is that it is no error in
//! disguise: public users of this interface report refusals as text with HTTP 200. Recordings and the Vault key are not in it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use reqwest::{Method, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::answer::{CallError, check_streamed, refuse_denial, within};
use super::call::Call;
use super::client::Api;
use super::download::{Downloaded, local};
use super::health::shown;
use super::token::Token;

/// Up to this size a body that is text throughout its beginning is taken for a message, not for a backup.
const MAX_MESSAGE: u64 = 64 << 10;

/// A ZIP file begins so, and ends with the directory of what is in it, after which a comment of 65,535 bytes may stand (APPNOTE 4.3.16).
const ZIP_BEGIN: &[u8] = b"PK\x03\x04";
const ZIP_END: &[u8] = b"PK\x05\x06";
const ZIP_TAIL: u64 = 22 + 65_535;

/// Downloads a backup that will lie in `directory` as `<stem>.nsb` when it is kept, protected with `password` where there is one.
///
/// # Effect
/// Load on the box. Nothing changes there.
///
/// # Repeat
/// Safe; another file.
///
/// # Errors
/// `Unusable` names what was found instead of a backup; nothing is left in `directory` then.
///
/// # Source
/// Vendor documentation of the backup API; the text with HTTP 200 from a public backup script.
pub async fn backup(api: &Api, directory: &Path, stem: &str, password: Option<&SecretString>) -> Result<Downloaded, CallError> {
    let name = format!("{stem}.nsb");
    api.authorised(|token| download(api, token, directory, &name, password)).await
}

async fn download(
    api: &Api,
    token: Token,
    directory: &Path,
    name: &str,
    password: Option<&SecretString>,
) -> Result<Downloaded, CallError> {
    let response = within(api.limits.first_byte, "no beginning of the backup", ask(api, &token, password)).await?;
    let response = check_streamed(response).await?;
    let kind = content_type(&response);
    let file = Downloaded::receive(response, directory, name, api.limits.max_backup_bytes, &api.limits).await?;
    check(&kind, &file.head, file.bytes, api.limits.min_backup_bytes)?;
    check_end(&file)?;
    Ok(file)
}

async fn ask(api: &Api, token: &Token, password: Option<&SecretString>) -> Result<Response, CallError> {
    const PATH: &str = "/api/backup";
    match password {
        Some(password) => api.post_json(token, PATH, &json!({ "password": password.expose_secret() })).await,
        None => api.send(token, &Call { method: Method::POST, path: PATH, query: Vec::new() }).await,
    }
}

fn content_type(response: &Response) -> String {
    let header = response.headers().get(reqwest::header::CONTENT_TYPE);
    header.and_then(|value| value.to_str().ok()).unwrap_or("").to_ascii_lowercase()
}

/// Refuses what is certainly no backup. The label of the answer counts only together with a text: what the real one is
/// labelled as is not documented.
fn check(kind: &str, head: &[u8], bytes: u64, min_bytes: u64) -> Result<(), CallError> {
    if bytes <= MAX_MESSAGE {
        refuse_denial(head)?;
    }
    let found = match disguise(head, bytes) {
        Some(what) => format!("{what} (`{}`)", shown(&String::from_utf8_lossy(head))),
        None if ["text/html", "text/xml", "application/xml", "application/json"].iter().any(|text| kind.starts_with(text)) => {
            format!("an answer of type `{}`", shown(kind))
        }
        None if bytes < min_bytes => format!("{bytes} bytes, fewer than {min_bytes}"),
        None => return Ok(()),
    };
    Err(CallError::Unusable(format!("expected a backup file, found {found}; nothing was kept")))
}

/// What begins as a ZIP file must end as one: else it was cut off where no length was announced.
fn check_end(file: &Downloaded) -> Result<(), CallError> {
    if !file.head.starts_with(ZIP_BEGIN) {
        return Ok(());
    }
    let tail = tail(file.temporary(), file.bytes).map_err(|error| local(file.temporary(), &error))?;
    if tail.windows(ZIP_END.len()).any(|part| part == ZIP_END) {
        return Ok(());
    }
    let found = format!("a ZIP file of {} bytes without its end", file.bytes);
    Err(CallError::Unusable(format!("expected a whole backup file, found {found}; nothing was kept")))
}

fn tail(path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(bytes.saturating_sub(ZIP_TAIL)))?;
    let mut tail = Vec::new();
    file.take(ZIP_TAIL).read_to_end(&mut tail)?;
    Ok(tail)
}

/// What a body is that is no backup, by its beginning.
fn disguise(head: &[u8], bytes: u64) -> Option<&'static str> {
    let start = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if bytes == 0 || start.is_empty() {
        return Some("nothing");
    }
    let lower: Vec<u8> = start.iter().take(64).map(u8::to_ascii_lowercase).collect();
    if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") {
        return Some("an HTML page");
    }
    if lower.starts_with(b"<") && is_text(head) {
        return Some("XML");
    }
    if lower.starts_with(b"{") && is_text(head) {
        return Some("JSON");
    }
    (bytes <= MAX_MESSAGE && is_text(head)).then_some("a text")
}

/// True for readable text; a character cut in two at the end is forgiven.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or(""),
        Err(_) => return false,
    };
    text.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\r' | '\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bg_01_what_is_no_backup_is_refused_by_name() {
        let binary: Vec<u8> = (0..=255).cycle().take(4096).collect();
        let long_json = format!("{{\"message\":\"{}\"}}", "x".repeat(200_000)).into_bytes();
        let cut = "ü".repeat(600).into_bytes()[..1023].to_vec();
        for (kind, body, found) in [
            ("", b"".as_slice(), "nothing"),
            ("application/octet-stream", b" \r\n ", "nothing"),
            ("", b"Invalid credentials", "Invalid credentials"),
            ("", br#"{"error":"access_denied","message":"x"}"#, "access_denied"),
            ("", b"<!DOCTYPE html><html>", "an HTML page"),
            ("", b"\xef\xbb\xbf<HTML>", "an HTML page"),
            ("text/xml", b"<?xml version=\"1.0\"?><error>no</error>", "XML"),
            ("", br#"{"message":"try later"}"#, "JSON"),
            ("application/octet-stream", &long_json, "JSON"),
            ("", &cut, "a text"),
            ("text/html; charset=utf-8", &binary, "an answer of type `text/html"),
            ("", &binary[..1000], "1000 bytes, fewer than 1024"),
        ] {
            let error = check(kind, &body[..body.len().min(1024)], body.len() as u64, 1024).unwrap_err().to_string();
            assert!(error.contains(found), "{kind} {:?}: {error}", String::from_utf8_lossy(body));
        }
        assert_eq!(check("application/octet-stream", &binary[..1024], 4096, 1024), Ok(()));
        assert_eq!(check("text/plain", &binary[..1024], 4096, 1024), Ok(()));
        assert_eq!(check("", &[b'A'; 1024], MAX_MESSAGE + 1, 1024), Ok(()), "a large file may be written in letters");
    }
}
