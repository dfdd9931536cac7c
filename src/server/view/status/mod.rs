//! A run's status on the wire.

mod parts;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::cached;
use crate::domain::event::{Outcome, WaitingOn};
use crate::domain::gate::Gate;
use crate::domain::ids::{NodeId, PerNode, RunId};
use crate::domain::machine;
use crate::domain::people as domain;
use crate::domain::plan::{Rehearsal, Windows};
use crate::domain::run::{Phase, Release, Run};
use crate::domain::world::World;
use crate::engine::api::Snapshot;

use super::{
    AgreementView, GateState, Guide, JumpClientsLeft, LeftView, MayBeCached, NotDriven, ReverseView, StepTime, StopHere,
    WaiverView,
};

pub use self::parts::{Draining, Failing, Hold, Hop, LedgerCount, Node, NoticeRaised, Released, Soak, Step, Unprotected};

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub run: RunId,
    pub site: String,
    pub procedure: String,
    pub from: String,
    pub to: String,
    /// `ready`, `acting`, `waiting`, `in_doubt`, `held` or `finished`.
    pub phase: String,
    pub outcome: Option<Outcome>,
    pub waiting_on: Option<WaitingOn>,
    pub until: Option<Timestamp>,
    /// The gate that a person may answer now.
    pub gate: Option<Gate>,
    /// The first step that is not done.
    pub step: Option<Step>,
    /// Where the step installs a package of a chain: which one; else `null`.
    #[serde(default)]
    pub hop: Option<Hop>,
    pub held: Option<Hold>,
    /// What a person is asked to do at the appliances now.
    pub instructions: Option<Vec<String>>,
    pub instruction: Option<u32>,
    pub serving: Option<NodeId>,
    pub survivor: NodeId,
    pub nodes: PerNode<Node>,
    pub unprotected: Unprotected,
    /// Between the windows, else `null`.
    #[serde(default)]
    pub soak: Option<Soak>,
    pub windows: Windows,
    /// The site's time zone; all times here are UTC.
    pub zone: String,
    /// Who is responsible for window two.
    pub responsible: Option<String>,
    pub resumed: u32,
    pub seq: u64,
    pub head: String,
    pub started_by: String,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// A hold was asked for and takes effect at the next safe point.
    pub hold_requested: bool,
    /// Who is on the node that drains now; `null` while none does.
    pub draining: Option<Draining>,
    pub notices: Vec<NoticeRaised>,
    /// Settings that were changed since the break; `null` where none were listed then.
    #[serde(default)]
    pub ledger: Option<LedgerCount>,
    /// Who serves, by both nodes, the names and the box behind them; `null` where the site has no traffic entries.
    #[serde(default)]
    pub agreement: Option<AgreementView>,
    /// The node that traffic was taken from, until the pair is linked again.
    #[serde(default)]
    pub left: Option<LeftView>,
    /// The node that `switch-back` would lead to; `null` while it may not be ordered.
    #[serde(default)]
    pub leads_back_to: Option<NodeId>,
    /// The change that would lead traffic back, once it was switched.
    #[serde(default)]
    pub reverse: Option<ReverseView>,
    /// How many Jump Clients of the serving node still need the update; `null` while nobody has looked.
    #[serde(default)]
    pub jump_clients: Option<JumpClientsLeft>,
    /// The release of another site's run that this one counts on, as it was planned.
    #[serde(default)]
    pub rehearsal: Option<Rehearsal>,
    /// A person lets other runs count on this one.
    #[serde(default)]
    pub released: Option<Released>,
    /// Why this daemon does not drive the run, where it should; neither its steps nor its watch go on then.
    #[serde(default)]
    pub not_driven: Option<NotDriven>,
    /// Why both windows are in one night, where they are: the shortest soak is waived.
    #[serde(default)]
    pub urgent: Option<String>,
    /// How long each step took that was begun, beside what was estimated; only in the status of one run, empty in lists.
    #[serde(default)]
    pub times: Vec<StepTime>,
    /// The open gate: whom it asks, who has answered, and what it shows.
    #[serde(default)]
    pub gate_state: Option<GateState>,
    /// Promises that a person has set aside in this run.
    #[serde(default)]
    pub waivers: Vec<WaiverView>,
    /// Names of the users that this status mentions, as the daemon's file has them now.
    #[serde(default)]
    pub people: BTreeMap<String, String>,
    /// Readings that the act under way waits for and that may be kept answers, from before it; only in the status of one run,
    /// empty in lists.
    #[serde(default)]
    pub may_be_cached: Vec<MayBeCached>,
    /// Why it stands there and what may be done; only in the status of one run, `null` in lists.
    pub guide: Option<Guide>,
    /// If it stops here, from what is observed; only in the status of one run that is not finished, else `null`.
    pub way: Option<StopHere>,
}

impl Status {
    /// What speaks for a mistake in the windows; nothing where both in one night is what was ordered.
    pub fn windows_overlap(&self) -> Option<String> {
        self.windows.overlap().filter(|_| self.urgent.is_none())
    }

    /// A line of a list: without the guide.
    pub fn brief(snapshot: &Snapshot, now: Timestamp) -> Self {
        let not_driven = snapshot.not_driven.as_deref().map(NotDriven::from);
        Self { not_driven, ..Self::of(&snapshot.run, &snapshot.world, now) }
    }

    /// The status of one run.
    pub fn full(snapshot: &Snapshot, now: Timestamp) -> Self {
        Self {
            gate_state: GateState::of(&snapshot.run, &snapshot.world),
            guide: Some(Guide::of(&snapshot.run, &snapshot.world)),
            way: StopHere::of_run(snapshot),
            times: StepTime::of(&snapshot.run),
            may_be_cached: cached::of(&snapshot.run, &snapshot.world).into_iter().map(MayBeCached::from).collect(),
            ..Self::brief(snapshot, now)
        }
    }

    /// With the names of those whom it mentions.
    pub fn named(mut self, people: &domain::People) -> Self {
        let answers = self.gate_state.iter().flat_map(|state| state.answers.iter().filter_map(|answer| answer.by.as_ref()));
        let users = answers.map(|who| who.user.clone()).chain([self.started_by.clone()]);
        self.people = users.filter_map(|user| Some((user.clone(), people.of(&user)?.name.clone()))).collect();
        self
    }

    /// From a run and what was read; `now` is the end of an unprotected time that goes on.
    pub fn of(run: &Run, world: &World, now: Timestamp) -> Self {
        let instruction = run.act.as_ref().and_then(|act| act.instruction.as_ref());
        let (waiting_on, until) = match &run.phase {
            Phase::Waiting { on, until, .. } => (Some(*on), *until),
            _ => (None, None),
        };
        Self {
            run: run.id.clone(),
            site: run.id.site.clone(),
            procedure: run.plan.procedure.clone(),
            from: run.plan.from.version.to_string(),
            to: run.plan.to.version.to_string(),
            phase: machine::phase_name(&run.phase).to_owned(),
            outcome: outcome(&run.phase),
            waiting_on,
            until,
            gate: run.open_gate().filter(|gate| gate.is_asked()),
            step: Step::of(run),
            hop: Hop::of(run),
            held: Hold::of(run),
            instructions: instruction.map(|instruction| instruction.lines.clone()),
            instruction: instruction.map(|instruction| instruction.number),
            serving: Some(serving(run, world)),
            survivor: run.survivor,
            nodes: PerNode::new(|id| Node::of(run, world, id)),
            unprotected: Unprotected::of(run, now),
            soak: Soak::of(run, world),
            windows: run.windows.clone(),
            zone: run.plan.zone.clone(),
            responsible: run.responsible.clone(),
            resumed: run.resumed,
            seq: run.seq,
            head: run.head.clone(),
            started_by: run.started_by.clone(),
            started_at: run.started_at,
            finished_at: run.finished_at,
            hold_requested: run.hold_requested,
            draining: Draining::of(run, world),
            notices: run.notices.iter().map(|&(notice, node)| NoticeRaised { notice, node }).collect(),
            ledger: LedgerCount::of(run),
            agreement: AgreementView::of_run(run, world),
            left: LeftView::of_run(run, world),
            leads_back_to: run.may_switch_back().then(|| run.leads_back_to()),
            reverse: ReverseView::of_run(run, world),
            jump_clients: world.jump_clients.as_ref().map(JumpClientsLeft::of),
            rehearsal: run.plan.rehearsal.as_deref().cloned(),
            released: run.released.clone().map(|Release { by, at, note }| Released { by, at, note }),
            not_driven: None,
            urgent: run.plan.urgent.clone(),
            times: Vec::new(),
            gate_state: None,
            waivers: run.waivers.iter().map(WaiverView::from).collect(),
            people: BTreeMap::new(),
            may_be_cached: Vec::new(),
            guide: None,
            way: None,
        }
    }
}

fn outcome(phase: &Phase) -> Option<Outcome> {
    match phase {
        Phase::Finished(outcome) => Some(*outcome),
        _ => None,
    }
}

/// What the servers answer, where there are any and they agree; else what the journal says.
fn serving(run: &Run, world: &World) -> NodeId {
    world.traffic.target().filter(|_| world.has_traffic).unwrap_or_else(|| run.serving())
}
