//! What one node's pages remember.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use super::sessions::Sessions;
use super::words::Language;
use crate::domain::version::Target;

/// A package that was uploaded and not installed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
    /// What it installs, if its first line says so.
    pub(super) target: Option<Target>,
}

/// What one node's pages remember.
#[derive(Debug)]
pub struct Pages {
    username: String,
    password: SecretString,
    pub(super) language: Language,
    pub(super) sessions: Sessions,
    pub(super) package: Option<Uploaded>,
    /// At which start of the box it last checked for updates.
    pub(super) checked: Option<u32>,
    /// How often each order was sent, taken or not; `login` and `upload` too.
    pub presses: BTreeMap<&'static str, u64>,
    /// The last whole upload, also once it was installed.
    pub received: Option<Uploaded>,
}

impl Pages {
    pub fn new(username: String, password: SecretString, language: Language, seed: u64) -> Self {
        let (sessions, presses) = (Sessions::new(seed), BTreeMap::new());
        Self { username, password, language, sessions, package: None, checked: None, presses, received: None }
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.presses.entry(what).or_default() += 1;
    }

    pub(super) fn knows(&self, username: Option<&str>, password: Option<&str>) -> bool {
        username == Some(&self.username) && password == Some(self.password.expose_secret())
    }
}
