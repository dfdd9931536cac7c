//! A plan: a procedure for one site with every parameter filled in. Made once, immutable, nothing left to decide later.

mod adoption;
mod chain;
mod estimate;
mod fit;
mod package;
mod rehearsal;
mod sizes;
mod times;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::action::{Kind, When};
use super::check::AcceptedWarning;
use super::crossing;
use super::ids::{NodeId, PerNode};
use super::procedure::Procedure;
use super::rule::Rule;
use super::site::{Hands, Node, Policy, Site};
use super::step::Step;
use super::version::Target;
use super::window::calendar::Calendar;
use super::window::{Window, civil, format_duration};

pub use adoption::{Adoption, Goal};
pub use estimate::{Estimate, Source};
pub use fit::{Fit, OutOfTime, Reserve, is_bound};
pub use package::{Hop, Package, PackageNote};
pub use rehearsal::Rehearsal;
pub use sizes::Sizes;

/// The windows of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    pub first: Option<Window>,
    pub second: Option<Window>,
}

impl Windows {
    /// What speaks for a mistake where window two begins before window one is over: the soak between them would be in one night.
    pub fn overlap(&self) -> Option<String> {
        let (first, second) = (self.first.as_ref()?, self.second.as_ref()?);
        (second.from < first.to).then(|| {
            format!(
                "window-2 begins at {}, before window-1 ends at {}: its steps come as soon as those of window one are done and the shortest \
                 soak is over",
                second.from, first.to
            )
        })
    }

    /// The window in which steps of this part may begin.
    pub fn of(&self, when: When) -> Option<&Window> {
        match when {
            When::Window1 => self.first.as_ref(),
            When::Window2 => self.second.as_ref(),
            When::Prepare | When::Soak | When::Finish => None,
        }
    }
}

/// One execution's immutable order of steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub procedure: String,
    pub service: String,
    /// The pair's identities and addresses as they were when the run began (R13).
    pub nodes: PerNode<Node>,
    /// How a person does what the daemon can't do any more: the sheet that leaves this host must tell it without the site file.
    #[serde(default, skip_serializing_if = "untold")]
    pub hands: PerNode<Hands>,
    pub policy: Arc<Policy>,
    pub from: Target,
    pub to: Target,
    /// Shared like the steps.
    pub package: Arc<Package>,
    /// The node that is primary when the run begins.
    pub primary: NodeId,
    pub windows: Windows,
    /// Shared by the plans that have the same, see [`Alike`](super::alike::Alike).
    pub steps: Arc<Vec<Step>>,
    /// The preflight's warnings that whoever started the run has accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<AcceptedWarning>,
    /// The run takes over a pair as it is found, half-way through an update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Box<Adoption>>,
    /// R11: the release that the plan counts on, where the policy asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Box<Rehearsal>>,
    /// A chain's packages in order, the last of which leads to `to`; empty where `package` alone does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<Hop>,
    /// Both windows in one night, and why: the lower bound of the soak is waived for this plan (R10); the gate stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgent: Option<String>,
    /// How large each node's last backup and extraction were, in runs before this one.
    #[serde(default, skip_serializing_if = "untold_sizes")]
    pub sizes: PerNode<Sizes>,
    /// How long its steps take, and what must fit after them.
    #[serde(default, skip_serializing_if = "is_untold")]
    pub fit: Arc<Fit>,
    /// The site's time zone, for people; plans of before there was one are told in UTC.
    #[serde(default = "utc")]
    pub zone: String,
    /// The user who is responsible for window two; whoever started the run where nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responsible: Option<String>,
}

fn utc() -> String {
    "UTC".to_owned()
}

fn is_untold(fit: &Arc<Fit>) -> bool {
    fit.is_untold()
}

fn untold(hands: &PerNode<Hands>) -> bool {
    hands.a.is_unknown() && hands.b.is_unknown()
}

fn untold_sizes(sizes: &PerNode<Sizes>) -> bool {
    *sizes == PerNode::default()
}

/// Why a plan can't be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    pub rule: String,
    pub step: Option<String>,
    pub message: String,
}

impl Refusal {
    pub(super) fn new(rule: Rule, step: Option<&Step>, message: String) -> Self {
        Self { rule: format!("{rule:?}"), step: step.map(|step| step.id.clone()), message }
    }
}

/// What a plan is made from, beside the procedure and the site.
pub struct Order {
    pub from: Target,
    pub to: Target,
    pub package: Package,
    pub note: Option<PackageNote>,
    /// What is installed before the package, in order.
    pub before: Vec<Hop>,
    pub primary: NodeId,
    pub windows: Windows,
}

/// All hops of a chain; none where one package leads to the target.
fn chained(before: Vec<Hop>, to: &Target, package: &Package) -> Vec<Hop> {
    if before.is_empty() {
        return before;
    }
    let last = Hop { to: to.clone(), package: package.clone() };
    before.into_iter().chain([last]).collect()
}

impl Plan {
    /// BG-50: sessions that ended on either node may be lost when the link is established. A pair that was taken over may run
    /// something newer on both nodes by now.
    pub fn was_broken_below_10_6(&self) -> bool {
        let told = self.adopted.as_ref().and_then(|adoption| adoption.broken_on.as_ref());
        told.into_iter().chain([&self.from.version]).any(crossing::is_before)
    }

    pub fn new(procedure: &Procedure, site: &Site, order: Order) -> Self {
        let Order { from, mut to, package, note, before, primary, windows } = order;
        if to.build.is_none() {
            to.build = note.and_then(|note| note.build);
        }
        let hops = chained(before, &to, &package);
        let procedure = procedure.of_update(&from.version, &to.version);
        let steps = procedure.resolve_chain(primary, u32::try_from(hops.len().max(1)).unwrap_or(u32::MAX));
        Self {
            procedure: procedure.name,
            service: site.service.clone(),
            nodes: site.nodes.clone(),
            hands: PerNode::default(),
            policy: Arc::new(site.policy.clone()),
            from,
            to,
            package: Arc::new(package),
            primary,
            windows,
            steps: Arc::new(steps),
            accepted: Vec::new(),
            adopted: None,
            rehearsal: None,
            hops,
            urgent: None,
            sizes: PerNode::default(),
            fit: Arc::default(),
            zone: civil::name(&site.calendar.zone),
            responsible: None,
        }
    }

    /// The operator's figure or the table's, whatever was measured.
    pub fn expected(&self, kind: Kind) -> SignedDuration {
        Estimate::told(&self.policy, kind).likely
    }

    pub fn limit(&self, kind: Kind) -> SignedDuration {
        let chosen = self.policy.limits.get(kind.name()).copied();
        chosen.unwrap_or_else(|| if kind == Kind::Drain { self.policy.drain_limit } else { kind.default_limit() })
    }

    /// When each step is expected to begin if the plan is started `now`.
    pub fn times(&self, now: Timestamp) -> Vec<Timestamp> {
        // The calendar has an end, and a window may be booked close to it.
        let after = |at: Timestamp, time| at.saturating_add(time).unwrap_or(Timestamp::MAX);
        let mut at = now;
        let mut soak_from = None;
        let mut times = Vec::with_capacity(self.steps.len());
        for step in self.steps.iter() {
            if let Some(window) = self.windows.of(step.when) {
                at = at.max(window.from);
            }
            if step.when == When::Soak {
                soak_from.get_or_insert(at);
            }
            times.push(at);
            at = match (step.kind, soak_from) {
                (Kind::Soak, Some(from)) => at.max(after(from, self.likely(Kind::Soak))),
                _ => after(at, self.likely(step.kind)),
            };
        }
        times
    }

    /// What speaks against starting this plan `now`: R3, R5 and R7 as far as they are known before the start.
    /// A note for each package, in order.
    pub fn refusals(&self, site: &Site, notes: &[Option<PackageNote>], now: Timestamp, has_traffic: bool) -> Vec<Refusal> {
        let mut refusals = self.path_refusals(notes);
        refusals.extend(self.window_refusals(now));
        refusals.extend(freeze_refusals(self, &site.calendar));
        let switch = self.steps.iter().find(|step| step.kind == Kind::SwitchTraffic);
        if let (Some(switch), false) = (switch, has_traffic) {
            let message = format!("site `{}` has no `[[traffic]]` entry, so nothing can move `{}`", site.name, site.service);
            refusals.push(Refusal::new(Rule::R7, Some(switch), message));
        }
        refusals
    }

    fn path_refusals(&self, notes: &[Option<PackageNote>]) -> Vec<Refusal> {
        let update = self.steps.iter().find(|step| step.kind == Kind::Update);
        self.package_refusals(notes).into_iter().map(|message| Refusal::new(Rule::R5, update, message)).collect()
    }

    fn window_refusals(&self, now: Timestamp) -> Vec<Refusal> {
        let times = self.times(now);
        let late = self.steps.iter().zip(times).filter_map(|(step, at)| {
            let window = self.windows.of(step.when)?;
            if !is_bound(step, false) || window.fits(at, self.need(step)) {
                return None;
            }
            let (worst, after) = (self.estimate(step.kind).worst, self.need(step) - self.estimate(step.kind).worst);
            let message = format!(
                "expected to begin at {at}, to take up to {} and to leave {} for what must fit after it, but {} ends at {}",
                format_duration(worst),
                format_duration(after),
                step.when.as_str(),
                window.to
            );
            Some(Refusal::new(Rule::R3, Some(step), message))
        });
        late.collect()
    }
}

/// R3: a window that overlaps a freeze is not planned with.
fn freeze_refusals(plan: &Plan, calendar: &Calendar) -> Vec<Refusal> {
    let windows = [("window-1", &plan.windows.first), ("window-2", &plan.windows.second)];
    let frozen = windows.into_iter().filter_map(|(name, window)| Some((name, calendar.frozen(window.as_ref()?)?)));
    frozen.map(|(name, frozen)| Refusal::new(Rule::R3, None, format!("{name} lies in {frozen}"))).collect()
}
