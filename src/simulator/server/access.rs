//! Who may call: a token of an API account, or user name and password in the form, as the box's generation has it.

use hyper::StatusCode;
use secrecy::ExposeSecret as _;

use super::form::Form;
use super::generation::{Generation, Login};
use super::listen::{Call, json, text};
use super::room::{Response, Room};
use crate::simulator::faults::Fault;

/// What old paths end in.
const OLD: &str = ".ns";

impl Room<'_> {
    pub(super) fn generation(&self) -> Generation {
        Generation::of(&self.world.node(self.node).version)
    }

    /// The path without its `.ns`, if the box answers at the path as it was called.
    pub(super) fn known_path<'a>(&self, path: &'a str) -> Option<&'a str> {
        let tokens = self.generation().login() == Login::Token;
        match path.strip_suffix(OLD) {
            Some(plain) => (!tokens || self.shared.old_user.was_used).then_some(plain),
            None if path.starts_with("/api/") || path.starts_with("/oauth2/") => tokens.then_some(path),
            None => Some(path),
        }
    }

    /// The refusal of a call without a valid token or, at an old path, without the password.
    pub(super) fn denied(&mut self, call: &Call) -> Option<Response> {
        if call.path.ends_with(OLD) {
            // A success status, as seen of the old backup interface.
            return (!self.knows_password(call)).then(|| text(StatusCode::OK, "Invalid credentials\n"));
        }
        let accepted = self.shared.tokens(self.node).accepts(call.authorization.as_deref(), self.moment()).is_some();
        let body = serde_json::json!({"error": "access_denied", "message": "The resource owner or server denied the request."});
        (!accepted).then(|| json(StatusCode::UNAUTHORIZED, &body))
    }

    fn knows_password(&mut self, call: &Call) -> bool {
        let user = &self.shared.old_user;
        let form = Form::of(call);
        let known =
            form.value("username") == Some(user.name.as_str()) && form.value("password") == Some(user.password.expose_secret());
        known && !self.world.faults.take(Fault::LoginRefused, self.node, "login")
    }
}
