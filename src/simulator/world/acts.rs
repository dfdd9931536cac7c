//! What a person orders on a node, and what comes of it.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::domain::ids::NodeId;
use crate::domain::site::Role;
use crate::domain::version::{Target, Version};

use super::node::{Installation, SimNode, build_of, merges_sessions, version_text};
use super::refusal::Refusal;
use super::{Effect, UpdateDone, World};
use crate::simulator::faults::Fault;

/// After establishing, the first sync begins this many seconds later (vendor's failover guide).
const FIRST_SYNC: RangeInclusive<i64> = 60..=60;
/// A package comes from the vendor's server in so many seconds: our choice, some of it longer than a person waits.
const FETCH: RangeInclusive<i64> = 300..=1200;
/// Both boxes are standby for this many seconds while roles are swapped by API.
const SWAP: RangeInclusive<i64> = 3..=3;

/// The role that `set_failover_role` asks of the node that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwapRole {
    Primary,
    Standby,
}

impl World {
    /// Does a person's act by its verb, the word of config and API (`force_sync`) or of the control interface (`sync-now`).
    ///
    /// # Errors
    /// See [`Refusal`]; nothing changed then.
    pub fn perform(&mut self, verb: &str, node: NodeId, target: Option<Target>) -> Result<(), Refusal> {
        match verb {
            "force_sync" | "sync-now" => self.sync_now(node),
            "break_failover" | "break" => self.break_failover(node),
            "establish_failover" | "establish" => self.establish_failover(node),
            "update" => self.update(node, target),
            "drain" => self.drain(node),
            "end_sessions" | "end-sessions" => self.end_sessions(node),
            "quiesce" | "close" => self.close(node),
            "reopen" | "open" => self.open(node),
            "restore-account" => {
                self.nodes[node].account_overwritten = false;
                Ok(())
            }
            "change-settings" => self.change_settings(node),
            _ => Err(Refusal::UnknownAct(verb.to_owned())),
        }
    }

    /// Enables or disables a shared address on a node. Nothing keeps it from being on both.
    ///
    /// # Errors
    /// A node that does not answer can't be configured.
    pub fn set_shared_ip(&mut self, node: NodeId, address: IpAddr, enabled: bool) -> Result<(), Refusal> {
        self.reachable(node)?;
        let ips = &mut self.nodes[node].shared_ips;
        let changed = if enabled { ips.insert(address) } else { ips.remove(&address) };
        if changed {
            let word = if enabled { "enabled" } else { "disabled" };
            self.note(Some(node), "shared-ip", format!("{address} is {word}"));
        }
        Ok(())
    }

    /// Breaks the relationship; within seconds both nodes are unlinked.
    pub fn break_failover(&mut self, node: NodeId) -> Result<(), Refusal> {
        self.reachable(node)?;
        if self.nodes[node].role == Role::Standalone {
            return Err(Refusal::NotLinked);
        }
        self.record_act(node, "break");
        let half = self.faults.take(Fault::BreakHalf, node, "break_failover");
        let after = self.takes(3..=8);
        self.schedule(after, Effect::Broken { node, half });
        Ok(())
    }

    pub(super) fn broken(&mut self, node: NodeId, half: bool) {
        self.merges = NodeId::BOTH.into_iter().all(|node| merges_sessions(&self.nodes[node].version));
        let behind = self.records_behind(node);
        for affected in [node, node.other()] {
            if affected == node || (!half && self.answers(affected)) {
                self.set_role(affected, Role::Standalone);
            }
        }
        (self.sync, self.sync_waiting, self.first_sync_pending) = (None, None, false);
        self.links += 1;
        self.note(Some(node), "broken", format!("{behind} records are on one node only"));
    }

    fn records_behind(&self, node: NodeId) -> usize {
        let (own, other) = (&self.nodes[node].records, &self.nodes[node.other()].records);
        own.keys().filter(|serial| !other.contains_key(serial)).count()
            + other.keys().filter(|serial| !own.contains_key(serial)).count()
    }

    /// Starts a relationship from this node: it becomes primary, the other standby, and the first sync follows.
    pub fn establish_failover(&mut self, node: NodeId) -> Result<(), Refusal> {
        self.reachable(node)?;
        if !self.answers(node.other()) {
            return Err(Refusal::PeerSilent(node));
        }
        if NodeId::BOTH.into_iter().any(|any| self.nodes[any].role != Role::Standalone) {
            return Err(Refusal::Linked);
        }
        self.record_act(node, "establish");
        let half = self.faults.take(Fault::EstablishHalf, node, "establish_failover");
        let reversed = self.faults.take(Fault::EstablishReversed, node, "establish_failover");
        let after = self.takes(8..=15);
        self.schedule(after, Effect::Established { node, half, reversed });
        Ok(())
    }

    pub(super) fn established(&mut self, node: NodeId, half: bool, reversed: bool) {
        if !(self.answers(node) && self.answers(node.other())) {
            self.note(Some(node), "establish-dropped", "a node stopped answering meanwhile".to_owned());
            return;
        }
        let primary = if reversed { node.other() } else { node };
        let role = |any| if any == primary { Role::Primary } else { Role::Standby };
        self.set_role(node, role(node));
        if !half {
            self.set_role(node.other(), role(node.other()));
        }
        self.compare_versions();
        self.links += 1;
        self.first_sync_pending = true;
        let wait = self.takes(FIRST_SYNC);
        self.schedule(wait, Effect::FirstSync { link: self.links });
        self.note(
            Some(primary),
            "established",
            format!("{primary} is primary{}", if half { ", the other knows nothing" } else { "" }),
        );
    }

    /// Installs a package; without `target`, the one the world was made with. Sessions end at once and the box falls silent.
    pub fn update(&mut self, node: NodeId, target: Option<Target>) -> Result<(), Refusal> {
        self.reachable(node)?;
        self.fits(node, target.as_ref().unwrap_or(&self.target))?;
        self.judge_update(node);
        self.record_act(node, "update");
        let result = self.update_result(node, target);
        let slow = self.faults.take(Fault::UpdateSlow, node, "update");
        let length = self.takes(self.update_takes.clone()) * if slow { 5 } else { 1 };
        let from = self.nodes[node].version_text();
        let until = self.now + length;
        let entry = self.nodes[node].updates.len();
        self.nodes[node].updates.push(UpdateDone { asked_at: self.now, ended_at: None, from: from.clone(), to: from });
        self.nodes[node].installation = Some(Installation { until, result, entry });
        self.throw_out(node);
        self.schedule(length, Effect::UpdateEnds { node });
        self.settle();
        Ok(())
    }

    /// Orders a package of the vendor's server. The box goes on working while it fetches that, and then installs it by itself.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing changed then.
    pub fn fetch(&mut self, node: NodeId, to: Version) -> Result<(), Refusal> {
        self.reachable(node)?;
        self.fits(node, &Target { version: to.clone(), build: None })?;
        if self.nodes[node].fetching.is_some() {
            return Err(Refusal::Fetching(node));
        }
        self.nodes[node].fetching = Some(to);
        let after = self.takes(FETCH);
        self.schedule(after, Effect::FetchEnds { node });
        Ok(())
    }

    pub(super) fn fetched(&mut self, node: NodeId) {
        let Some(version) = self.nodes[node].fetching.take() else { return };
        if let Err(refusal) = self.update(node, Some(Target { version, build: None })) {
            self.note(Some(node), "update-dropped", refusal.to_string());
        }
    }

    /// A package knows what it may be installed on, and the box refuses it elsewhere.
    fn fits(&self, node: NodeId, target: &Target) -> Result<(), Refusal> {
        let found = &self.nodes[node].version;
        let unmet = self.needs.iter().find(|(to, needs)| *to == target.version && !found.matches(needs));
        unmet.map_or(Ok(()), |(to, needs)| {
            Err(Refusal::NotOn { node, to: to.clone(), needs: needs.clone(), found: found.clone() })
        })
    }

    fn update_result(&mut self, node: NodeId, target: Option<Target>) -> Target {
        let asked = target.unwrap_or_else(|| self.target.clone());
        if self.faults.take(Fault::UpdateFails, node, "update") {
            let state = &self.nodes[node];
            return Target { version: state.version.clone(), build: Some(state.build.clone()) };
        }
        let wrong = self.faults.take(Fault::UpdateWrongVersion, node, "update");
        let version = if wrong { next_patch(&asked.version) } else { asked.version.clone() };
        let known = if wrong { None } else { asked.build };
        let build = known.or_else(|| self.target.build.clone().filter(|_| !wrong && version == self.target.version));
        Target { build: Some(build.unwrap_or_else(|| build_of(&version))), version }
    }

    /// What a careful person would not have done is written down; the update goes on all the same.
    fn judge_update(&mut self, node: NodeId) {
        let other = node.other();
        if NodeId::BOTH.into_iter().any(|any| self.nodes[any].role != Role::Standalone) {
            self.promise_broken(node, "R15: updated while a node still showed a failover relationship");
        }
        if self.takes_clients(node) && !self.takes_clients(other) {
            self.promise_broken(node, "R2: updated while the other node could not serve");
        }
    }

    pub(super) fn update_ends(&mut self, node: NodeId) {
        let now = self.now;
        self.nodes[node].restart(now);
        let text = self.nodes[node].version_text();
        self.note(Some(node), "updated", format!("runs {text}"));
    }

    /// Announces a drain: users finish their sessions, log off and stay away.
    pub fn drain(&mut self, node: NodeId) -> Result<(), Refusal> {
        self.reachable(node)?;
        self.record_act(node, "drain");
        self.nodes[node].drained = true;
        self.nudge_idle_users();
        Ok(())
    }

    /// Ends every session that is under way on a node; its users stay logged in.
    pub fn end_sessions(&mut self, node: NodeId) -> Result<(), Refusal> {
        self.reachable(node)?;
        self.record_act(node, "end-sessions");
        self.cut_sessions(node);
        Ok(())
    }

    /// Closes a node to clients: nobody gets in and no session begins; sessions under way end in their time.
    pub fn close(&mut self, node: NodeId) -> Result<(), Refusal> {
        self.set_closed(node, true, "close")
    }

    /// Opens a node again and takes back a drain announced on it.
    pub fn open(&mut self, node: NodeId) -> Result<(), Refusal> {
        self.set_closed(node, false, "open")?;
        self.nodes[node].drained = false;
        Ok(())
    }

    fn set_closed(&mut self, node: NodeId, closed: bool, act: &'static str) -> Result<(), Refusal> {
        self.reachable(node)?;
        self.record_act(node, act);
        self.nodes[node].closed = closed;
        self.nudge_idle_users();
        self.settle();
        Ok(())
    }

    /// Another box takes a node's place: on this version, in no relationship, open, and without any data.
    pub fn replace_box(&mut self, node: NodeId, identity: &str, target: &Target) {
        self.throw_out(node);
        // A new box has no settings that could be lost.
        let settings = self.nodes[node.other()].settings.clone();
        self.nodes[node] = SimNode::new(identity.to_owned(), target, Role::Standalone, settings);
        (self.sync, self.sync_waiting, self.first_sync_pending) = (None, None, false);
        self.links += 1;
        self.note(Some(node), "replaced", format!("box {identity} stands there now"));
        self.settle();
    }

    /// `set_failover_role`: swaps the roles of a linked pair, at once or after a good sync. Everybody is thrown out first.
    pub fn swap_roles(&mut self, node: NodeId, role: SwapRole, sync_first: bool) -> Result<(), Refusal> {
        self.reachable(node)?;
        let link = self.linked()?;
        let primary = if role == SwapRole::Primary { node } else { node.other() };
        if link.0 == primary {
            return Err(Refusal::SameRole(node));
        }
        self.record_act(node, "set-failover-role");
        self.throw_out(link.0);
        if sync_first {
            self.begin_sync_then_swap(link, node, primary);
        } else {
            self.swap(primary);
        }
        self.settle();
        Ok(())
    }

    pub(super) fn swap(&mut self, primary: NodeId) {
        self.set_role(primary.other(), Role::Standby);
        let moment = self.takes(SWAP);
        self.schedule(moment, Effect::Swapped { primary });
    }

    pub(super) fn swapped(&mut self, primary: NodeId) {
        if self.nodes[primary].role == Role::Standby {
            self.set_role(primary, Role::Primary);
            self.note(Some(primary), "swapped", format!("{primary} is primary"));
        }
    }

    fn set_role(&mut self, node: NodeId, role: Role) {
        self.nodes[node].role = role;
        self.nodes[node].last_sync = None;
        if role == Role::Standby {
            self.throw_out(node);
        }
    }

    /// The vendor sends an e-mail about unequal versions and goes on; here it is an event.
    pub(super) fn compare_versions(&mut self) {
        let (a, b) = (&self.nodes.a, &self.nodes.b);
        if (&a.version, &a.build) != (&b.version, &b.build) {
            let texts = (version_text(&a.version, &a.build), version_text(&b.version, &b.build));
            self.note(None, "version-mismatch", format!("a runs {}, b runs {}", texts.0, texts.1));
        }
    }

    pub(super) fn reachable(&self, node: NodeId) -> Result<(), Refusal> {
        if self.answers(node) { Ok(()) } else { Err(Refusal::Silent(node)) }
    }

    /// The link, or why there is none.
    pub(super) fn linked(&self) -> Result<(NodeId, NodeId), Refusal> {
        let silent = NodeId::BOTH.into_iter().find(|&node| !self.answers(node));
        self.link().ok_or_else(|| silent.map_or(Refusal::NotLinked, |node| Refusal::PeerSilent(node.other())))
    }
}

/// The version with its last part raised by one.
fn next_patch(version: &Version) -> Version {
    let text = version.as_str();
    let (head, last) = text.rsplit_once('.').map_or(("", text), |(head, last)| (head, last));
    let raised = last.parse::<u64>().unwrap_or(0).saturating_add(1);
    let raised = if head.is_empty() { raised.to_string() } else { format!("{head}.{raised}") };
    // A part that was a number stays one; the old version stands in for the one case of a length at the limit.
    raised.parse().unwrap_or_else(|_| version.clone())
}
