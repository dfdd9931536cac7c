//! What a person at the vendor's pages is told, for acts that have no interface.
//!
//! One numbered line for each thing to do, in the vendor's words for pages and buttons; what must not be done; and what will be
//! seen when it is done, because the run proves the effect itself. The engine adds the instruction's number and its last time.
//!
//! # Source
//! The vendor's failover and upgrade guides. Where they don't say (where exactly the update page has its file field, how a box
//! is closed to clients) the lines don't either.

use std::path::Path;

use jiff::Timestamp;

use super::{Facts, Settings};
use crate::domain::ids::NodeId;
use crate::domain::version::Target;
use crate::ports::NodeAct;

const FAILOVER_PAGE: &str = "/login > Management > Failover";

/// The lines for `act`; `None` if it has an interface. `facts` are what was last read from the box, where it answered.
pub fn lines(settings: &Settings, act: &NodeAct, facts: Option<&Facts>) -> Option<Vec<String>> {
    let text = match act {
        NodeAct::Backup { .. } | NodeAct::ExtractData { .. } => return None,
        NodeAct::ForceSync { from, to } => force_sync(settings, *from, *to),
        NodeAct::BreakFailover => break_failover(settings),
        NodeAct::Update { package, sha256, target } => update(settings, package, sha256, target),
        NodeAct::EstablishFailover { primary, standby } => establish_failover(settings, *primary, *standby),
        NodeAct::Drain { deadline } => drain(settings, *deadline, facts),
        NodeAct::Quiesce => quiesce(settings, facts),
        NodeAct::Reopen => reopen(settings),
    };
    Some(text.numbered())
}

/// Things to do, things not to do, and how the end is seen.
struct Text {
    steps: Vec<String>,
    never: Vec<String>,
    seen: String,
}

impl Text {
    fn numbered(self) -> Vec<String> {
        let never = self.never.into_iter().map(|line| format!("DO NOT {line}"));
        let seen = std::iter::once(format!("Done when: {} The run sees that by itself; nothing has to be confirmed.", self.seen));
        let lines = self.steps.into_iter().chain(never).chain(seen);
        lines.enumerate().map(|(index, line)| format!("{}. {line}", index + 1)).collect()
    }
}

/// How a box is named to a person: what the site file calls it, its address, its GUID.
fn named(settings: &Settings, node: NodeId) -> String {
    if node == settings.node {
        format!("node `{node}` at {} ({}, GUID {})", settings.url, settings.address, settings.identity)
    } else {
        format!("node `{node}` at {} (GUID {})", settings.peer.url, settings.peer.identity)
    }
}

fn page(settings: &Settings, node: NodeId, page: &str) -> String {
    let url = if node == settings.node { &settings.url } else { &settings.peer.url };
    format!("{}{page}", url.as_str().trim_end_matches('/'))
}

fn host(settings: &Settings, node: NodeId) -> String {
    let url = if node == settings.node { &settings.url } else { &settings.peer.url };
    format!("{}, TLS port {}", url.host_str().unwrap_or(url.as_str()), url.port_or_known_default().unwrap_or(443))
}

fn own_address(settings: &Settings) -> String {
    format!("go by the name `{}`: it may lead to the other box; the address line must show the address above", settings.service)
}

fn force_sync(settings: &Settings, from: NodeId, to: NodeId) -> Text {
    Text {
        steps: vec![
            format!("Open {} as an administrator: this is {}.", page(settings, to, FAILOVER_PAGE), named(settings, to)),
            format!(
                "See that the page shows this box as the backup and {} as the primary; if not, press nothing and hold the run.",
                named(settings, from)
            ),
            "Press `Sync Now` once.".to_owned(),
            format!("If the page has no such button here, press it on {} instead.", page(settings, from, FAILOVER_PAGE)),
            "The sync goes on when the page is left.".to_owned(),
        ],
        never: vec![
            "press `Become Primary`, `Become Backup` or `Break Failover Relationship(s)`: roles and link stay as they are"
                .to_owned(),
            own_address(settings),
        ],
        seen: format!(
            "node `{from}` (the primary) reports a newer last data sync with a good status, twice, more than 60 s apart since its answers may be cached."
        ),
    }
}

fn break_failover(settings: &Settings) -> Text {
    let (own, peer) = (settings.node, settings.node.other());
    Text {
        steps: vec![
            format!("Open {} as an administrator: this is {}.", page(settings, own, FAILOVER_PAGE), named(settings, own)),
            "See that the page shows this box as the primary; the link is broken from there because the primary's data are the ones to keep. If it is the backup, press nothing and hold the run.".to_owned(),
            "Press `Break Failover Relationship(s)`, and confirm if it asks.".to_owned(),
            format!(
                "Open {}: this is {}. If it still shows a relationship after two minutes, press the same button there.",
                page(settings, peer, FAILOVER_PAGE),
                named(settings, peer)
            ),
        ],
        never: vec![
            "press `Become Primary`, `Become Backup` or `Sync Now`: another sync would make the proof of the last one void".to_owned(),
            "update or restart either box yet".to_owned(),
            own_address(settings),
        ],
        seen: "both boxes report no failover relationship. One without and the other with a role is half broken; the run then waits and says so.".to_owned(),
    }
}

fn update(settings: &Settings, package: &Path, sha256: &str, target: &Target) -> Text {
    let (own, peer) = (settings.node, settings.node.other());
    Text {
        steps: vec![
            format!("Take the package {} from the machine of this run; its SHA-256 must be {sha256}.", package.display()),
            format!("Open {} as the box's administrator: this is {}.", page(settings, own, "/appliance > Updates"), named(settings, own)),
            "Under the manual update choose this file, upload it and install it. The page warns that connected users may be disconnected: that is planned.".to_owned(),
            "Wait. The box is silent for 15 minutes to an hour, longer with many recordings; slow is not failed.".to_owned(),
            "On an error message leave the box as it is, copy the message, hold the run and call the vendor's support.".to_owned(),
        ],
        never: vec![
            "restart or switch off this box, whatever it shows: the vendor warns against it above all during a Base update".to_owned(),
            "install this package a second time, or any other that the page offers".to_owned(),
            format!("touch {}: it serves, or is the way back", named(settings, peer)),
            own_address(settings),
        ],
        seen: format!("the box with this GUID answers again, is healthy and reports version {target}."),
    }
}

fn establish_failover(settings: &Settings, primary: NodeId, standby: NodeId) -> Text {
    Text {
        steps: vec![
            format!("Open {} as an administrator: this is {}.", page(settings, primary, FAILOVER_PAGE), named(settings, primary)),
            format!(
                "It must be this box: where the relationship is started becomes the primary and its data are kept; all data of {} are replaced by them.",
                named(settings, standby)
            ),
            "See in /login that product version and product build are the same on both boxes, and that both hold the same inter-appliance key (/login > Management > Security).".to_owned(),
            format!(
                "Enter the other box, {}, and as the way back to this one {}; establish the relationship.",
                host(settings, standby),
                host(settings, primary)
            ),
            "Leave automatic failover off. The first sync begins by itself after about 60 s.".to_owned(),
        ],
        never: vec![
            format!("start it from {}: that would overwrite the data to be kept", page(settings, standby, FAILOVER_PAGE)),
            "press `Become Primary` or `Become Backup`. If the roles come out the wrong way round, press `Break Failover Relationship(s)` at once, before the first sync, and hold the run".to_owned(),
            own_address(settings),
        ],
        seen: format!("node `{primary}` reports primary, node `{standby}` backup, and then node `{primary}` a newer good data sync."),
    }
}

fn drain(settings: &Settings, deadline: Timestamp, facts: Option<&Facts>) -> Text {
    Text {
        steps: vec![
            format!("On {}: {}.", named(settings, settings.node), counts(facts)),
            format!("Ask the users to end their sessions and to log out before {deadline}."),
            "Nothing is ended for them: this program logs out no user and ends no session.".to_owned(),
        ],
        never: vec!["restart the box to get rid of sessions".to_owned()],
        seen: "the box reports no logged-in user and no session; at the time above the run goes by its policy.".to_owned(),
    }
}

fn quiesce(settings: &Settings, facts: Option<&Facts>) -> Text {
    Text {
        steps: vec![
            format!("Close {} to clients: {}.", named(settings, settings.node), counts(facts)),
            format!(
                "The vendor documents no switch for that: let firewall, NAT or balancer keep clients of `{}` away from {}.",
                settings.service, settings.address
            ),
            format!(
                "Leave the way open for this machine and for {}: the run reads the box and fetches its data.",
                named(settings, settings.node.other())
            ),
        ],
        never: vec!["switch the box off, and do not disable its API account".to_owned()],
        seen: "the box reports no logged-in user and no session, and none comes again.".to_owned(),
    }
}

fn reopen(settings: &Settings) -> Text {
    Text {
        steps: vec![
            format!("Open {} to clients again.", named(settings, settings.node)),
            format!("Take back what keeps clients of `{}` away from {}.", settings.service, settings.address),
        ],
        never: vec!["change roles or DNS: only this box's door is opened".to_owned()],
        seen: format!("the box serves the site page for `{}` at its own address.", settings.service),
    }
}

fn counts(facts: Option<&Facts>) -> String {
    let shown = |count: Option<u32>| count.map_or("an unknown number of".to_owned(), |count| count.to_string());
    let (users, sessions) = facts.map_or((None, None), |facts| (facts.users, facts.sessions));
    format!("{} users are logged in and {} sessions are open", shown(users), shown(sessions))
}
