//! Which states are the same: everything that decisions and promises can tell apart, without absolute times.
//!
//! Times are kept as what they are compared with: windows begun or too short, evidence lapsed, limits passed. Counters without
//! influence (records, resumptions, instruction numbers) are left out, tries are counted up to two.

use changeover::domain::action::{Kind, When};
use changeover::domain::ids::NodeId;
use changeover::domain::plan::Goal;
use changeover::domain::run::{Phase, Run};
use changeover::domain::world::World;
use jiff::{SignedDuration, Timestamp};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::engine::{Place, State, phase_since};
use super::truth::{Appliance, Pending, Shown, Sync};

#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn put(&mut self, value: impl Into<u8>) {
        self.0.push(value.into());
    }

    fn bits<const N: usize>(&mut self, bits: [bool; N]) {
        for part in bits.chunks(8) {
            self.put(part.iter().enumerate().fold(0u8, |sum, (i, bit)| sum | u8::from(*bit) << i));
        }
    }

    fn text(&mut self, text: &str) {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        self.0.extend(hasher.finish().to_le_bytes());
    }
}

/// The state's key.
pub fn of(state: &State) -> Box<[u8]> {
    let mut bytes = Bytes(Vec::with_capacity(160));
    let left = state.left;
    bytes.put(left.faults << 4 | left.crashes);
    bytes.put(left.outside << 4 | left.words);
    bytes.put(u8::from(state.place == Place::Sending) | u8::from(!state.breaches.is_empty()) << 1);
    truth(&mut bytes, state);
    run(&mut bytes, &state.run, &state.world);
    readings(&mut bytes, state);
    bytes.0.into_boxed_slice()
}

fn truth(bytes: &mut Bytes, state: &State) {
    let truth = &state.truth;
    shown(bytes, &truth.now, state);
    if let Some(before) = &truth.before {
        bytes.put(7);
        shown(bytes, before, state);
    }
    bytes.put(truth.name.map_or(2, |node| node.index() as u8) | truth.cached.map_or(2, |node| node.index() as u8) << 2);
    let policy = &state.run.plan.policy;
    let now = state.world.now;
    let pending = match truth.pending {
        None => 0,
        Some(Pending::Instructed) => 1,
        Some(Pending::Sync) => 2,
        Some(Pending::FirstSync) => 3,
        Some(Pending::Update(node)) => 4 + node.index() as u8,
        Some(Pending::Late(_, kind, node)) => 8 + 2 * kind as u8 + node.index() as u8,
    };
    bytes.put(pending);
    let fresh = state.run.broken_at.is_none() && truth.synced.is_some_and(|at| now.duration_since(at) <= policy.max_sync_age);
    let soaked = truth.updated_at.is_some_and(|at| now.duration_since(at) >= policy.min_soak);
    bytes.bits([
        truth.asked.is_some(),
        fresh,
        truth.broken_at.is_some(),
        soaked,
        truth.people.ordered,
        truth.survivor == NodeId::A,
    ]);
    bytes.put(truth.people.off.map_or(0, part) | truth.people.accepted.map_or(0, |verdict| 1 + verdict as u8) << 4);
    bytes.put(truth.sent.a.min(2) | truth.sent.b.min(2) << 2);
    ttl(bytes, state);
}

/// The TTL as it is, and what the run has of it.
fn ttl(bytes: &mut Bytes, state: &State) {
    let now = state.world.now;
    let forgot = |at: Timestamp| now.duration_since(at).as_secs() >= i64::from(super::scenario::OLD_TTL);
    let lowered = state.truth.lowered_at;
    let clear = |step| changeover::domain::ttl::free_from(&state.run, step).is_some_and(|from| now < from);
    let of_run = state.run.ttl.as_ref();
    bytes.bits([
        state.truth.ttl > super::scenario::LOW_TTL,
        lowered.is_some(),
        lowered.is_some_and(forgot),
        of_run.is_some_and(|lowered| lowered.is_left()),
        of_run.is_some_and(|lowered| lowered.proven_at.is_some()),
        of_run.is_some_and(|lowered| lowered.restored),
        of_run.and_then(|lowered| lowered.clear_from).is_some_and(|clear| now < clear),
        state.run.step().is_some_and(clear),
        state.run.act.as_ref().is_some_and(|act| !act.baseline.ttl.is_empty()),
    ]);
}

fn part(when: When) -> u8 {
    1 + when as u8
}

fn shown(bytes: &mut Bytes, shown: &Shown, state: &State) {
    let appliance = |it: &Appliance| {
        let young = it.saved_at.is_some_and(|at| state.world.now.duration_since(at) <= state.run.plan.policy.max_backup_age);
        (
            it.role as u8 | (it.release as u8) << 2 | (it.health as u8) << 4,
            [it.strange, it.closed, it.sessions, it.unsaved, young],
        )
    };
    for node in NodeId::BOTH {
        let (value, flags) = appliance(&shown.nodes[node]);
        bytes.put(value);
        bytes.bits(flags);
    }
    sync(bytes, shown.sync, state);
}

/// A sync by its verdict and by what the run compares it with.
fn sync(bytes: &mut Bytes, sync: Option<(Timestamp, Sync)>, state: &State) {
    let Some((at, verdict)) = sync else { return bytes.put(9) };
    let act = state.run.act.as_ref();
    let baseline = act.and_then(|act| act.baseline.sync.as_ref()).map(|sync| sync.at);
    let asked = act.is_some_and(|act| at.as_second() >= act.since.as_second());
    let waited = phase_since(&state.run.phase).is_some_and(|since| at > since);
    let after_break = state.run.broken_at.is_some_and(|broken| at > broken);
    // A pair that syncs by itself renews its sync again and again: its age counts only where it is judged, before the start.
    let judged = state.run.step().is_some_and(|step| step.kind == Kind::Preflight);
    let old = judged && state.world.now.duration_since(at) > state.run.plan.policy.max_sync_age;
    bytes.put(verdict as u8);
    bytes.bits([baseline == Some(at), asked, waited, after_break, old]);
}

fn run(bytes: &mut Bytes, run: &Run, world: &World) {
    let now = world.now;
    phase(bytes, run, world);
    steps(bytes, run);
    bytes.put(run.at().map_or(0, |progress| progress.tries.min(2) as u8));
    for (when, window) in [(When::Window1, &run.windows.first), (When::Window2, &run.windows.second)] {
        let left = run.step().is_none_or(|step| step.when > when);
        let late = |window: &changeover::domain::window::Window| now + run.plan.expected(Kind::Update) > window.to;
        let closing = |window: &changeover::domain::window::Window| now + run.plan.policy.closing_notice >= window.to;
        let value = window.as_ref().filter(|_| !left).map_or(0, |window| {
            1 + u8::from(now >= window.from) + u8::from(closing(window)) + u8::from(late(window)) + u8::from(window.is_over(now))
        });
        bytes.put(value);
    }
    act(bytes, run, now);
    evidence(bytes, run, world);
}

/// What is left to do, and what was done: a plan revision's numbers and words make no difference.
fn steps(bytes: &mut Bytes, run: &Run) {
    let mut done = 0u32;
    for (step, progress) in run.steps() {
        if progress.done_at.is_some() {
            done |= 1 << (step.kind as u32);
        } else {
            let node = step.node.map_or(0, |node| 1 + node.index() as u8);
            bytes.put(step.kind as u8 | (node << 5) | u8::from(step.when == When::Window2) << 7);
            if let Some(gate) = step.gate {
                bytes.put(gate as u8);
            }
        }
    }
    bytes.put(255);
    bytes.0.extend(done.to_le_bytes());
    bytes.bits([run.way.is_some(), run.way == Some(Goal::Home), run.revision > 0]);
}

fn phase(bytes: &mut Bytes, run: &Run, world: &World) {
    let now = world.now;
    match &run.phase {
        Phase::Ready => bytes.put(0),
        Phase::Acting => bytes.put(1),
        Phase::Waiting { on, since, until } => {
            bytes.put(16 + *on as u8);
            age(bytes, run, *since, now);
            bytes.bits([until.is_some(), until.is_some_and(|until| now >= until)]);
        }
        Phase::InDoubt { since, .. } => {
            bytes.put(2);
            age(bytes, run, *since, now);
            let read = |node: NodeId| world.readings[node].proven_after(*since);
            bytes.bits([read(NodeId::A), read(NodeId::B), now.duration_since(*since) >= SignedDuration::from_secs(10)]);
        }
        Phase::Held(hold) => {
            bytes.put(3);
            bytes.text(&hold.code);
            if matches!(hold.code.as_str(), "out_of_band" | "role_conflict") {
                bytes.text(&hold.message);
            }
        }
        Phase::Finished(outcome) => bytes.put(8 + *outcome as u8),
    }
}

/// How long ago, in the terms of the current step.
fn age(bytes: &mut Bytes, run: &Run, since: Timestamp, now: Timestamp) {
    let Some(kind) = run.step().map(|step| step.kind) else { return };
    let passed = now.duration_since(since);
    bytes.put(u8::from(passed >= run.plan.expected(kind)) + u8::from(passed > run.plan.limit(kind)));
}

fn act(bytes: &mut Bytes, run: &Run, now: Timestamp) {
    let Some(act) = &run.act else { return bytes.put(0) };
    let late = act.instruction.as_ref().and_then(|instruction| instruction.not_after).is_some_and(|until| now >= until);
    bytes.put(1);
    let baseline = &act.baseline;
    bytes.bits([
        act.accepted,
        act.instruction.is_some(),
        late,
        baseline.sync.is_some(),
        baseline.first_sync.is_some(),
        baseline.denied,
    ]);
    bytes.put(act.baseline.traffic.map_or(2, |node| node.index() as u8));
    age(bytes, run, act.since, now);
    bytes.bits([now.duration_since(act.since) >= super::scenario::SETTLING]);
}

fn evidence(bytes: &mut Bytes, run: &Run, world: &World) {
    let now = world.now;
    let step = run.step().or_else(|| run.plan.steps.last());
    if let Some(step) = step {
        let facts = world.facts(run, step);
        for node in NodeId::BOTH {
            let node = &facts.nodes[node];
            bytes.bits([node.proven, node.verified, node.closed, node.backed_up, node.extracted]);
        }
        let waits = changeover::domain::homeward::wait_until(run, world).is_some();
        bytes.bits([facts.fresh_sync, waits]);
    }
    for node in NodeId::BOTH {
        let record = &run.nodes[node];
        bytes.bits([record.updated, record.served_until.is_some(), record.backup.is_some(), record.update_in_doubt.is_some()]);
    }
    let policy = &run.plan.policy;
    let soaked = run.soak_from.is_some_and(|from| now >= from + policy.min_soak);
    let unprotected = run.unprotected_since().is_some_and(|from| now.duration_since(from) > policy.max_unprotected);
    bytes.bits([
        run.survivor == NodeId::A,
        run.broken_at.is_some(),
        run.protected_at.is_some(),
        run.soak_from.is_some(),
        run.soaked,
    ]);
    bytes.bits([soaked, unprotected, run.hold_requested, run.switched_back, run.accepted_status.is_some(), run.sync.is_some()]);
    bytes.put(run.autopilot_off.map_or(0, part) | run.verdict.map_or(0, |verdict| 1 + verdict as u8) << 4);
    bytes.put(run.acknowledged.len() as u8);
    for message in &run.acknowledged {
        bytes.text(message);
    }
    let mut notices: Vec<u8> =
        run.notices.iter().map(|(notice, node)| *notice as u8 * 4 + node.map_or(0, |node| 1 + node.index() as u8)).collect();
    notices.sort_unstable();
    bytes.put(notices.len() as u8);
    bytes.0.extend(notices);
}

fn readings(bytes: &mut Bytes, state: &State) {
    let (run, world) = (&state.run, &state.world);
    let since = run.act.as_ref().map(|act| act.since);
    for node in NodeId::BOTH {
        let reading = &world.readings[node];
        let silent = reading.silent_for(world.now);
        let limit = run.plan.policy.max_silence;
        let long = silent > limit;
        let denied = reading.denied_since().is_some_and(|since| world.now.duration_since(since) >= limit);
        let Some(current) = &reading.current else {
            bytes.bits([true, long, silent > SignedDuration::from_mins(1)]);
            continue;
        };
        let target = current.version == run.plan.to.version;
        let start = current.version == run.plan.from.version;
        let own = current.identity == run.plan.nodes[node].identity;
        bytes.bits([
            false,
            current.healthy,
            current.updating,
            target,
            start,
            own,
            current.takes_clients == Some(false),
            current.sessions == Some(1),
        ]);
        bytes.put(current.role as u8);
        let touched = run.nodes[node].touched_at.unwrap_or(run.started_at);
        let changed = run.protected_at.or(run.broken_at);
        let shown = current.last_sync.as_ref().map(|sync| sync.at);
        bytes.bits([
            denied,
            reading.healthy_twice(),
            since.is_some_and(|since| reading.proven_after(since)),
            reading.proven_after(touched),
            changed.is_none_or(|changed| current.is_after(changed)),
            shown == state.truth.now.sync.map(|(at, _)| at),
            reading.shows_twice(|sync| Some(sync.at) == shown),
            reading.shows_twice(|sync| since.is_some_and(|since| sync.at.as_second() >= since.as_second())),
            current.is_after(touched),
        ]);
    }
    bytes.put(world.traffic.target().map_or(2, |node| node.index() as u8) | (world.traffic.steady_count.min(2) as u8) << 2);
}
