//! TTLs: lowered on every server, and restored (R7).

use super::verdict::Proof;
use crate::domain::event::Evidence;
use crate::domain::run::{Lowered, Run};
use crate::domain::ttl;
use crate::domain::world::{TrafficReading, World};

/// Every server's answer has a TTL of at most `policy.switch_ttl`, or none at all.
pub fn is_lowered(run: &Run, world: &World) -> Proof {
    let low = ttl::low(&run.plan);
    if let Some(gap) = ttl::untold(&world.traffic) {
        return Proof::NotYet(format!("every server to tell the TTL of `{}`; {gap}", run.plan.service));
    }
    let Some((_, high)) = ttl::answers(&world.traffic).find(|(_, answer)| answer.ttl.is_some_and(|ttl| ttl > low)) else {
        return Proof::Done(evidence(run, world));
    };
    let found = format!("{} says {} s for `{}`", high.server, high.ttl.unwrap_or_default(), high.name);
    Proof::NotYet(format!("a TTL of at most {low} s on every server; {found}"))
}

fn evidence(run: &Run, world: &World) -> Evidence {
    let (names, negative) = (ttl::seen(&world.traffic), ttl::negative(&run.plan, &world.traffic));
    let found = match names.iter().map(|name| name.ttl).max() {
        Some(longest) => format!("every server gives out a TTL of {longest} s or less{}", from(run)),
        None => "nothing here has a TTL".to_owned(),
    };
    Evidence::Ttl { names, negative, found }
}

/// What it was, for the sentence.
fn from(run: &Run) -> String {
    let before = run.ttl.as_ref().and_then(|lowered| lowered.before.iter().map(|name| name.ttl).max());
    before.map(|before| format!("; it was {before} s")).unwrap_or_default()
}

/// Every name that this run lowered has its old TTL again on every server, or one that somebody else has set.
pub fn is_restored(run: &Run, world: &World) -> Proof {
    let lowered = run.ttl.as_ref().filter(|lowered| !lowered.before.is_empty());
    let Some(lowered) = lowered else {
        return Proof::Done(Evidence::seen("this run has lowered no TTL: nothing is to be restored"));
    };
    if let Some(gap) = ttl::untold(&world.traffic) {
        return Proof::NotYet(format!("every server to tell the TTL of `{}`; {gap}", run.plan.service));
    }
    match ttl::left_low(run, &world.traffic).first() {
        Some(name) => Proof::NotYet(format!("a TTL of {} s for `{}` on every server", name.ttl, name.name)),
        None => Proof::Done(Evidence::Ttl {
            names: ttl::seen(&world.traffic),
            negative: None,
            found: restored(lowered, &world.traffic),
        }),
    }
}

fn restored(lowered: &Lowered, traffic: &TrafficReading) -> String {
    let each = lowered.before.iter().map(|name| match ttl::of_name(traffic, name).max() {
        Some(now) if now == name.ttl => format!("`{}` has its TTL of {now} s again", name.name),
        Some(now) => format!("`{}` has a TTL of {now} s, which somebody set meanwhile; it was {} s", name.name, name.ttl),
        None => format!("`{}` is in no entry any more; its TTL was {} s", name.name, name.ttl),
    });
    each.collect::<Vec<_>>().join("; ")
}
