//! The way to the daemon: HTTP/1 over its Unix socket, one connection a request, on this thread alone.
//!
//! No TLS, no pool, no threads: a status takes a few milliseconds.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use url::Url;

use crate::server::limits;
use crate::server::view::{ErrorView, LeftUntouched, Status};

use super::{Daemon, Exit, Failure};

/// Some ten thousand runs, or the longest journal, fit in several times over.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// The daemon gives up first and says so; this is for one that no longer does.
const MARGIN: Duration = Duration::from_secs(10);

/// A daemon, by its socket.
pub struct Client {
    socket: PathBuf,
    runtime: Runtime,
}

/// A successful answer.
pub struct Reply {
    body: Bytes,
}

impl Client {
    pub fn new(daemon: &Daemon) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::of("system", &error))?;
        Ok(Self { socket: daemon.socket.clone(), runtime })
    }

    /// Reads; `path` is what follows `/api/v1`.
    pub fn get(&self, path: &[&str]) -> Result<Reply, Failure> {
        self.ask(Method::GET, &address(path), Bytes::new())
    }

    /// As [`Client::get`], with these after the question mark.
    pub fn query(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Reply, Failure> {
        let mut url = address(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.ask(Method::GET, &url, Bytes::new())
    }

    /// How a run stands, to be shown before a word to it.
    ///
    /// # Errors
    /// Those of [`Client::get`]; a run that the daemon left untouched takes no word, for the reason that the daemon gives.
    pub fn status(&self, run: &str) -> Result<Status, Failure> {
        let reply = self.get(&["runs", run])?;
        match reply.read::<LeftUntouched>() {
            Ok(LeftUntouched { untouched, .. }) => Err(Failure::new(&untouched.code, format!("run `{run}` was left untouched"))
                .because(untouched.message)
                .state(untouched.state)
                .hint(untouched.hint)),
            Err(_) => reply.read(),
        }
    }

    /// The records above `after`, one JSON line each.
    pub fn journal(&self, run: &str, after: u64) -> Result<Reply, Failure> {
        self.query(&["runs", run, "journal"], &[("after", &after.to_string())])
    }

    /// The time without failover, of one site or of all.
    pub fn exposure(&self, site: Option<&str>) -> Result<Reply, Failure> {
        let mut url = address(&["exposure"]);
        if let Some(site) = site {
            url.query_pairs_mut().append_pair("site", site);
        }
        self.ask(Method::GET, &url, Bytes::new())
    }

    pub fn post(&self, path: &[&str], body: &impl Serialize) -> Result<Reply, Failure> {
        // A path that is no Unicode can't stand in JSON.
        let body = serde_json::to_vec(body).map_err(|error| Failure::of("bad_input", &error))?;
        self.ask(Method::POST, &address(path), body.into())
    }

    /// A person's word to a run; a refusal is told in its site's zone too.
    pub fn tell(&self, run: &str, word: &str, body: &serde_json::Value) -> Result<Reply, Failure> {
        self.post(&["runs", run, word], body).map_err(|failure| self.in_zone_of(&["runs", run], failure))
    }

    /// As [`Client::post`], about a site; a refusal is told in its zone too.
    pub fn order(&self, site: &str, path: &[&str], body: &impl Serialize) -> Result<Reply, Failure> {
        self.post(path, body).map_err(|failure| self.in_zone_of_site(site, failure))
    }

    pub fn in_zone_of_site(&self, site: &str, failure: Failure) -> Failure {
        self.in_zone_of(&["sites", site, "windows"], failure)
    }

    /// The time zone of a site, or of a run's site; empty of a run that this build can't follow.
    pub fn zone(&self, place: &[&str]) -> Result<String, Failure> {
        let told: OfSite = self.get(place)?.read()?;
        Ok(told.zone)
    }

    /// Where nobody tells the zone, the refusal is told as it came: it is what matters.
    fn in_zone_of(&self, place: &[&str], failure: Failure) -> Failure {
        match failure.is_answered().then(|| self.zone(place)) {
            Some(Ok(zone)) => failure.told_in(zone),
            _ => failure,
        }
    }

    fn ask(&self, method: Method, url: &Url, body: Bytes) -> Result<Reply, Failure> {
        let limit = limits::answer_time(url.path()) + MARGIN;
        let late = |_| Failure::new("timeout", format!("{} did not answer within {} s", self.name(), limit.as_secs()));
        self.runtime.block_on(async { tokio::time::timeout(limit, self.exchange(method, url, body)).await }).map_err(late)?
    }

    async fn exchange(&self, method: Method, url: &Url, body: Bytes) -> Result<Reply, Failure> {
        let broken = |error: hyper::Error| {
            Failure::new("no_answer", format!("{} ended the connection", self.name())).because(error.to_string())
        };
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| no_daemon(&self.socket, &error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let request = Request::builder().method(method).uri(target).header(header::HOST, "changeover");
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Full::new(body));
        let request = request.map_err(|error| Failure::of("bad_input", &error))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
        let body = body.map_err(|error| Failure::new("no_answer", format!("{}: {error}", self.name())))?.to_bytes();
        if status.is_success() { Ok(Reply { body }) } else { Err(refused(status, &body)) }
    }

    fn name(&self) -> String {
        format!("the daemon at `{}`", self.socket.display())
    }
}

#[derive(Deserialize)]
struct OfSite {
    #[serde(default)]
    zone: String,
}

impl Reply {
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let failure =
                Failure::new("other_version", "the daemon's answer can't be read; is it another version than this command?");
            failure.because(error.to_string()).exit(Exit::Bug)
        })
    }

    /// The body as it came.
    pub fn text(&self) -> Result<&str, Failure> {
        std::str::from_utf8(&self.body).map_err(|error| Failure::of("no_answer", &error))
    }
}

/// `/api/v1/` and these segments, escaped.
fn address(path: &[&str]) -> Url {
    // A constant that parses; the tests below use it.
    let mut url = Url::parse("http://changeover/api/v1").unwrap_or_else(|_| unreachable!("a constant URL"));
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.extend(path);
    }
    url
}

fn no_daemon(socket: &Path, error: &io::Error) -> Failure {
    let path = socket.display();
    let failure = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            Failure::new("no_daemon", format!("no daemon answers at `{path}`"))
                .hint("start it with `changeover serve --config FILE`, or name its socket with `--socket` or `CHANGEOVER_SOCKET`")
        }
        io::ErrorKind::PermissionDenied => Failure::new("no_access", format!("you may not use the daemon's socket `{path}`"))
            .hint("only its owner and the members of its group may"),
        _ => Failure::new("no_daemon", format!("the daemon's socket `{path}` can't be used")),
    };
    failure.because(error.to_string())
}

fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let exit = if status == StatusCode::INTERNAL_SERVER_ERROR { Exit::Bug } else { Exit::NotMet };
    match serde_json::from_slice::<ErrorView>(body) {
        Ok(error) => Failure::answered(exit, error),
        Err(_) => Failure::new("no_answer", format!("the daemon answered {status} and nothing that can be read")),
    }
}

/// A body with the fields that are given.
pub fn body(fields: &[(&str, Option<serde_json::Value>)]) -> serde_json::Value {
    let given = fields.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?)));
    json!(given.collect::<serde_json::Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped() {
        let cases = [
            (vec!["runs", "support-7"], "/api/v1/runs/support-7"),
            (vec!["sites", "a/b c?", "status"], "/api/v1/sites/a%2Fb%20c%3F/status"),
        ];
        for (path, expected) in cases {
            assert_eq!(address(&path).path(), expected);
        }
    }
}
