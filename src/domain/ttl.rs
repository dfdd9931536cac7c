//! The TTL protocol: how long caches may keep the service's name, lowered in time before the switch and restored at the end.
//!
//! What is remembered stands in the journal: the old TTLs with the intent of `lower_ttl`, before anything is sent, and the moment of
//! its proof. From that moment on no authoritative server gives the old TTL out any more; once the old TTL has passed since,
//! no cache holds the old answer for longer than the lowered one, and the switch may come (R7).

use jiff::{SignedDuration, Timestamp};

use super::action::Kind;
use super::event::NameTtl;
use super::facts::TtlFact;
use super::plan::{Plan, Refusal};
use super::rule::Rule;
use super::run::{Lowered, Run, after};
use super::site::{TrafficAnswer, TrafficLook};
use super::step::Step;
use super::window::format_duration;
use super::world::{TrafficReading, World};

/// Seconds to which the site's policy has TTLs lowered. A longer time than DNS knows is the longest that it knows.
pub fn low(plan: &Plan) -> u32 {
    u32::try_from(plan.policy.switch_ttl.as_secs()).unwrap_or(u32::MAX)
}

fn time(seconds: u32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(seconds))
}

/// The TTL of each name that has one, as it was last read.
pub fn seen(traffic: &TrafficReading) -> Vec<NameTtl> {
    let mut seen: Vec<NameTtl> = Vec::new();
    for (entry, answer) in answers(traffic) {
        let Some(ttl) = answer.ttl else { continue };
        match seen.iter_mut().find(|known| known.entry == entry && known.name == answer.name) {
            Some(known) => known.ttl = known.ttl.max(ttl),
            None => seen.push(NameTtl { entry, name: answer.name.clone(), ttl }),
        }
    }
    seen
}

fn looks(traffic: &TrafficReading) -> impl Iterator<Item = (usize, &TrafficLook)> {
    traffic.looks.iter().enumerate().filter_map(|(entry, look)| Some((entry, look.as_ref().ok()?)))
}

pub(super) fn answers(traffic: &TrafficReading) -> impl Iterator<Item = (usize, &TrafficAnswer)> {
    looks(traffic).flat_map(|(entry, look)| look.answers.iter().map(move |answer| (entry, answer)))
}

/// The longest TTL that is given out now, in seconds; `None` where nothing has one.
pub fn longest(traffic: &TrafficReading) -> Option<u32> {
    seen(traffic).iter().map(|name| name.ttl).max()
}

/// What keeps the TTLs from being told: an entry that was not read, or a server that gave no answer. What leads somewhere and has
/// no TTL (a shared address, a NAT rule) is no gap.
pub fn untold(traffic: &TrafficReading) -> Option<String> {
    let unread = traffic.looks.iter().find_map(|look| look.as_ref().err().cloned());
    let silent = || answers(traffic).map(|(_, answer)| answer).find(|answer| answer.ttl.is_none() && answer.target.is_none());
    unread.or_else(|| silent().map(|answer| format!("{} says {} for `{}`", answer.server, answer.found, answer.name)))
}

/// How long a resolver may remember that the name has no record of a type, where the change adds one: as the driver tells, or else
/// where the nodes' addresses are of two kinds, so that the switch replaces an A record by an AAAA record or the other way round.
pub(super) fn negative(plan: &Plan, traffic: &TrafficReading) -> Option<u32> {
    let two_kinds = plan.nodes.a.address.is_ipv4() != plan.nodes.b.address.is_ipv4();
    let adds = |look: &TrafficLook| look.adds_type.unwrap_or(two_kinds);
    looks(traffic).filter_map(|(_, look)| look.negative_ttl.filter(|_| adds(look))).max()
}

/// The intent's share: which TTLs are replaced by `lower_ttl`, or brought back by `restore_ttl`.
pub fn replaced(run: &Run, step: &Step, world: &World) -> Vec<NameTtl> {
    match step.kind {
        Kind::LowerTtl => seen(&world.traffic).into_iter().filter(|name| name.ttl > low(&run.plan)).collect(),
        Kind::RestoreTtl => left_low(run, &world.traffic),
        _ => Vec::new(),
    }
}

/// The names that this run lowered and that some server still gives out with a low TTL. What somebody has set to another one since
/// is theirs.
pub(super) fn left_low(run: &Run, traffic: &TrafficReading) -> Vec<NameTtl> {
    let low = low(&run.plan);
    let before = run.ttl.as_ref().map(|lowered| lowered.before.clone()).unwrap_or_default();
    let is_low = |known: &NameTtl| of_name(traffic, known).any(|ttl| ttl <= low);
    before.into_iter().filter(|known| known.ttl > low && is_low(known)).collect()
}

pub(super) fn of_name<'t>(traffic: &'t TrafficReading, known: &'t NameTtl) -> impl Iterator<Item = u32> + 't {
    let of = answers(traffic).filter(|(entry, answer)| *entry == known.entry && answer.name == known.name);
    of.filter_map(|(_, answer)| answer.ttl)
}

/// True if, the settling time after the intent, some name is on all its servers as it was before: sending it again does no harm.
pub fn had_no_effect(step: &Step, before: &[NameTtl], world: &World, low: u32) -> bool {
    let lowers = step.kind == Kind::LowerTtl;
    let untouched = |name: &NameTtl| {
        let now: Vec<u32> = of_name(&world.traffic, name).collect();
        !now.is_empty() && now.iter().all(|&ttl| (ttl > low) == lowers)
    };
    untold(&world.traffic).is_none() && before.iter().any(untouched)
}

/// As [`had_no_effect`], by the run's policy.
pub fn is_untouched(run: &Run, step: &Step, world: &World) -> bool {
    let before = run.act.as_ref().map(|act| act.baseline.ttl.as_slice()).unwrap_or_default();
    had_no_effect(step, before, world, low(&run.plan))
}

/// What rules judge of the TTL before this step.
pub fn fact(run: &Run, step: &Step, world: &World) -> TtlFact {
    let Some(lowered) = &run.ttl else { return TtlFact::AsItIs };
    if lowered.restored {
        return TtlFact::Restored;
    }
    let until = free_from(run, step).filter(|until| world.now < *until);
    match until {
        _ if lowered.proven_at.is_some() && leads_to_switch(run, step) && is_raised(run, world) => TtlFact::Raised,
        Some(until) => TtlFact::Remembered { until },
        None => TtlFact::Low,
    }
}

/// Some server gives out a longer TTL than the one that was proven.
fn is_raised(run: &Run, world: &World) -> bool {
    longest(&world.traffic).is_some_and(|ttl| ttl > low(&run.plan))
}

/// A switch follows that this run has not done yet, or the step is it.
fn leads_to_switch(run: &Run, step: &Step) -> bool {
    way_to_switch(run, step).is_some()
}

/// The steps from this one on up to the switch.
fn way_to_switch<'r>(run: &'r Run, step: &Step) -> Option<&'r [Step]> {
    let steps = &run.plan.steps;
    let here = steps.iter().position(|known| known.id == step.id)?;
    let switch = steps[here..].iter().position(|known| known.kind == Kind::SwitchTraffic)?;
    Some(&steps[here..here + switch])
}

/// From when on a step that leads to the switch may begin as far as caches are concerned; `None`: nothing is remembered, or the
/// step does not hang on it.
///
/// Nobody is asked to leave a node and no node is closed before the switch itself could come: to wait with the service closed is
/// worse than old answers. The sync before the break is forced as early as the steps up to the switch are likely to take, so that
/// failover is not off for the sake of a TTL.
pub fn free_from(run: &Run, step: &Step) -> Option<Timestamp> {
    let clear = run.ttl.as_ref().filter(|lowered| !lowered.restored)?.clear_from?;
    let way = way_to_switch(run, step)?;
    let lead = match step.kind {
        Kind::ForceSync => {
            way.iter().map(|step| run.plan.likely(step.kind)).fold(SignedDuration::ZERO, SignedDuration::saturating_add)
        }
        Kind::Drain | Kind::Quiesce | Kind::SwitchTraffic => SignedDuration::ZERO,
        _ => return None,
    };
    Some(clear.saturating_sub(lead).unwrap_or(Timestamp::MIN))
}

/// For how long caches may lead to the node that a switch ordered at `since` has left; `None` where that is not worth a word: no
/// longer than the policy has it.
pub fn afterwards(run: &Run, since: Timestamp, world: &World) -> Option<String> {
    let now = longest(&world.traffic).map(|ttl| after(since, ttl));
    let old = run.ttl.as_ref().and_then(|lowered| lowered.clear_from).filter(|clear| *clear > since);
    let until = now.max(old)?;
    let usual = after(since, low(&run.plan));
    (until > usual).then(|| format!("caches may lead some clients to the node left until {until}"))
}

/// What a plan that moves the name should say of its TTL, as it is read now: nothing that is refused.
pub fn flags(plan: &Plan, traffic: &TrafficReading, now: Timestamp) -> Vec<String> {
    let (Some(longest), Some(switch)) = (longest(traffic), plan.steps.iter().find(|step| step.kind == Kind::SwitchTraffic))
    else {
        return Vec::new();
    };
    if longest <= low(plan) {
        return Vec::new();
    }
    let Some((clear, _)) = clear_of(plan, traffic, now) else {
        return vec![format!(
            "`{}` has a TTL of {longest} s, more than `policy.switch_ttl`, and no step of this procedure lowers it before `{}`: caches may lead clients to the node that is left for up to {} after the switch",
            plan.service,
            switch.id,
            format_duration(time(longest))
        )];
    };
    vec![format!(
        "`{}` has a TTL of {longest} s; lowered at once, it has run out in every cache at {clear}, and `{}` waits for that",
        plan.service, switch.id
    )]
}

/// R3 and R7: lowered now, the TTL runs out only after the switch must have begun.
pub fn refusal(plan: &Plan, traffic: &TrafficReading, now: Timestamp) -> Option<Refusal> {
    let (clear, latest) = clear_of(plan, traffic, now)?;
    let latest = latest.filter(|latest| *latest < clear)?;
    let switch = plan.steps.iter().find(|step| step.kind == Kind::SwitchTraffic);
    let message = format!(
        "the TTL of `{}` is {} s: lowered now, it has run out in every cache at {clear}, and the name must begin to move at {latest} at the latest; take a later window, or lower the TTL by hand that long before the start",
        plan.service,
        longest(traffic).unwrap_or_default()
    );
    Some(Refusal::new(Rule::R7, switch, message))
}

/// When caches would be clear of the old TTL if the plan were started now, and the switch's latest safe start.
fn clear_of(plan: &Plan, traffic: &TrafficReading, now: Timestamp) -> Option<(Timestamp, Option<Timestamp>)> {
    let switch = plan.steps.iter().position(|step| step.kind == Kind::SwitchTraffic)?;
    let lower = plan.steps[..switch].iter().position(|step| step.kind == Kind::LowerTtl)?;
    let longest = longest(traffic).filter(|ttl| *ttl > low(plan))?.max(negative(plan, traffic).unwrap_or_default());
    let lowered = plan.times(now).get(lower).copied()?;
    let proven = lowered.checked_add(plan.likely(Kind::LowerTtl)).unwrap_or(Timestamp::MAX);
    let latest = plan.latest_starts(&plan.windows, false).get(switch).copied().flatten();
    Some((after(proven, longest), latest))
}

impl Lowered {
    /// What it was, and that it is lowered, for people; `None` if this run has changed nothing, or has restored it.
    pub fn describe(&self, plan: &Plan) -> Option<String> {
        let each: Vec<String> = self.before.iter().map(|name| format!("`{}` had {} s", name.name, name.ttl)).collect();
        self.is_left().then(|| format!("lowered to {} s by this run; {}", low(plan), each.join(", ")))
    }
}
