//! What a stage is built from.

use std::sync::Arc;

use changeover::domain::people::People;
use changeover::domain::procedure::Procedure;
use changeover::domain::site::Policy;
use changeover::domain::window::calendar::Calendar;
use changeover::ports::Traffic;
use changeover::simulator::inprocess::{InProcessOptions, SimSite, Zone};
use jiff::Timestamp;

use super::{FROM, START, TO};

/// What a stage is built from.
#[derive(Clone)]
pub struct Setting {
    pub options: InProcessOptions,
    pub policy: Policy,
    pub first: String,
    pub second: String,
    pub seed: u64,
    /// Procedures beside the built-in ones.
    pub own: Vec<Procedure>,
    /// The site's zone, usual windows and freezes, as the daemon reads them at its next start.
    pub calendar: Calendar,
    /// Whom the daemon's file names; nobody: everybody may speak.
    pub people: People,
    /// When it begins.
    pub begin: Timestamp,
    /// The policy of a second site, `lab`, where there is to be one.
    pub lab: Option<Policy>,
    /// What the pair runs, and what it is to run.
    pub versions: (&'static str, &'static str),
    /// Somebody answers the gates that are no more than a checklist as soon as they open: most tests are not about them.
    pub checklists: bool,
    /// The versions of a package chain before the target; each package is installed only on the version before it.
    pub chain: Vec<&'static str>,
    /// The zone of the service's name.
    pub zone: Zone,
    /// Another view of it, where there is one.
    pub view: Option<Zone>,
    /// The nodes' addresses are of two kinds.
    pub two_kinds: bool,
    /// The traffic entries, where they are not the simulated name behind its line.
    pub traffic: Option<Entries>,
}

/// Makes a site's traffic entries.
pub type Entries = Arc<dyn Fn(&SimSite) -> Vec<Arc<dyn Traffic>> + Send + Sync>;

impl Default for Setting {
    fn default() -> Self {
        let (first, second) = ("now +4h".to_owned(), "2026-11-23T07:00:00Z +4h".to_owned());
        let (options, policy, calendar) = (InProcessOptions::default(), Policy::default(), Calendar::default());
        let (own, people, lab, chain, begin) = (Vec::new(), People::default(), None, Vec::new(), START.parse().unwrap());
        let (zone, view, two_kinds) = (Zone::default(), None, false);
        Self {
            options,
            policy,
            first,
            second,
            seed: 1,
            own,
            calendar,
            people,
            lab,
            versions: (FROM, TO),
            checklists: true,
            chain,
            begin,
            zone,
            view,
            two_kinds,
            traffic: None,
        }
    }
}

impl Setting {
    pub fn by_operator() -> Self {
        Self { options: InProcessOptions { by_operator: true, ..InProcessOptions::default() }, ..Self::default() }
    }
}
