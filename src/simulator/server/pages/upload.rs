//! A package that comes in: hashed as it goes by and not kept, so that memory does not grow with it.

use bytes::Bytes;
use http_body_util::{BodyExt as _, BodyStream, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Response, StatusCode};
use multer::{Field, Multipart};
use sha2::{Digest as _, Sha256};
use std::time::Duration;

use super::Browser;
use super::kept::Uploaded;
use super::sessions::Part;
use crate::domain::ids::NodeId;
use crate::domain::journal::hex;
use crate::domain::version::{Target, Version};
use crate::simulator::faults::Fault;
use crate::simulator::server::listen::{Answer, Call, text, typed};
use crate::simulator::server::shared::Shared;

/// More than any package.
const LARGEST: usize = 256 << 30;
/// Hidden fields are short.
const LARGEST_FIELD: usize = 4096;
/// Between two pieces, machine time.
const STALL: Duration = Duration::from_secs(60);
/// How much of a package is read to see what it installs.
const HEAD: usize = 256;
/// A connection that is cut is cut here.
const CUT: u64 = 1 << 20;

/// True for a request that brings a package.
pub fn is_upload(call: &Call) -> bool {
    call.method == Method::POST && call.path == "/appliance/updates"
}

/// What an upload form brought.
#[derive(Default)]
struct Brought {
    token: Option<String>,
    package: Option<Uploaded>,
}

/// How an upload ends before it is whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breach {
    Cut,
    Refused,
}

/// Answers in the middle of the body. The rest is read on and thrown away, as servers do so that their answer arrives.
async fn refuse(mut body: Incoming) -> Response<Full<Bytes>> {
    let mut taken = 0;
    while taken < CUT
        && let Ok(Some(Ok(frame))) = tokio::time::timeout(STALL, body.frame()).await
    {
        taken += frame.data_ref().map_or(0, Bytes::len) as u64;
    }
    tokio::spawn(tokio::time::timeout(STALL, async move { while let Some(Ok(_)) = body.frame().await {} }));
    let page = "<!DOCTYPE html><html><head><title>413 Request Entity Too Large</title></head><body><h1>413</h1></body></html>\n";
    typed(StatusCode::PAYLOAD_TOO_LARGE, "text/html; charset=UTF-8", page.to_owned())
}

/// Takes a package in and answers with the update page.
pub async fn receive(shared: &Shared, address_of: NodeId, call: &Call, body: Incoming) -> Answer {
    let cut = {
        let mut world = shared.current();
        let node = world.box_at(address_of);
        shared.pages(node).count("upload");
        let mut takes = |fault| world.faults.take(fault, node, "update");
        if takes(Fault::PageUploadCut) { Some(Breach::Cut) } else { takes(Fault::PageUploadRefused).then_some(Breach::Refused) }
    };
    if cut == Some(Breach::Refused) {
        return Some(refuse(body).await);
    }
    let Some(brought) = read(call, body, cut.is_some()).await else {
        return if cut.is_some() { None } else { Some(text(StatusCode::BAD_REQUEST, "the form could not be read")) };
    };
    let mut world = shared.current();
    let node = world.box_at(address_of);
    if !world.answers(node) {
        return None;
    }
    let mut pages = shared.pages(node);
    let mut browser = Browser::open(shared, &mut pages, &mut world, node, call)?;
    browser.uploaded(brought)
}

impl Browser<'_> {
    fn uploaded(&mut self, brought: Brought) -> Answer {
        let token = self.pages.sessions.is_token(&self.session, brought.token.as_deref());
        if self.part != Part::Appliance || !self.pages.sessions.is_user(&self.session) {
            return Some(self.login_page(""));
        }
        let words = self.words();
        let Some(package) = brought.package.filter(|package| token && !package.name.is_empty()) else {
            return Some(self.updates(if token { words.error } else { words.stale }));
        };
        if self.world.faults.take(Fault::PageErrorText, self.node, "upload") {
            return Some(self.updates(words.error));
        }
        self.pages.received = Some(package.clone());
        self.pages.package = Some(package);
        if self.world.faults.take(Fault::PageAnswerLost, self.node, "upload") {
            return None;
        }
        if self.forgets("upload") {
            return Some(self.login_page(""));
        }
        Some(self.redirect("/appliance/updates"))
    }
}

async fn read(call: &Call, body: Incoming, cut: bool) -> Option<Brought> {
    let boundary = multer::parse_boundary(&call.content_type).ok()?;
    let frames = BodyStream::new(Limited::new(body, LARGEST).map_err(std::io::Error::other));
    let pieces = futures_util::StreamExt::filter_map(frames, |frame| {
        std::future::ready(frame.map(|frame| frame.into_data().ok()).transpose())
    });
    let mut form = Multipart::new(pieces, boundary);
    let mut brought = Brought::default();
    while let Some(field) = within(form.next_field()).await? {
        match field.name() {
            Some("form_token") => brought.token = Some(short(field).await?),
            Some("update_file") => brought.package = Some(package(field, cut).await?),
            _ => drop(short(field).await?),
        }
    }
    Some(brought)
}

async fn within<T>(step: impl Future<Output = Result<T, multer::Error>>) -> Option<T> {
    tokio::time::timeout(STALL, step).await.ok()?.ok()
}

async fn short(mut field: Field<'_>) -> Option<String> {
    let mut value = Vec::new();
    while let Some(piece) = within(field.chunk()).await? {
        value.extend_from_slice(&piece);
        if value.len() > LARGEST_FIELD {
            return None;
        }
    }
    String::from_utf8(value).ok()
}

async fn package(mut field: Field<'_>, cut: bool) -> Option<Uploaded> {
    let name = field.file_name().unwrap_or_default().to_owned();
    let (mut hash, mut bytes, mut head) = (Sha256::new(), 0, Vec::new());
    while let Some(piece) = within(field.chunk()).await? {
        let piece: Bytes = piece;
        hash.update(&piece);
        bytes += piece.len() as u64;
        head.extend(piece.iter().take(HEAD - head.len()));
        if cut && bytes >= CUT {
            return None;
        }
    }
    Some(Uploaded { name, bytes, sha256: hex(&hash.finalize()), target: target(&head) })
}

/// A package may say in its first line what it installs: `a package that updates simulated appliances from 24.1.1 to 24.2.1`.
fn target(head: &[u8]) -> Option<Target> {
    let line = String::from_utf8_lossy(head).lines().next()?.to_owned();
    let (_, version) = line.strip_prefix("a package that updates simulated appliances from ")?.split_once(" to ")?;
    let version: Version = version.trim().parse().ok()?;
    Some(Target { version, build: None })
}
