//! The vendor's pages of a node, for hands at the console: `/login` with the failover page, `/appliance` with the update page.
//!
//! They order the same world as the control interface does. Forms, fields and paths are the simulator's own: the vendor documents
//! none; what is documented stands at the head of `domain::labels`. Every page
//! has a new hidden token, and a form with an older one is refused.

mod html;
pub(super) mod kept;
mod orders;
mod sessions;
mod upload;
pub(super) mod words;

use http_body_util::Full;
use hyper::header::{HeaderValue, LOCATION, SET_COOKIE};
use hyper::{Method, Response, StatusCode};

use super::form::Form;
use super::listen::{Answer, Call, text, typed};
use super::shared::Shared;
use crate::domain::ids::NodeId;
use crate::simulator::faults::{Fault, Planned};
use crate::simulator::world::World;
use kept::Pages;
use sessions::{Part, Sessions};
use words::Words;

pub use upload::{is_upload, receive};

/// True for a path of the pages.
pub fn is_page(path: &str) -> bool {
    Part::of(path).is_some()
}

/// Answers one request of a browser.
pub fn answer(shared: &Shared, world: &mut World, node: NodeId, call: &Call) -> Answer {
    let mut pages = shared.pages(node);
    Browser::open(shared, &mut pages, world, node, call)?.route(call)
}

/// One request, with the world and the node's pages held still.
struct Browser<'a> {
    shared: &'a Shared,
    pages: &'a mut Pages,
    world: &'a mut World,
    node: NodeId,
    part: Part,
    session: String,
    /// The hidden token of the page that is being made: all its forms bring the same.
    token: Option<String>,
}

impl<'a> Browser<'a> {
    fn open(shared: &'a Shared, pages: &'a mut Pages, world: &'a mut World, node: NodeId, call: &Call) -> Option<Self> {
        let part = Part::of(&call.path)?;
        let boots = world.node(node).boots;
        let known = pages.sessions.find(call.cookie.as_deref().unwrap_or_default(), part, boots);
        let session = known.unwrap_or_else(|| pages.sessions.begin(part));
        Some(Self { shared, pages, world, node, part, session, token: None })
    }

    fn route(&mut self, call: &Call) -> Answer {
        if self.world.faults.active(Fault::PageMaintenance, self.node) {
            return Some(self.page(self.words().maintenance, ""));
        }
        let form = Form::read("", &call.body);
        let (root, post) = (self.part.path(), call.method == Method::POST);
        if call.path == root && post {
            return self.log_in(&form);
        }
        if !self.pages.sessions.is_user(&self.session) {
            return Some(self.login_page(""));
        }
        if post && !self.pages.sessions.is_token(&self.session, form.value("form_token")) {
            return Some(self.page(self.words().stale, ""));
        }
        match (call.path.strip_prefix(root).unwrap_or_default(), self.part) {
            ("", _) => Some(self.home()),
            ("/management", Part::Login) => Some(self.management()),
            ("/management/failover", Part::Login) if post => self.order(&form),
            ("/management/failover", Part::Login) => Some(self.or_login(Self::failover)),
            ("/updates", Part::Appliance) => Some(self.or_login(Self::updates)),
            ("/updates/check", Part::Appliance) if post => Some(self.check()),
            ("/updates/install", Part::Appliance) if post => self.install(&form),
            ("/updates/offer", Part::Appliance) if post => self.install_offer(&form),
            _ => {
                let mut page = self.page("404", "");
                *page.status_mut() = StatusCode::NOT_FOUND;
                Some(page)
            }
        }
    }

    fn words(&self) -> &'static Words {
        self.pages.language.words()
    }

    /// The page, unless the session is forgotten just now.
    fn or_login(&mut self, page: impl FnOnce(&mut Self, &str) -> Response<Full<bytes::Bytes>>) -> Response<Full<bytes::Bytes>> {
        if self.forgets("page") {
            return self.login_page("");
        }
        page(self, "")
    }

    fn forgets(&mut self, what: &str) -> bool {
        let forgets = self.world.faults.take(Fault::PageSessionLost, self.node, what);
        if forgets {
            self.pages.sessions.end(&self.session);
            self.session = self.pages.sessions.begin(self.part);
        }
        forgets
    }

    fn log_in(&mut self, form: &Form) -> Answer {
        self.pages.count("login");
        if let Some(answer) = self.plain("login") {
            return Some(answer);
        }
        if !self.pages.sessions.is_token(&self.session, form.value("form_token")) {
            return Some(self.login_page(self.words().stale));
        }
        if !self.pages.knows(form.value("login[username]"), form.value("login[password]")) {
            return Some(self.login_page(self.words().not_let_in));
        }
        if self.world.faults.active(Fault::PageSecondFactor, self.node) {
            return Some(self.second_factor());
        }
        self.pages.sessions.let_in(&self.session);
        if self.world.faults.take(Fault::PageAnswerLost, self.node, "login") {
            return None;
        }
        self.goes("login");
        Some(self.redirect(self.part.path()))
    }

    /// An answer that is no page, if one is planned.
    fn plain(&mut self, what: &str) -> Answer {
        let planned = [(Fault::PageDenied, StatusCode::FORBIDDEN), (Fault::PageUnavailable, StatusCode::SERVICE_UNAVAILABLE)];
        let struck = planned.into_iter().find(|(fault, _)| self.world.faults.take(*fault, self.node, what));
        struck.map(|(_, status)| text(status, "not now"))
    }

    /// True if the node answers nobody after this answer.
    fn goes(&mut self, what: &str) -> bool {
        let gone = self.world.faults.take(Fault::PageGone, self.node, what);
        if gone {
            self.world.faults.plan(Planned::for_ever(Fault::NodeSilent).on(self.node));
        }
        gone
    }

    /// As a browser gets there after a form: by a page of its own.
    fn redirect(&self, to: &str) -> Response<Full<bytes::Bytes>> {
        let mut response = self.keep(typed(StatusCode::SEE_OTHER, "text/html; charset=UTF-8", String::new()));
        if let Ok(to) = HeaderValue::from_str(to) {
            response.headers_mut().insert(LOCATION, to);
        }
        response
    }

    fn keep(&self, mut response: Response<Full<bytes::Bytes>>) -> Response<Full<bytes::Bytes>> {
        if let Ok(cookie) = HeaderValue::from_str(&Sessions::cookie(&self.session, self.part)) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
        response
    }
}
