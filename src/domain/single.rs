//! An appliance that has no pair (BG-10): what is done next with what it offers, and whether an installation is over.
//!
//! There is no run here and no journal: the appliance itself is the state. Each decision is made anew from what it says, so a
//! call after a crash goes on where the appliance stands.

use jiff::{SignedDuration, Timestamp};

use super::site::{Observation, Role};
use super::version::Version;
use super::world::Reading;

/// An installation that began is seen after this, as silence or on the page.
pub const UNSEEN: SignedDuration = SignedDuration::from_mins(10);

/// How long an appliance that was away may report a problem while its services start.
pub const STARTING: SignedDuration = SignedDuration::from_mins(15);

/// A package that the update page lists.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Offer {
    /// The row's own words.
    pub name: String,
    pub version: Version,
    /// Why it can't be installed now, by the page: ``available after 24.1.9``; `None`: it can be.
    pub waits_for: Option<String>,
}

/// What the update page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// Something is being installed.
    Installing,
    /// No list: the box was not asked to check for updates.
    Unasked,
    /// The list, which may be empty.
    Offers(Vec<Offer>),
}

/// What the decision rests on.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    pub target: &'a Version,
    pub version: &'a Version,
    pub role: Role,
    pub healthy: bool,
    /// `None`: not looked at.
    pub page: Option<&'a Page>,
    /// No installation may begin any more.
    pub late: bool,
}

/// What is done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// It belongs to a pair, whose updates are a run's.
    IsPair,
    /// It says that something is wrong with it.
    Unhealthy,
    /// The target, or more, is there.
    Done,
    /// Let it check for updates, and read the list.
    Ask,
    /// Something is being installed: wait.
    Wait,
    /// The list has nothing that leads on.
    NothingOffered,
    /// There is something to install, and no time for it.
    TooLate(&'a Offer),
    Install(&'a Offer),
}

/// The next thing to do.
pub fn next<'a>(seen: &Seen<'a>) -> Next<'a> {
    let paired = seen.role != Role::Standalone;
    let reached = seen.version >= seen.target;
    match (paired, seen.page, seen.healthy, reached) {
        (true, ..) => Next::IsPair,
        (_, Some(Page::Installing), ..) => Next::Wait,
        (_, _, false, _) => Next::Unhealthy,
        (_, _, _, true) => Next::Done,
        (_, None | Some(Page::Unasked), ..) => Next::Ask,
        (_, Some(Page::Offers(offers)), ..) => match (choose(offers, seen.version, seen.target), seen.late) {
            (None, _) => Next::NothingOffered,
            (Some(offer), true) => Next::TooLate(offer),
            (Some(offer), false) => Next::Install(offer),
        },
    }
}

/// The target if it can be installed, else the newest on the way to it; never one above it, never a step back.
fn choose<'a>(offers: &'a [Offer], version: &Version, target: &Version) -> Option<&'a Offer> {
    let leads_on = |offer: &&Offer| offer.waits_for.is_none() && offer.version > *version && offer.version <= *target;
    offers.iter().filter(leads_on).max_by(|one, other| one.version.cmp(&other.version))
}

/// An installation that was ordered.
#[derive(Clone, Debug)]
pub struct Ordered<'a> {
    pub wanted: &'a Version,
    /// The last reading before.
    pub before: &'a Observation,
    pub at: Timestamp,
}

/// How far an installation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not proven yet, and nothing speaks against it.
    Going(String),
    /// Nothing of it is seen for [`UNSEEN`]; the page may tell.
    Unseen,
    /// The wanted version, by readings younger than the order, healthy twice.
    Installed,
    /// It ended, with this.
    Failed(String),
}

/// Judges an installation by the readings since its order.
pub fn progress(ordered: &Ordered<'_>, reading: &Reading, now: Timestamp) -> Progress {
    let Some(current) = &reading.current else {
        return Progress::Going("it does not answer; an appliance that is silent while it updates is healthy".to_owned());
    };
    let going = |what: &str| Progress::Going(format!("it answers with version {}{what}", current.version));
    let before = ordered.before;
    let as_before = current.version == before.version && (current.build == before.build || current.build.is_none());
    let (young, well) = (reading.proven_after(ordered.at), reading.healthy_twice());
    let back = reading.was_away_since(ordered.at).map(|(_, until)| until);
    // Services may take a while to start; what reports a problem for longer ended so.
    let ended = |back: Timestamp| reading.proven_after(back) && (well || !current.healthy && now.duration_since(back) > STARTING);
    let problem = if current.healthy { "" } else { ", and reports a problem" };
    match (current.identity == before.identity, current.version == *ordered.wanted, as_before) {
        (false, ..) => Progress::Failed(format!("another box, {}, answers at its address", current.identity)),
        (_, true, _) if young && well => Progress::Installed,
        (_, true, _) if young && !current.healthy => going(" and reports a problem"),
        (_, true, _) => going("; a second reading is to confirm that"),
        (_, _, true) => match back {
            Some(back) if ended(back) => Progress::Failed(format!("it was away, and runs {} still{problem}", current.version)),
            Some(_) => going(&format!(" still, after it was away{problem}")),
            None if young && now.duration_since(ordered.at) >= UNSEEN => Progress::Unseen,
            None => going(" still"),
        },
        _ if young && well || back.is_some_and(ended) => {
            Progress::Failed(format!("it runs version {}{problem}", current.version))
        }
        _ => going(problem),
    }
}

#[cfg(test)]
mod tests;
