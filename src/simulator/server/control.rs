//! The control interface: what a person does at the console, and what only a simulator has (faults, users, the truth).
//!
//! Not the vendor's. Plain HTTP on loopback, no credentials.
//!
//! ```text
//! POST /sim/v1/{a,b}/{sync-now,break,establish,update,close,open,drain,end-sessions,change-settings,restore-account}   202 | 409 refused | 503 silent
//! POST /sim/v1/faults     {"fault":"sync-fails","node":"b","act":"update","times":1}      202
//! POST /sim/v1/users      {"count":3}                                                     202
//! POST /sim/v1/leads-to   {"node":"b"}    only where no zone tells where the name leads   202 | 409
//! GET  /sim/v1/truth      GET /sim/v1/faults      GET /sim/v1/calls      GET /sim/v1/accounts
//! POST /sim/v1/{a,b}/shared-ip {"address":"192.0.2.30","enabled":true}   where no zone tells, the name leads where it is enabled   202 | 503
//! POST /sim/v1/{a,b}/settings  {"kind":"user","id":"7","name":"anna","value":"1"}; without a name it is removed   202
//! GET  /sim/v1/truth      GET /sim/v1/faults
//! ```

use std::net::IpAddr;
use std::sync::Arc;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::listen::{self, Answer, Answerer, Call};
use super::shared::Shared;
use crate::domain::ids::NodeId;
use crate::domain::version::{Target, Version};
use crate::simulator::faults::{Planned, TABLE};
use crate::simulator::world::{Refusal, SettingChanged};

/// More users than this are no test any more but an accident.
const MOST_USERS: usize = 1000;

type Reply = Result<(StatusCode, serde_json::Value), (StatusCode, String)>;

/// What answers at the control address.
pub struct ControlDoor {
    pub shared: Arc<Shared>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpdateBody {
    version: Version,
    #[serde(default)]
    build: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UsersBody {
    count: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LeadsToBody {
    node: Option<NodeId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SharedIpBody {
    address: IpAddr,
    enabled: bool,
}

impl Answerer for ControlDoor {
    fn answer(&self, call: Call) -> Answer {
        Some(match self.route(&call) {
            Ok((status, value)) => listen::json(status, &value),
            Err((status, message)) => listen::json(status, &json!({"code": code(status), "message": message})),
        })
    }
}

impl ControlDoor {
    fn route(&self, call: &Call) -> Reply {
        let path: Vec<&str> = call.path.split('/').skip(1).collect();
        match (&call.method, path.as_slice()) {
            (&Method::GET, ["sim", "v1", "truth"]) => self.truth(),
            (&Method::GET, ["sim", "v1", "calls"]) => Ok((StatusCode::OK, json!(self.shared.counts.all()))),
            (&Method::GET, ["sim", "v1", "accounts"]) => {
                let (rates, a, b) = (self.shared.rates().all(), self.shared.logins(NodeId::A), self.shared.logins(NodeId::B));
                Ok((StatusCode::OK, json!({"rates": rates, "logins": {"a": a, "b": b}})))
            }
            (&Method::GET, ["sim", "v1", "faults"]) => Ok((StatusCode::OK, json!({"known": TABLE.to_vec()}))),
            (&Method::POST, ["sim", "v1", "faults"]) => {
                let planned: Planned = body(call)?;
                self.shared.current().plan_fault(planned);
                accepted()
            }
            (&Method::POST, ["sim", "v1", "users"]) => self.users(&body(call)?),
            (&Method::POST, ["sim", "v1", "leads-to"]) => self.leads_to(&body(call)?),
            (&Method::POST, ["sim", "v1", node, "shared-ip"]) => self.shared_ip(node, &body(call)?, call),
            (&Method::POST, ["sim", "v1", node, "settings"]) => self.setting(node, body(call)?, call),
            (&Method::POST, ["sim", "v1", node, act]) => self.act(node, act, call),
            _ => Err((StatusCode::NOT_FOUND, format!("nothing answers {} {}", call.method, call.path))),
        }
    }

    fn truth(&self) -> Reply {
        let truth = self.shared.current().truth();
        let value = serde_json::to_value(truth).map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        Ok((StatusCode::OK, value))
    }

    fn users(&self, wanted: &UsersBody) -> Reply {
        if wanted.count > MOST_USERS {
            return Err((StatusCode::BAD_REQUEST, format!("at most {MOST_USERS} users, found {}", wanted.count)));
        }
        self.shared.current().set_users(wanted.count);
        accepted()
    }

    fn leads_to(&self, wanted: &LeadsToBody) -> Reply {
        if self.shared.resolver.is_some() {
            let message = "the simulated zone decides where the name leads; change the record there".to_owned();
            return Err((StatusCode::CONFLICT, message));
        }
        self.shared.current().set_leads_to(wanted.node);
        accepted()
    }

    fn shared_ip(&self, node: &str, wanted: &SharedIpBody, call: &Call) -> Reply {
        let node = node_of(node, call)?;
        let mut world = self.shared.current();
        world.set_shared_ip(node, wanted.address, wanted.enabled).map_err(|refusal| refused(&refusal))?;
        if self.shared.resolver.is_none() {
            let on = NodeId::BOTH.into_iter().find(|node| world.node(*node).shared_ips.contains(&wanted.address));
            world.set_leads_to(on);
        }
        accepted()
    }

    fn setting(&self, node: &str, changed: SettingChanged, call: &Call) -> Reply {
        let node = node_of(node, call)?;
        self.shared.current().change_setting(node, changed).map_err(|refusal| refused(&refusal))?;
        accepted()
    }

    fn act(&self, node: &str, act: &str, call: &Call) -> Reply {
        let node = node_of(node, call)?;
        let target = if act == "update" && !call.body.is_empty() { Some(body::<UpdateBody>(call)?) } else { None };
        let target = target.map(|UpdateBody { version, build }| Target { version, build });
        self.shared.current().perform(act, node, target).map_err(|refusal| refused(&refusal))?;
        accepted()
    }
}

fn node_of(node: &str, call: &Call) -> Result<NodeId, (StatusCode, String)> {
    let node = NodeId::BOTH.into_iter().find(|known| known.as_str() == node);
    node.ok_or_else(|| (StatusCode::NOT_FOUND, format!("nothing answers POST {}", call.path)))
}

fn refused(refusal: &Refusal) -> (StatusCode, String) {
    let status = match refusal {
        Refusal::Silent(_) => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::UnknownAct(_) => StatusCode::NOT_FOUND,
        _ => StatusCode::CONFLICT,
    };
    (status, refusal.to_string())
}

fn accepted() -> Reply {
    Ok((StatusCode::ACCEPTED, json!({"accepted": true})))
}

fn body<T: DeserializeOwned>(call: &Call) -> Result<T, (StatusCode, String)> {
    serde_json::from_slice(&call.body).map_err(|error| (StatusCode::BAD_REQUEST, format!("the body was not understood: {error}")))
}

fn code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::CONFLICT => "refused",
        StatusCode::SERVICE_UNAVAILABLE => "silent",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::BAD_REQUEST => "bad_request",
        _ => "failed",
    }
}
