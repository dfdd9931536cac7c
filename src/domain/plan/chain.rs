//! Package chains (BG-10, R5): several packages in order, laid out before the start. Each is a *hop*; between two hops a node is on a
//! version that is neither the start nor the target.

use super::Plan;
use super::package::{Hop, Package, PackageNote};
use crate::domain::action::Kind;
use crate::domain::step::Step;
use crate::domain::version::{Target, Version};

impl Plan {
    /// How many packages each node gets, one after the other.
    pub fn hop_count(&self) -> u32 {
        u32::try_from(self.hops.len().max(1)).unwrap_or(u32::MAX)
    }

    fn hop(&self, hop: u32) -> Option<&Hop> {
        self.hops.get(usize::try_from(hop).ok()?)
    }

    /// What a hop leads to.
    pub fn target_of(&self, hop: u32) -> &Target {
        self.hop(hop).map_or(&self.to, |hop| &hop.to)
    }

    /// What a hop installs.
    pub fn package_of(&self, hop: u32) -> &Package {
        self.hop(hop).map_or(&self.package, |hop| &hop.package)
    }

    /// All packages, in order.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        (0..self.hop_count()).map(|hop| self.package_of(hop))
    }

    /// The versions between the start and the target.
    pub fn between(&self) -> Vec<Version> {
        (1..self.hop_count()).map(|hop| self.target_of(hop - 1).version.clone()).collect()
    }

    /// How many hops a node on this version has behind it; `None` for a version that is not on the path.
    pub fn hops_done(&self, version: &Version) -> Option<u32> {
        if *version == self.to.version {
            return Some(self.hop_count());
        }
        let between = || (1..self.hop_count()).find(|done| self.target_of(done - 1).version == *version);
        if *version == self.from.version { Some(0) } else { between() }
    }

    /// Another package follows on the same node in this part: a hop begins only if all that is left of the chain fits.
    pub fn goes_on(&self, step: &Step) -> bool {
        let later = self.steps.iter().skip_while(|known| known.id != step.id).skip(1);
        let is_hop = |other: &Step| (other.kind, other.node, other.when) == (Kind::Update, step.node, step.when);
        is_hop(step) && later.into_iter().any(is_hop)
    }

    /// The operator's sentence; in a chain it says which hop.
    pub fn sentence(&self, step: &Step) -> String {
        let node = step.node.filter(|_| step.kind == Kind::Update && self.hop_count() > 1);
        node.map_or_else(
            || step.sentence(),
            |node| {
                let (hop, to) = (step.hop + 1, &self.target_of(step.hop).version);
                format!("Update node `{node}` to {to}, hop {hop} of {}", self.hop_count())
            },
        )
    }

    /// What speaks against the packages, each with the hop that it concerns (R5). A note for each package, where it has one.
    pub fn package_refusals(&self, notes: &[Option<PackageNote>]) -> Vec<String> {
        let mut refusals = Vec::new();
        for hop in 0..self.hop_count() {
            let note = usize::try_from(hop).ok().and_then(|index| notes.get(index)?.as_ref());
            let against =
                [self.not_newer(hop).into_iter().collect(), note.map(|note| self.against(hop, note)).unwrap_or_default()];
            refusals.extend(against.concat().into_iter().map(|message| format!("{}{message}", self.named(hop))));
        }
        refusals
    }

    /// `hop 2 of 3 (base-24.2.nss): `; nothing where there is one package only.
    fn named(&self, hop: u32) -> String {
        let file = self.package_of(hop).path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if self.hop_count() > 1 { format!("hop {} of {} ({file}): ", hop + 1, self.hop_count()) } else { String::new() }
    }

    fn before(&self, hop: u32) -> &Version {
        if hop == 0 { &self.from.version } else { &self.target_of(hop - 1).version }
    }

    /// Who is on the version before a hop, for messages.
    fn there(&self, hop: u32) -> String {
        let before = self.before(hop);
        if hop == 0 { format!("the nodes run {before}") } else { format!("the hop before leads to {before}") }
    }

    fn not_newer(&self, hop: u32) -> Option<String> {
        let (to, before) = (&self.target_of(hop).version, self.before(hop));
        let what = if hop == 0 { "which both nodes run" } else { "to which the hop before leads" };
        (to <= before).then(|| format!("the target {to} is not newer than {before}, {what}"))
    }

    fn against(&self, hop: u32, note: &PackageNote) -> Vec<String> {
        let (to, package, before) = (self.target_of(hop), self.package_of(hop), self.before(hop));
        let mut refusals = Vec::new();
        if let Some(holds) = note.version.as_ref().filter(|version| **version != to.version) {
            refusals.push(format!("the package's note says that it holds {holds}, the plan asks for {}", to.version));
        }
        if note.build.is_some() && to.build.is_some() && note.build != to.build {
            refusals.push("the package's note names another build than the plan".to_owned());
        }
        if note.sha256.as_ref().is_some_and(|sha256| !sha256.eq_ignore_ascii_case(&package.sha256)) {
            refusals.push(format!("the package's SHA-256 is {}, its note names another", package.sha256));
        }
        if let Some(from) = note.from.as_ref().filter(|from| !from.iter().any(|prefix| before.matches(prefix))) {
            let allowed = from.iter().map(Version::as_str).collect::<Vec<_>>().join(", ");
            refusals.push(format!("the package may be installed on {allowed} only, {}", self.there(hop)));
        }
        if let Some(minimum) = note.minimum.as_ref().filter(|minimum| before < *minimum) {
            refusals.push(format!("the package needs at least {minimum}, {}", self.there(hop)));
        }
        if let Some(after) = note.after.as_ref().filter(|after| !self.comes_after(hop, after)) {
            refusals.push(format!("the package comes only after `{after}`, and neither the start nor a hop before is that"));
        }
        refusals
    }

    /// A version that the nodes had, at the start or by an earlier hop; or an earlier hop's file, with or without its ending.
    fn comes_after(&self, hop: u32, after: &str) -> bool {
        let version: Option<Version> = after.parse().ok();
        let had = |version: &Version| (0..=hop).any(|earlier| self.before(earlier).matches(version));
        let is_it = |package: &Package| {
            let (name, stem) = (package.path.file_name(), package.path.file_stem());
            [name, stem].into_iter().flatten().any(|name| name == after)
        };
        version.is_some_and(|version| had(&version)) || (0..hop).any(|earlier| is_it(self.package_of(earlier)))
    }
}
