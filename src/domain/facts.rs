//! What rules judge: the pair as far as it is known, from readings and from the journal's evidence.
//!
//! The same facts are made in two ways: at run time from fresh readings and evidence ([`super::gathered`]), and when a
//! procedure is loaded from the ideal pair, step by step ([`Facts::after`]). The rules can't tell the difference.

mod lack;
mod link;
mod node;
mod ttl;

use super::action::{Kind, When};
use super::crossing;
use super::gate::Gate;
use super::ids::{NodeId, PerNode};
use super::rule::Rule;
use super::site::Role;
use super::step::Step;
use super::version::Version;

pub use lack::Lack;
pub use link::Link;
pub use node::{Known, NodeFacts};
pub use ttl::TtlFact;

/// The open window of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WindowFact {
    Fits,
    NotYet,
    /// Begun, but what is left is too short, or it is over.
    TooShort,
}

/// Everything that rules may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The node whose data and settings are to be kept.
    pub survivor: NodeId,
    /// The node that was primary when the run began.
    pub first_primary: NodeId,
    /// The node that the service's name leads to; `None` where it can't be told.
    pub serving: Option<NodeId>,
    pub link: Link,
    pub nodes: PerNode<NodeFacts>,
    pub start: Version,
    /// The versions of a chain between the start and the target, in order.
    pub between: Vec<Version>,
    pub target: Version,
    /// R1's evidence, not lapsed.
    pub fresh_sync: bool,
    /// Automatic failover was confirmed off in this window (R17).
    pub autopilot_off: bool,
    pub confirmed: bool,
    /// A person found the new version bad in production.
    pub rejected: bool,
    pub soaked: bool,
    pub window: WindowFact,
    /// R3: what window two lacks, as far as the step depends on it.
    pub second: Vec<Lack>,
    /// The steps were ordered by a person to restore service (R3's exemption).
    pub ordered: bool,
    /// From the break until failover is proven again.
    pub unprotected: bool,
    /// The site's traffic can be moved through us.
    pub movable: bool,
    /// R11: what stands against the rehearsal that the policy asks for.
    pub unrehearsed: Option<String>,
    /// What a person has set aside for the step that is judged.
    pub waived: Vec<Rule>,
    /// R9: the settings that a link would overwrite.
    pub settings: SettingsFact,
    /// R7: for how long caches may keep the service's name.
    pub ttl: TtlFact,
    /// This run has lowered a TTL and not restored it.
    pub lowered: bool,
    /// BG-50: a release before 10.6 ran when the link was broken, so that sessions which ended on either node meanwhile may be lost
    /// when it is established again.
    pub may_lose_ended: bool,
}

/// What is known of the settings that the next sync overwrites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SettingsFact {
    /// Nothing is told of them, or nobody asked at the break: people's freeze alone covers them.
    Untold,
    /// They were recorded at the break, and are not compared, or not every line is acknowledged.
    Open,
    /// Compared since the last change, and every line acknowledged.
    Settled,
}

impl SettingsFact {
    /// After a comparison.
    fn settled(self) -> Self {
        if self == Self::Open { Self::Settled } else { self }
    }

    /// A comparison of before says nothing of now.
    pub fn lapsed(self) -> Self {
        if self == Self::Settled { Self::Open } else { self }
    }
}

impl Facts {
    /// The pair as every procedure expects it: linked, equal, healthy, primary serving.
    pub fn ideal(primary: NodeId, start: Version, target: Version) -> Self {
        let node = |node| NodeFacts {
            known: Known::Yes,
            role: Some(if node == primary { Role::Primary } else { Role::Standby }),
            version: Some(start.clone()),
            build: None,
            healthy: true,
            proven: false,
            verified: false,
            closed: false,
            denied: false,
            backed_up: false,
            outdated: false,
            extracted: false,
            copied: false,
            stray: false,
            written: false,
            unsettled: false,
        };
        let may_lose_ended = crossing::is_before(&start);
        Self {
            survivor: primary,
            first_primary: primary,
            serving: Some(primary),
            link: Link::Linked { primary },
            nodes: PerNode::new(node),
            start,
            between: Vec::new(),
            target,
            fresh_sync: false,
            autopilot_off: false,
            confirmed: false,
            rejected: false,
            soaked: false,
            window: WindowFact::Fits,
            second: Vec::new(),
            ordered: false,
            unprotected: false,
            movable: true,
            unrehearsed: None,
            waived: Vec::new(),
            settings: SettingsFact::Untold,
            ttl: TtlFact::AsItIs,
            lowered: false,
            may_lose_ended,
        }
    }

    /// Able to serve: known, not updating, primary or standalone, healthy twice, open, and taking clients. Where it serves
    /// already the last point is plain; for an unlinked node that doesn't, this run has proved it.
    pub fn able_to_serve(&self, node: NodeId) -> bool {
        let facts = &self.nodes[node];
        let role = matches!(facts.role, Some(Role::Primary | Role::Standalone));
        let open = !facts.closed && !facts.denied && !facts.unsettled;
        facts.known == Known::Yes && role && facts.healthy && open && (facts.proven || self.serving == Some(node))
    }

    /// Certainly out of service: then disturbing it takes nothing away. A node that only was not tried yet may be what is left.
    pub fn out_of_service(&self, node: NodeId) -> bool {
        let facts = &self.nodes[node];
        let elsewhere = self.serving.is_some_and(|serving| serving != node);
        elsewhere && (facts.closed || facts.denied || facts.role == Some(Role::Standby))
    }

    /// A link that nobody planned and that a person orders to be broken: half there, claimed by both or by none, or back while
    /// failover is broken on purpose. Breaking it loses nothing, and no sync may go over it (R8).
    pub fn is_repair(&self) -> bool {
        let crooked = matches!(self.link, Link::Half | Link::BothPrimary | Link::BothStandby);
        self.ordered && (crooked || self.unprotected && matches!(self.link, Link::Linked { .. }))
    }

    /// The version on which a hop's package is installed.
    pub fn before(&self, hop: u32) -> &Version {
        hop.checked_sub(1).map_or(&self.start, |earlier| self.reached(earlier))
    }

    /// The version to which a hop leads.
    pub fn reached(&self, hop: u32) -> &Version {
        usize::try_from(hop).ok().and_then(|hop| self.between.get(hop)).unwrap_or(&self.target)
    }

    /// It stands between two packages of a chain: on a version that nobody accepted and nobody is to accept.
    pub fn is_under_way(&self, node: NodeId) -> bool {
        self.nodes[node].version.as_ref().is_some_and(|version| self.between.contains(version))
    }

    /// The hop that comes next on a node, by the version that it runs; `None` at the target, and off the path.
    pub fn next_hop(&self, node: NodeId) -> Option<u32> {
        let version = self.nodes[node].version.as_ref()?;
        let hops = u32::try_from(self.between.len()).unwrap_or(u32::MAX);
        (0..=hops).find(|&hop| self.before(hop) == version)
    }

    /// A version this site has accepted: the start version, or the target once verified and not rejected (R7).
    pub fn known_to_work(&self, node: NodeId) -> bool {
        let facts = &self.nodes[node];
        let Some(version) = &facts.version else { return false };
        *version == self.start || *version == self.target && facts.verified && !self.rejected
    }

    /// Why a node is not able to serve, for messages.
    pub fn unable(&self, node: NodeId) -> String {
        let facts = &self.nodes[node];
        match &facts.known {
            Known::Unread(why) => return format!("node `{node}` can't be read: {why}"),
            Known::WrongBox(found) => return format!("at node `{node}` another box answers: {found}"),
            Known::Yes => {}
        }
        if facts.unsettled {
            return format!("the update of node `{node}` may be under way: its answer was lost, and nothing shows its effect");
        }
        if facts.closed {
            return format!("node `{node}` is closed to clients");
        }
        if facts.denied {
            return format!("node `{node}` takes no client");
        }
        match facts.role {
            Some(Role::Standby) => format!("node `{node}` is standby"),
            _ if !facts.healthy => format!("node `{node}` was not healthy in its last two readings"),
            _ => format!("it is not proven that node `{node}` takes a client"),
        }
    }

    /// The facts once a step has been done: the action's effect, along the success path.
    pub fn after(mut self, step: &Step) -> Self {
        let node = step.node.unwrap_or(self.first_primary);
        // A waiver is for one step.
        self.waived.clear();
        match step.kind {
            Kind::Backup => (self.nodes[node].backed_up, self.nodes[node].outdated) = (true, false),
            Kind::ForceSync => self.fresh_sync = true,
            Kind::BreakFailover => {
                self.set_link(Link::Broken);
                self.touched_both();
                self.unprotected = true;
                self.writes_to(self.serving);
            }
            Kind::Update => self.updated(node, step.hop),
            Kind::Verify => {
                self.nodes[node].verified = true;
                self.nodes[node].proven = !self.nodes[node].closed;
            }
            Kind::Quiesce => {
                self.nodes[node].closed = true;
                self.nodes[node].proven = false;
            }
            Kind::Reopen => {
                self.nodes[node].closed = false;
                self.nodes[node].denied = false;
                self.nodes[node].extracted = false;
            }
            Kind::ExtractData => (self.nodes[node].extracted, self.nodes[node].copied) = (self.nodes[node].closed, true),
            Kind::SwitchTraffic => self.switched(node),
            Kind::Confirm => match step.gate {
                Some(Gate::Production) => self.confirmed = true,
                Some(Gate::AutomaticFailoverOff) => self.autopilot_off = true,
                // What the others ask is in no fact that a rule judges.
                _ => {}
            },
            Kind::RecordSettings => self.settings = SettingsFact::Open,
            Kind::CompareSettings => self.settings = self.settings.settled(),
            Kind::Soak => self.soaked = true,
            Kind::LowerTtl => (self.ttl, self.lowered) = (TtlFact::Low, true),
            Kind::RestoreTtl => (self.ttl, self.lowered) = (TtlFact::Restored, false),
            Kind::EstablishFailover => {
                self.set_link(Link::Linked { primary: node });
                self.touched_both();
                self.unprotected = false;
                self.settings = SettingsFact::Untold;
                self.nodes.a.written = false;
                self.nodes.b.written = false;
            }
            Kind::Preflight | Kind::CheckSync | Kind::Drain | Kind::FinalCheck => {}
        }
        self
    }

    /// What the passing from one part of a procedure to the next takes away: R17's confirmation holds for one part; by window
    /// one a sync of the preparations is older than `policy.max_sync_age` (R1); by window two days have gone by, and backups and
    /// extractions are older than any sensible `policy.max_backup_age` (R4, R9).
    pub fn entering(mut self, when: When) -> Self {
        self.autopilot_off = false;
        self.fresh_sync = false;
        self.settings = self.settings.lapsed();
        if when == When::Window2 {
            for facts in [&mut self.nodes.a, &mut self.nodes.b] {
                (facts.backed_up, facts.copied) = (false, false);
            }
        }
        self
    }

    fn set_link(&mut self, link: Link) {
        self.link = link;
        self.fresh_sync = false;
        for node in NodeId::BOTH {
            self.nodes[node].role = Some(match link {
                Link::Linked { primary } if primary == node => Role::Primary,
                Link::Linked { .. } => Role::Standby,
                _ => Role::Standalone,
            });
        }
    }

    /// What was proven of a node before its link was changed is proven no more.
    fn touched_both(&mut self) {
        for node in NodeId::BOTH {
            let facts = &mut self.nodes[node];
            (facts.proven, facts.verified, facts.extracted, facts.copied) = (false, false, false, false);
        }
    }

    fn updated(&mut self, node: NodeId, hop: u32) {
        let reached = self.reached(hop).clone();
        let facts = &mut self.nodes[node];
        facts.version = Some(reached);
        facts.outdated = true;
        // The build that it will show is not the one that it showed.
        facts.build = None;
        facts.proven = false;
        facts.verified = false;
        facts.extracted = false;
        facts.copied = false;
    }

    fn writes_to(&mut self, serving: Option<NodeId>) {
        if let Some(node) = serving {
            self.nodes[node].written = true;
        }
    }

    fn switched(&mut self, to: NodeId) {
        self.serving = Some(to);
        self.survivor = to;
        self.settings = self.settings.lapsed();
        if self.unprotected {
            self.writes_to(Some(to));
        }
        // R4: a backup counts if it was taken after the node last served.
        self.nodes[to.other()].backed_up = false;
        // What it served since is in no extraction of before.
        self.nodes[to].copied = false;
    }
}
