//! The JSON edition of the command API, at boxes that have it: what is read, and the end of a session.
//!
//! # Source
//! The vendor's specification 2.0.0 of this edition (`spec/beyondtrust.md` section 2): paths, fields, status codes, the form of
//! times. What text its 404 and 405 carry is the simulator's choice; the other paths are not simulated.

use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::listen::{Answer, Call, json, text, typed};
use super::reporting::Product;
use super::room::{Response, Room};
use super::xml::role_word;
use crate::domain::ids::NodeId;
use crate::domain::site::Role;
use crate::simulator::files;
use crate::simulator::world::{Facts, LastSync};

pub const BASE: &str = "/api/command/v2/";

/// What it says of itself; whoever looks for the edition need not read it.
const SPECIFICATION: &str = "openapi: '3.0.0'\ninfo:\n  title: 'Simulated Command APIs'\n  version: '2.0.0'\n";

impl Room<'_> {
    /// Answers a call below [`BASE`].
    pub(super) fn v2(&mut self, call: &Call) -> Answer {
        if let Some(denied) = self.denied(call) {
            return Some(denied);
        }
        let path = call.path.strip_prefix(BASE).unwrap_or_default();
        let Some(allowed) = methods(path) else { return Some(message(StatusCode::NOT_FOUND, "Not Found")) };
        if call.method == Method::OPTIONS {
            return Some(with_allow(text(StatusCode::OK, ""), allowed));
        }
        if !allowed.split(',').any(|method| method == call.method.as_str()) {
            return Some(with_allow(message(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"), allowed));
        }
        if !call.query.is_empty() {
            return Some(message(StatusCode::BAD_REQUEST, "Unknown parameter"));
        }
        self.v2_known(path)
    }

    fn v2_known(&mut self, path: &str) -> Answer {
        Some(match path.strip_prefix("session/") {
            Some(lsid) => self.v2_end_session(lsid),
            None => match path {
                "openapi.yaml" => typed(StatusCode::OK, "application/yaml", SPECIFICATION),
                "info" => json(StatusCode::OK, &info(self.world.now(), self.shared.product)),
                "appliance" => json(StatusCode::OK, &self.v2_appliances()),
                "user" => json(StatusCode::OK, &self.v2_users()),
                _ => return self.v2_health(),
            },
        })
    }

    fn v2_health(&mut self) -> Answer {
        let facts = self.health("v2/health", true)?;
        let status = if facts.healthy { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
        Some(json(status, &health(&facts, &self.shared.hosts[self.node])))
    }

    fn v2_appliances(&self) -> Value {
        let member = |node: NodeId| {
            let state = self.world.node(node);
            json!({
                "id": state.identity, "name": self.shared.hosts[node], "public_hostname": self.shared.service,
                "cluster_role": "single", "failover_role": role_word(state.role), "accepting_connections": true,
                "timezone_offset": 0,
            })
        };
        let other = self.world.link().map(|_| member(self.node.other()));
        std::iter::once(member(self.node)).chain(other).collect()
    }

    fn v2_users(&self) -> Value {
        let user = |user: crate::simulator::world::LoggedIn| {
            json!({
                "id": user.id, "type": "normal", "display_name": user.name, "logged_in_since": time(user.since),
                "session_count": user.sessions,
            })
        };
        self.world.users_on(self.node).map(user).collect()
    }

    fn v2_end_session(&mut self, lsid: &str) -> Response {
        let state = self.world.node(self.node);
        let known = state.records.values().find(|record| files::lsid_on(record, &state.version) == lsid);
        let lsid = known.map(|record| record.lsid.clone()).unwrap_or_default();
        match self.world.terminate_session(self.node, &lsid) {
            true => text(StatusCode::NO_CONTENT, ""),
            false => message(StatusCode::NOT_FOUND, "Not Found"),
        }
    }
}

/// What a path may be called with; `None` for one that is not there.
fn methods(path: &str) -> Option<&'static str> {
    match path {
        "openapi.yaml" | "info" | "health" | "appliance" | "user" => Some("GET,HEAD"),
        path if path.starts_with("session/") => Some("DELETE"),
        _ => None,
    }
}

/// `/health`. Sync facts are told by the primary only; `message` stands there only with a problem.
fn health(facts: &Facts, host: &str) -> Value {
    let sync: Option<&LastSync> = facts.last_sync.as_ref().filter(|_| facts.role == Role::Primary);
    let mut document = json!({
        "appliance_id": facts.identity,
        "appliance_hostname": host,
        "version": facts.version.as_str(),
        "build": facts.build,
        "failover_role": role_word(facts.role),
        "cluster_role": "single",
        "enabled_shared_ips": null,
        "last_data_sync": sync.map(|sync| time(sync.at)),
        "last_data_sync_status": sync.map(|sync| sync.status.clone()),
    });
    if !facts.healthy {
        document["message"] = json!("A required service is not running.");
    }
    document
}

/// `/info`, as far as permissions exist here; the account may do all.
fn info(now: Timestamp, product: Product) -> Value {
    json!({
        "permissions": {
            "perm_backup": true, "perm_command": "full_access", "perm_configuration": true, "perm_reporting_session": true,
            "perm_vault_backup": false,
        },
        "current_time": time(now),
        "command_api_version": "2.0.0",
        "config_api_version": "1.10",
        "product": product.code(),
    })
}

/// Times always end in `+00:00` here.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

fn message(status: StatusCode, text: &str) -> Response {
    json(status, &json!({ "message": text }))
}

fn with_allow(mut response: Response, allowed: &'static str) -> Response {
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}
