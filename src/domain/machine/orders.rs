//! What people's words make of a run: resumption, the way back, a replaced box, the end without an act.

use std::sync::Arc;

use jiff::Timestamp;

use super::command::Command;
use crate::domain::action::{Kind, When};
use crate::domain::backups;
use crate::domain::check::AcceptedWarning;
use crate::domain::event::{Notice, Outcome, Verdict, WaitingOn};
use crate::domain::ids::NodeId;
use crate::domain::plan::Goal;
use crate::domain::run::{Frozen, Hold, NodeRecord, Phase, Run};
use crate::domain::step::Step;
use crate::domain::window::Window;

/// Books windows anew, and names who is responsible for window two.
pub fn book(run: &mut Run, first: Option<&Window>, second: Option<&Window>, responsible: Option<&String>) {
    run.responsible = responsible.or(run.responsible.as_ref()).cloned();
    run.windows.first = first.or(run.windows.first.as_ref()).cloned();
    run.windows.second = second.or(run.windows.second.as_ref()).cloned();
    let here = match run.step().map(|step| step.when) {
        Some(When::Prepare | When::Window1) => first,
        _ => second,
    };
    if here.is_some() {
        // R17: it was confirmed for the window that is gone.
        run.autopilot_off = None;
        run.notices.retain(|(notice, _)| *notice != Notice::WindowClosing);
    }
}

/// A person's word on a warning. It lets the run go on if warnings were all that held it, and none is left.
pub fn warning_accepted(run: &mut Run, word: AcceptedWarning, is_last: bool) {
    run.accepted.push(word);
    if is_last && run.hold().is_some_and(|hold| hold.code == "warning_not_accepted") {
        run.phase = Phase::Ready;
    }
}

/// Goes on after a hold, a doubt, or with another window.
pub fn resumed(run: &mut Run, at: Timestamp) {
    // A resumption takes more than the reserve: there is space again.
    run.notices.retain(|(notice, _)| *notice != Notice::StoreLow);
    run.hold_requested = false;
    // To resume after looking is a person's word that no update is under way.
    for node in NodeId::BOTH {
        run.nodes[node].update_in_doubt = None;
    }
    let surprise = run.hold().filter(|hold| matches!(hold.code.as_str(), "out_of_band" | "role_conflict"));
    let is_surprised = surprise.is_some();
    if let Some(seen) = surprise.map(|hold| hold.message.clone()).filter(|seen| !run.acknowledged.contains(seen)) {
        run.acknowledged.push(seen);
    }
    if is_surprised && run.soak_from.is_some() && run.soak_restarts() && run.step().is_some_and(|step| step.when == When::Soak) {
        restart_soak(run, at);
    }
    forget_tries(run);
    backups::accept_missing(run);
    run.asked = None;
    go_on(run, at);
}

/// Leaves a hold or a doubt: an act that was kept through a hold is awaited further, else the step begins anew.
pub fn go_on(run: &mut Run, at: Timestamp) {
    run.act = run.act.take().filter(|_| run.hold().is_some());
    run.phase = match run.act {
        Some(_) => Phase::Waiting { on: awaited_of(run), since: at, until: None },
        None => Phase::Ready,
    };
}

/// The fixed path back: open the node that traffic was taken from, prove that it can serve, move the name, close the
/// other and take its data. It replaces all steps that are not done; what follows is a person's decision. Where a switch is partly
/// done, the node that it was to leave gets back what has moved; it is opened only if this run closed it.
pub fn switch_back(run: &mut Run, at: Timestamp) {
    let to = run.leads_back_to();
    let from = to.other();
    let when = run.step().map_or(When::Soak, |step| step.when);
    let is_open = to == run.survivor && run.nodes[to].closed_at.is_none();
    let path =
        [(Kind::Reopen, to), (Kind::Verify, to), (Kind::SwitchTraffic, to), (Kind::Quiesce, from), (Kind::ExtractData, from)];
    let path = path.into_iter().filter(|(kind, _)| *kind != Kind::Reopen || !is_open);
    let step = |(kind, node): (Kind, NodeId)| {
        let id = format!("switch-back.{kind}.{node}");
        Step { id, when, kind, node: Some(node), gate: None, hop: 0 }
    };
    replace_rest(run, path.map(step).collect(), at);
    run.switched_back = true;
    // What led home before leads elsewhere now.
    run.way = None;
    // R10: whoever leads people off a version takes back that it is good in production. That it was found bad stays.
    run.verdict = run.verdict.filter(|verdict| *verdict == Verdict::Reject);
}

/// The steps that are not done give way to others; whatever was awaited is awaited no more.
fn replace_rest(run: &mut Run, steps: Vec<Step>, at: Timestamp) {
    // An instruction that waits was begun by nobody, or no other way could be ordered.
    if !matches!(run.phase, Phase::Waiting { .. }) {
        doubt_update(run, at);
    }
    let here = run.position().unwrap_or(run.plan.steps.len());
    let plan = Arc::make_mut(&mut run.plan);
    let known = Arc::make_mut(&mut plan.steps);
    known.truncate(here);
    run.progress.forget_from(here);
    known.extend(steps);
    run.revision += 1;
    run.act = None;
    run.asked = None;
    run.bound.clear();
    run.hold_requested = false;
    run.notices.retain(|(notice, _)| !notice.is_of_the_soak());
    forget_tries(run);
    run.phase = Phase::Ready;
}

fn forget_tries(run: &mut Run) {
    for progress in run.progress.begun_mut() {
        progress.tries = 0;
        progress.ending = false;
    }
}

/// A new plan revision. What is not as the old one had it was shown to the person who ordered it.
pub fn revised(run: &mut Run, goal: Goal, steps: &[Step], seen: &[String], at: Timestamp) {
    replace_rest(run, steps.to_vec(), at);
    run.way = Some(goal);
    run.switched_back = false;
    let unknown: Vec<String> = seen.iter().filter(|message| !run.acknowledged.contains(message)).cloned().collect();
    run.acknowledged.extend(unknown);
}

/// Another box stands where the old one stood: nothing that was proven of the old one holds.
pub fn replaced(run: &mut Run, node: NodeId, identity: &str, at: Timestamp) {
    identity.clone_into(&mut Arc::make_mut(&mut run.plan).nodes[node].identity);
    // Another box has other settings: those of the old one can't be compared with them.
    run.settings = Frozen::default();
    run.nodes[node] = NodeRecord { touched_at: Some(at), ..NodeRecord::default() };
    run.act = None;
    run.hold_requested = false;
    let message = format!("node `{node}` is box {identity} from now on; nothing is known of it yet");
    let (code, found) = ("node_replaced".to_owned(), message.clone());
    run.phase = Phase::Held(Hold { code, found, message, node: Some(node), since: at });
}

/// The end without an act. Unprotected, the run looks on until somebody has linked the pair.
pub fn closed(run: &mut Run, off_since: Option<Timestamp>, at: Timestamp) -> Vec<Command> {
    // The break may have its effect yet: it counts until the readings say otherwise.
    if let Some(act) = run.act.as_ref().filter(|_| run.is_at(Kind::BreakFailover)) {
        run.broken_at = run.broken_at.or(Some(act.since));
        run.protected_at = None;
    }
    // Nothing is ordered any more: whoever broke the link, the pair is without failover.
    if off_since.is_some() {
        run.broken_at = run.broken_at.or(off_since);
        run.protected_at = None;
    }
    run.act = None;
    run.hold_requested = false;
    run.finished_at = Some(at);
    run.phase = Phase::Finished(Outcome::Closed);
    vec![Command::Export]
}

/// The update under way, if one is, may have its effect whatever becomes of the run's steps.
pub fn doubt_update(run: &mut Run, at: Timestamp) {
    if let Some(node) = run.step().and_then(|step| step.node).filter(|_| run.is_at(Kind::Update)) {
        run.nodes[node].update_in_doubt = Some(at);
    }
}

pub fn awaited_of(run: &Run) -> WaitingOn {
    match run.step().map(|step| step.kind) {
        _ if run.act.as_ref().is_some_and(|act| act.instruction.is_some()) => WaitingOn::Operator,
        Some(Kind::SwitchTraffic | Kind::LowerTtl | Kind::RestoreTtl) => WaitingOn::Traffic,
        _ => WaitingOn::Appliance,
    }
}

/// The soak's clock begins anew: at the failure's end, and at its begin too, so that what was over is not over meanwhile. A word
/// that the rest of it need not be awaited was given before the failure.
pub fn restart_soak(run: &mut Run, at: Timestamp) {
    (run.soak_from, run.soaked, run.used_at) = (Some(at), false, None);
    run.notices.retain(|(notice, _)| *notice != Notice::SoakInconclusive);
    run.verdict = run.verdict.map(|verdict| if verdict == Verdict::AcceptEarly { Verdict::Accept } else { verdict });
    for (step, progress) in run.plan.steps.iter().zip(run.progress.begun_mut()) {
        if step.kind == Kind::Soak {
            progress.done_at = None;
        }
    }
}

impl Run {
    /// The node that an order back leads to: the one that traffic was taken from, or, while a switch is not proven, the one that it
    /// was to leave.
    pub fn leads_back_to(&self) -> NodeId {
        if self.may_be_half_switched() { self.survivor } else { self.survivor.other() }
    }

    /// A switch was ordered, and what became of it is not known, or it was held: some entries may have moved.
    pub fn may_be_half_switched(&self) -> bool {
        let at_rest = matches!(self.phase, Phase::InDoubt { .. } | Phase::Held(_));
        let away = |step: &Step| step.kind == Kind::SwitchTraffic && step.node == Some(self.survivor.other());
        at_rest && self.step().is_some_and(away) && self.at().is_some_and(|progress| progress.attempts > 0)
    }

    /// The switch that is next or under way leads traffic back already, by a person's order.
    pub fn is_led_back(&self) -> bool {
        self.switched_back || self.step().is_some_and(|step| step.node == Some(self.survivor))
    }

    /// True if traffic may be ordered back: a switch is proven or partly done, failover is not established again, and nothing of an
    /// update or establish is under way.
    pub fn may_switch_back(&self) -> bool {
        let proven = self.survivor != self.plan.primary || self.may_be_half_switched();
        let switched = proven && self.unprotected_since().is_some();
        let busy = matches!(self.phase, Phase::Acting) || self.is_at(Kind::Update) || self.is_at(Kind::EstablishFailover);
        switched && !self.switched_back && !busy
    }
}
