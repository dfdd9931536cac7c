//! Who serves, seen from everywhere: what each node says of itself, where the names lead, and which box answers behind them.
//!
//! Four witnesses, one verdict and one line with ages. Pure; shown by `traffic look`, the status, and the preflight.

use jiff::Timestamp;

use super::ids::{NodeId, PerNode};
use super::site::{Role, SharedOn, TrafficLook};
use super::window::format_duration;
use super::world::{TrafficReading, World};

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// Primary: it is the one that serves.
    Serves,
    /// Without a relationship and open: it may serve or not.
    MayServe,
    /// Primary, and yet it takes no client.
    Refuses,
    /// Standby, or closed to clients.
    DoesNot,
    /// It was not read.
    Untold,
}

/// One node's word, and when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    pub opinion: Opinion,
    /// `primary`, `standalone, takes no client`, or why it was not read.
    pub says: String,
    pub at: Option<Timestamp>,
}

/// The box that answers behind the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    Node(NodeId),
    /// A box that is none of the pair.
    Stranger(String),
    /// Different boxes behind different entries.
    Several,
    /// No driver tells.
    Untold,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This node serves, and nobody says otherwise.
    Agreed { node: NodeId },
    /// Some of the names have moved and some have not.
    Partly,
    /// Two witnesses contradict each other.
    Disputed,
    /// Too little was read to say.
    Untold,
}

impl Verdict {
    /// The word in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agreed { .. } => "agreed",
            Self::Partly => "partly_switched",
            Self::Disputed => "disputed",
            Self::Untold => "untold",
        }
    }

    /// For messages.
    pub fn describe(self) -> String {
        match self {
            Self::Agreed { node } => format!("node {node} serves"),
            Self::Partly => "partly switched".to_owned(),
            Self::Disputed => "they do not agree on who serves".to_owned(),
            Self::Untold => "who serves can't be told".to_owned(),
        }
    }
}

/// All witnesses and the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    pub nodes: PerNode<Witness>,
    /// `node a on 2 of 2 servers`.
    pub names: String,
    pub names_at: Option<Timestamp>,
    pub behind: Behind,
    pub behind_says: String,
    pub verdict: Verdict,
}

/// Entries or servers that lead to each node, where both nodes have some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partly {
    pub at: PerNode<Vec<String>>,
}

/// Hears the witnesses. `identities`: the boxes that the site's file names.
pub fn of(world: &World, identities: &PerNode<&str>) -> Agreement {
    let nodes = PerNode::new(|node| witness(world, node));
    let behind = behind(&world.traffic, identities);
    let verdict = verdict(&nodes, &world.traffic, &behind);
    let oldest = world.traffic.looks.iter().filter_map(|look| look.as_ref().ok()).map(|look| look.at).min();
    let behind_says = match &behind {
        Behind::Node(node) => format!("box {} of node {node} answers there", identities[*node]),
        Behind::Stranger(identity) => format!("box {identity} answers there, which is none of the pair"),
        Behind::Several => "different boxes answer there".to_owned(),
        Behind::Untold => "which box answers there is not told".to_owned(),
    };
    Agreement { nodes, names: names(&world.traffic), names_at: oldest, behind, behind_says, verdict }
}

impl Agreement {
    /// Everything in one line, with ages.
    pub fn line(&self, now: Timestamp) -> String {
        let aged = |at: Option<Timestamp>| at.map(|at| format!(" ({})", age(now, at))).unwrap_or_default();
        let node = |id: NodeId| format!("node {id}: {}{}", self.nodes[id].says, aged(self.nodes[id].at));
        let (names, names_at) = (&self.names, aged(self.names_at));
        let behind = &self.behind_says;
        let (a, b, verdict) = (node(NodeId::A), node(NodeId::B), self.verdict.describe());
        format!("{verdict}; {a}; {b}; the names: {names}{names_at}; {behind}")
    }

    /// Everything but the verdict and the ages, for messages that are compared.
    pub fn claims(&self) -> String {
        let [a, b] = NodeId::BOTH.map(|id| format!("node {id}: {}", self.nodes[id].says));
        format!("{a}; {b}; {}", self.behind_says)
    }
}

/// Whether somebody says otherwise of who serves, were the nodes that a run has closed on purpose open: a closing that is
/// planned is no dispute.
pub fn is_disputed_but_for(closed: impl Fn(NodeId) -> bool, world: &World, identities: &PerNode<&str>) -> bool {
    let Agreement { mut nodes, behind, .. } = of(world, identities);
    for node in NodeId::BOTH.into_iter().filter(|node| closed(*node)) {
        if let Some(current) = &world.readings[node].current {
            nodes[node].opinion = opinion(current.role, None);
        }
    }
    matches!(verdict(&nodes, &world.traffic, &behind), Verdict::Partly | Verdict::Disputed)
}

fn age(now: Timestamp, at: Timestamp) -> String {
    let age = jiff::SignedDuration::from_secs(now.duration_since(at).as_secs().max(0));
    format!("{} ago", format_duration(age))
}

fn witness(world: &World, node: NodeId) -> Witness {
    let reading = &world.readings[node];
    let Some(current) = &reading.current else {
        let says = format!("not read, {}", reading.error.as_deref().unwrap_or("no look yet"));
        return Witness { opinion: Opinion::Untold, says, at: None };
    };
    let refuses = match (current.role, current.takes_clients) {
        (Role::Primary | Role::Standalone, Some(false)) => ", takes no client",
        _ => "",
    };
    let opinion = opinion(current.role, current.takes_clients);
    Witness { opinion, says: format!("{}{refuses}", current.role.as_str()), at: Some(current.at) }
}

fn opinion(role: Role, takes_clients: Option<bool>) -> Opinion {
    match (role, takes_clients) {
        (Role::Primary, Some(false)) => Opinion::Refuses,
        (Role::Standby, _) | (Role::Standalone, Some(false)) => Opinion::DoesNot,
        (Role::Primary, _) => Opinion::Serves,
        (Role::Standalone, _) => Opinion::MayServe,
    }
}

fn behind(traffic: &TrafficReading, identities: &PerNode<&str>) -> Behind {
    let seen = traffic.looks.iter().filter_map(|look| look.as_ref().ok()?.serving_identity.as_deref());
    let mut seen: Vec<&str> = seen.collect();
    seen.sort_unstable();
    seen.dedup();
    match seen.as_slice() {
        [] => Behind::Untold,
        [one] => {
            let known = NodeId::BOTH.into_iter().find(|node| identities[*node] == *one);
            known.map_or_else(|| Behind::Stranger((*one).to_owned()), Behind::Node)
        }
        _ => Behind::Several,
    }
}

fn verdict(nodes: &PerNode<Witness>, traffic: &TrafficReading, behind: &Behind) -> Verdict {
    if traffic.shared() == Some(SharedOn::Both) {
        return Verdict::Disputed;
    }
    if partly(traffic).is_some() {
        return Verdict::Partly;
    }
    let Some(node) = traffic.target() else {
        let foreign = traffic.looks.iter().flatten().any(TrafficLook::leads_elsewhere);
        return if foreign { Verdict::Disputed } else { Verdict::Untold };
    };
    let other = node.other();
    let named = matches!(nodes[node].opinion, Opinion::Serves | Opinion::MayServe);
    let claimed = matches!(nodes[other].opinion, Opinion::Serves | Opinion::Refuses)
        || matches!(nodes[node].opinion, Opinion::DoesNot | Opinion::Refuses);
    match behind {
        Behind::Stranger(_) | Behind::Several => Verdict::Disputed,
        Behind::Node(found) if *found != node => Verdict::Disputed,
        _ if claimed => Verdict::Disputed,
        _ if !named => Verdict::Untold,
        _ => Verdict::Agreed { node },
    }
}

/// Where the names lead, counted over all servers of all entries.
fn names(traffic: &TrafficReading) -> String {
    let answers: Vec<_> = traffic.looks.iter().flatten().flat_map(|look| &look.answers).collect();
    let unread = traffic.looks.iter().filter(|look| look.is_err()).count();
    let count = |node: NodeId| answers.iter().filter(|answer| answer.target == Some(node)).count();
    let told = NodeId::BOTH.into_iter().filter(|node| count(*node) > 0);
    let mut parts: Vec<String> =
        told.map(|node| format!("node {node} on {} of {} servers", count(node), answers.len())).collect();
    let nowhere = answers.iter().filter(|answer| answer.target.is_none());
    parts.extend(nowhere.map(|answer| format!("{} says {}", answer.server, answer.found)));
    if unread > 0 {
        parts.push(format!("{unread} entries not read"));
    }
    if parts.is_empty() { "nobody was asked".to_owned() } else { parts.join(", ") }
}

/// The places that lead to either node, if some lead to one and some to the other.
pub fn partly(traffic: &TrafficReading) -> Option<Partly> {
    let mut at: PerNode<Vec<String>> = PerNode::default();
    for look in traffic.looks.iter().flatten() {
        for answer in &look.answers {
            if let Some(node) = answer.target {
                let entry = if look.entry.is_empty() { String::new() } else { format!(" ({})", look.entry) };
                at[node].push(format!("{}{entry}", answer.server));
            }
        }
    }
    (!at.a.is_empty() && !at.b.is_empty()).then_some(Partly { at })
}

impl Partly {
    /// `partly switched: node b at ns1; node a still at ns2`, for a switch to this node.
    pub fn describe(&self, to: NodeId) -> String {
        let from = to.other();
        format!(
            "partly switched: these lead to node `{to}`: {}; these still to node `{from}`: {}",
            self.at[to].join(", "),
            self.at[from].join(", ")
        )
    }
}

#[cfg(test)]
mod tests;
