//! Who is logged in at a node's pages, and the token that the next form must bring.

use std::collections::BTreeMap;

/// The name of the session's cookie.
const COOKIE: &str = "ns_s";

/// The two parts of the pages. A session of one is none of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Login,
    Appliance,
}

impl Part {
    pub fn of(path: &str) -> Option<Self> {
        let under = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match path {
            _ if under(Self::Login.path()) => Some(Self::Login),
            _ if under(Self::Appliance.path()) => Some(Self::Appliance),
            _ => None,
        }
    }

    pub fn path(self) -> &'static str {
        match self {
            Self::Login => "/login",
            Self::Appliance => "/appliance",
        }
    }
}

/// One browser.
#[derive(Clone, Debug)]
pub struct Session {
    pub part: Part,
    pub user: bool,
    /// The hidden token of the last page that was given out.
    pub token: String,
}

/// The sessions of one node. A restart ends them all.
#[derive(Debug)]
pub struct Sessions {
    open: BTreeMap<String, Session>,
    boots: u32,
    rng: fastrand::Rng,
}

impl Sessions {
    pub fn new(seed: u64) -> Self {
        Self { open: BTreeMap::new(), boots: 0, rng: fastrand::Rng::with_seed(seed) }
    }

    fn random(&mut self) -> String {
        format!("{:032x}", self.rng.u128(..))
    }

    /// The id of the session that a request's cookies name, in this part.
    pub fn find(&mut self, cookies: &str, part: Part, boots: u32) -> Option<String> {
        if boots != self.boots {
            (self.boots, self.open) = (boots, BTreeMap::new());
        }
        let pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        let mut ids = pairs.filter(|(name, _)| *name == COOKIE).map(|(_, id)| id.to_owned());
        ids.find(|id| self.open.get(id).is_some_and(|session| session.part == part))
    }

    pub fn begin(&mut self, part: Part) -> String {
        let id = self.random();
        self.open.insert(id.clone(), Session { part, user: false, token: String::new() });
        id
    }

    pub fn end(&mut self, id: &str) {
        self.open.remove(id);
    }

    pub fn is_user(&self, id: &str) -> bool {
        self.open.get(id).is_some_and(|session| session.user)
    }

    pub fn let_in(&mut self, id: &str) {
        if let Some(session) = self.open.get_mut(id) {
            session.user = true;
        }
    }

    /// A new token for the page that is given out now; those of earlier pages count no more.
    pub fn new_token(&mut self, id: &str) -> String {
        let token = self.random();
        if let Some(session) = self.open.get_mut(id) {
            session.token.clone_from(&token);
        }
        token
    }

    pub fn is_token(&self, id: &str, token: Option<&str>) -> bool {
        self.open.get(id).is_some_and(|session| !session.token.is_empty() && Some(session.token.as_str()) == token)
    }

    /// The header that keeps the session in the browser.
    pub fn cookie(id: &str, part: Part) -> String {
        format!("{COOKIE}={id}; Path={}; HttpOnly; Secure; SameSite=Strict", part.path())
    }
}
