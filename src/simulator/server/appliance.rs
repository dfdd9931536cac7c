//! One node's documented interface over HTTPS: tokens, commands, health, backup, reporting, the site page.
//!
//! # Source
//! `spec/beyondtrust.md` sections 1 to 4. What the vendor leaves open is decided here and said so: `check_health` answers
//! HTTP 500 with its whole document while unhealthy, an invalid token is answered with 401, a standby's or closed node's site
//! page with 503, and an installing node closes every connection.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode};
use jiff::SignedDuration;

use super::configuration;
use super::form::{Form, is_form};
use super::kinds;
use super::listen::{Answer, Answerer, Call, json, text, typed};
use super::pages;
use super::reporting;
use super::room::{HEALTH, Response, Room};
use super::shared::Shared;
use super::tokens;
use super::v2;
use super::xml::{self, Api, Member, Rep};
use crate::domain::ids::NodeId;
use crate::simulator::faults::Fault;
use crate::simulator::files;
use crate::simulator::world::{Facts, Refusal, SwapRole};

/// What the fault `too-many-calls` asks callers to wait.
const TOO_MANY: SignedDuration = SignedDuration::from_secs(5);

const XML: &str = "text/xml; charset=UTF-8";

/// What answers at one node's address.
pub struct NodeDoor {
    pub shared: Arc<Shared>,
    pub address_of: NodeId,
}

impl Answerer for NodeDoor {
    fn listens(&self) -> bool {
        let world = self.shared.current();
        world.answers(world.box_at(self.address_of))
    }

    fn answer(&self, call: Call) -> Answer {
        let mut world = self.shared.current();
        let node = world.box_at(self.address_of);
        // It may have fallen silent between the handshake and the request.
        if !world.answers(node) {
            return None;
        }
        self.shared.counts.count(kinds::of(&call));
        let mut room = Room { shared: &self.shared, world: &mut world, node };
        room.within_rate(&call)
    }

    fn is_file(&self, call: &Call) -> bool {
        pages::is_upload(call)
    }

    fn receive(&self, call: Call, body: Incoming) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            self.shared.counts.count(kinds::of(&call));
            pages::receive(&self.shared, self.address_of, &call, body).await
        })
    }
}

impl Room<'_> {
    /// Calls with an account count towards its limits, and are told how much of them is left.
    fn within_rate(&mut self, call: &Call) -> Answer {
        let Some(account) = self.account(call) else { return self.route(call) };
        let (limits, now) = (self.shared.limits, self.world.now());
        let counted = self.shared.rates().count(&account, limits, now);
        let refused = self.world.faults.take(Fault::TooManyCalls, self.node, "call");
        let mut answer = match counted {
            Ok(()) if !refused => self.route(call)?,
            counted => too_many(counted.err().unwrap_or(TOO_MANY)),
        };
        self.shared.rates().tell(&account, limits, answer.headers_mut());
        Some(answer)
    }

    /// The account that a call is made with, if it is one of ours.
    fn account(&self, call: &Call) -> Option<String> {
        let header = call.authorization.as_deref();
        match tokens::basic(header) {
            Some((id, _)) => Some(id),
            None => self.shared.tokens(self.node).accepts(header, self.moment()),
        }
    }

    fn route(&mut self, call: &Call) -> Answer {
        if let Some((kind, body)) = self.shared.instead_of(self.node, &call.path) {
            return Some(typed(StatusCode::OK, &kind, body));
        }
        let read = call.method == Method::GET || call.method == Method::POST;
        let answer = match self.known_path(&call.path).unwrap_or_default() {
            "/oauth2/token" if call.method == Method::POST => self.token(call),
            "/check_health" if call.method == Method::GET => return self.probe(),
            "/" if call.method == Method::GET => self.site_page(),
            path if pages::is_page(path) => return pages::answer(self.shared, self.world, self.node, call),
            path @ ("/api/command" | "/api/backup" | "/api/reporting") if read => return self.api(path, call),
            path if path.starts_with(v2::BASE) && self.generation().has_v2() => return self.v2(call),
            path if path.starts_with(configuration::BASE) => self.configuration(call),
            "/oauth2/token" | "/check_health" | "/" | "/api/command" | "/api/backup" | "/api/reporting" => {
                text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
            }
            _ => text(StatusCode::NOT_FOUND, "not found"),
        };
        Some(answer)
    }

    fn token(&mut self, call: &Call) -> Response {
        let form = Form::read("", &call.body);
        if form.value("grant_type") != Some("client_credentials") {
            return json(StatusCode::BAD_REQUEST, &serde_json::json!({"error": "unsupported_grant_type"}));
        }
        let refused = self.world.faults.take(Fault::LoginRefused, self.node, "login");
        let moment = self.moment();
        let mut tokens = self.shared.tokens(self.node);
        let issued = if refused { None } else { tokens.issue(call.authorization.as_deref(), moment) };
        match issued {
            Some(token) => {
                let life = tokens.lifetime_secs();
                json(StatusCode::OK, &serde_json::json!({"access_token": token, "token_type": "Bearer", "expires_in": life}))
            }
            None => {
                let body = serde_json::json!({"error": "invalid_client", "message": "Client authentication failed"});
                json(StatusCode::UNAUTHORIZED, &body)
            }
        }
    }

    /// The probe without credentials.
    fn probe(&mut self) -> Answer {
        let facts = self.health("probe", false)?;
        Some(match facts.healthy {
            true => text(StatusCode::OK, "1"),
            false => text(StatusCode::INTERNAL_SERVER_ERROR, "0"),
        })
    }

    fn site_page(&self) -> Response {
        if !self.world.takes_clients(self.node) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "This site is not available here.");
        }
        let service = quick_xml::escape::escape(self.shared.service.as_str());
        let page =
            format!("<!DOCTYPE html><html><head><title>{service}</title></head><body><h1>Support portal</h1></body></html>\n");
        typed(StatusCode::OK, "text/html; charset=UTF-8", page)
    }

    fn configuration(&mut self, call: &Call) -> Response {
        match self.denied(call) {
            Some(denied) => denied,
            None => {
                let node = self.world.node(self.node);
                let updated_at = node.updates.last().and_then(|update| update.ended_at);
                configuration::answer(&node.settings, call, updated_at, self.world.now())
            }
        }
    }

    fn api(&mut self, path: &str, call: &Call) -> Answer {
        if let Some(denied) = self.denied(call) {
            return Some(denied);
        }
        let form = Form::of(call);
        let takes = path == "/api/backup" || call.method == Method::GET || is_form(call);
        match path {
            _ if !takes => Some(text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected application/x-www-form-urlencoded")),
            "/api/backup" => {
                let password = password(call);
                let body = files::backup(self.world, self.node, password.as_deref());
                Some(typed(StatusCode::OK, "application/octet-stream", body))
            }
            "/api/reporting" => reporting::answer(self.world, self.shared.product, self.node, &form),
            _ => self.command(&form),
        }
    }

    fn command(&mut self, form: &Form) -> Answer {
        let facts = self.world.facts(self.node)?;
        let version = &facts.version;
        let document = match form.value("action").unwrap_or_default() {
            "check_health" => return self.check_health(),
            "get_api_info" => xml::api_info(version, &self.shared.company, self.world.now()),
            "get_appliances" => self.appliances(&facts),
            "get_logged_in_reps" => self.reps(&facts),
            "get_connected_client_list" => xml::client_counts(&facts, form.value("type").unwrap_or("all")),
            "terminate_session" => self.terminate(form, &facts),
            "set_failover_role" => self.set_role(form, &facts),
            _ => xml::error(version, Api::Command, "Invalid action."),
        };
        Some(typed(StatusCode::OK, XML, document))
    }

    fn check_health(&mut self) -> Answer {
        let facts = self.health(HEALTH, false)?;
        let status = if facts.healthy { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
        Some(typed(status, XML, xml::health(&facts, &self.shared.hosts[self.node])))
    }

    fn appliances(&self, facts: &Facts) -> String {
        let member = |node: NodeId| {
            let state = self.world.node(node);
            Member { identity: &state.identity, host: &self.shared.hosts[node], role: state.role }
        };
        let other = self.world.link().map(|_| member(self.node.other()));
        let members: Vec<_> = std::iter::once(member(self.node)).chain(other).collect();
        xml::appliances(&facts.version, &self.shared.service, &members)
    }

    fn reps(&self, facts: &Facts) -> String {
        let users: Vec<_> = self.world.users_on(self.node).collect();
        let reps: Vec<_> =
            users.iter().map(|user| Rep { id: user.id, name: &user.name, since: user.since, sessions: user.sessions }).collect();
        xml::reps(&facts.version, &reps)
    }

    fn terminate(&mut self, form: &Form, facts: &Facts) -> String {
        let lsid = form.value("lsid").unwrap_or_default();
        let known = self.world.node(self.node).records.values().find(|record| files::lsid_on(record, &facts.version) == lsid);
        let lsid = known.map(|record| record.lsid.clone()).unwrap_or_default();
        match self.world.terminate_session(self.node, &lsid) {
            true => xml::success(&facts.version, "Successfully terminated"),
            false => xml::error(&facts.version, Api::Command, "Unable to terminate: no such session."),
        }
    }

    fn set_role(&mut self, form: &Form, facts: &Facts) -> String {
        let role = match form.value("role") {
            Some("primary") => SwapRole::Primary,
            Some("backup") => SwapRole::Standby,
            _ => return xml::error(&facts.version, Api::Command, "Invalid role."),
        };
        let sync_first = form.flag("data_sync_first");
        match self.world.swap_roles(self.node, role, sync_first) {
            Ok(()) if sync_first => {
                let text = "Successfully started data sync. Role change will occur upon successful completion.";
                xml::success(&facts.version, text)
            }
            Ok(()) => xml::success(&facts.version, "Successfully changed role"),
            Err(refusal) => xml::error(&facts.version, Api::Command, &vendor_text(&refusal)),
        }
    }
}

fn too_many(again: SignedDuration) -> Response {
    let mut answer = text(StatusCode::TOO_MANY_REQUESTS, "Too many requests.");
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(again.as_secs().max(1)));
    answer
}

/// The password that a JSON body asks the backup to be protected with.
fn password(call: &Call) -> Option<String> {
    let json: serde_json::Value =
        serde_json::from_slice(&call.body).ok().filter(|_| call.content_type.starts_with("application/json"))?;
    json.get("password")?.as_str().map(str::to_owned)
}

fn vendor_text(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotLinked => "This appliance is not in a failover relationship.".to_owned(),
        Refusal::SameRole(_) => "This appliance already has the requested role.".to_owned(),
        _ => "The peer appliance could not be contacted.".to_owned(),
    }
}
