//! Settings, as far as an interface tells them: listings of items with digests, the freeze, and when a listing is wanted.
//!
//! Between the break and the first good sync settings are to stay as they are. A snapshot of both nodes is taken at the break
//! ([`Kind::RecordSettings`]), and compared with what is there now while the run goes on and directly before failover is
//! established ([`Kind::CompareSettings`]). The lines that come of it are the [`ledger`](super::ledger).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::action::Kind;
use super::event::{Event, Evidence, FileEvidence, WaitingOn};
use super::facts::Link;
use super::ids::{NodeId, PerNode};
use super::ledger::Line;
use super::people::Who;
use super::proof::Proof;
use super::run::{Phase, Run};
use super::step::Step;
use super::world::World;

/// One setting with a name of its own. Never the whole item: names and a digest are all that a comparison needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// `user`, `group`, `jump_item`, `job`, …: the driver's word.
    pub kind: String,
    pub id: String,
    pub name: String,
    /// Of everything that counts, so without times, counters and `enabled`; the same for the same content.
    pub digest: String,
    /// For jobs: whether it runs by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// The kind of item that runs by itself: a rotation, an export, an outbound event.
pub const JOB: &str = "job";

/// What one node tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub items: Vec<Item>,
    /// For each kind that was asked for, a digest of the names of its items' fields, empty where there is no item. A new version
    /// may tell more fields, and then digests can't be compared. Empty where the driver sees to that itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// What a driver tells of a node's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Listing(Listing),
    /// There is no interface, or no right to it.
    Nothing {
        why: String,
    },
    /// There is an interface, and what it answered is no listing. To ask again in a moment would not help.
    Unread {
        why: String,
    },
}

/// More items than this are no site's settings, and would fill the memory.
const MOST_ITEMS: usize = 50_000;
/// Texts go into records and onto screens.
const MOST_TEXT: usize = 256;

impl Listing {
    /// Sorts the items and checks them.
    ///
    /// # Errors
    /// Too many, too long, no text at all, or two different ones by one id: a list that was read while it changed.
    pub fn new(mut items: Vec<Item>, fields: BTreeMap<String, String>) -> Result<Self, String> {
        if items.len() > MOST_ITEMS {
            return Err(format!("{} items of settings, expected at most {MOST_ITEMS}", items.len()));
        }
        items.iter().try_for_each(checked)?;
        items.sort_by(|one, other| place(one).cmp(&place(other)));
        items.dedup();
        match items.windows(2).find(|pair| place(&pair[0]) == place(&pair[1])) {
            Some(pair) => Err(format!("{} `{}` is there twice, differently", pair[0].kind, pair[0].id)),
            None => Ok(Self { items, fields }),
        }
    }

    pub fn item(&self, kind: &str, id: &str) -> Option<&Item> {
        let found = self.items.binary_search_by(|item| place(item).cmp(&(kind, id)));
        found.ok().map(|index| &self.items[index])
    }

    /// True if an item of the same name and content is there, by whatever id: what is entered by hand gets another one.
    pub fn has_alike(&self, wanted: &Item) -> bool {
        let alike = |item: &&Item| (&item.kind, &item.name, &item.digest) == (&wanted.kind, &wanted.name, &wanted.digest);
        self.items.iter().any(|item| alike(&item))
    }

    /// The jobs that run by themselves.
    pub fn enabled_jobs(&self) -> Vec<&str> {
        let jobs = self.items.iter().filter(|item| item.kind == JOB && item.enabled == Some(true));
        jobs.map(|item| item.name.as_str()).collect()
    }
}

fn place(item: &Item) -> (&str, &str) {
    (&item.kind, &item.id)
}

fn checked(item: &Item) -> Result<(), String> {
    let word = |text: &str| text.chars().all(|each| each.is_ascii_lowercase() || each.is_ascii_digit() || each == '_');
    let line = |text: &str| !text.chars().any(char::is_control);
    let short = |text: &str| text.len() <= MOST_TEXT;
    let good = |text: &str| short(text) && line(text);
    let id = !item.id.is_empty() && good(&item.id) && !item.id.contains(char::is_whitespace);
    if !item.kind.is_empty() && short(&item.kind) && word(&item.kind) && id && good(&item.name) && good(&item.digest) {
        return Ok(());
    }
    let shown: String = format!("{}.{}", item.kind, item.id).chars().take(64).flat_map(char::escape_debug).collect();
    Err(format!("an item `{shown}` whose kind, id, name or digest can't be one"))
}

/// A person's word on one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// What the line was when the person saw it.
    pub digest: String,
    pub by: Who,
    pub at: Timestamp,
    pub note: Option<String>,
}

/// What the journal says of a run's settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frozen {
    /// The listings at the break, as files.
    pub snapshot: PerNode<Option<FileEvidence>>,
    /// The listings that should have been there and could not be read, and why: the comparison will lack them.
    pub unread: Vec<String>,
    /// The lines of the last comparison that found others than the one before.
    pub lines: Vec<Line>,
    pub acknowledged: BTreeMap<String, Acknowledged>,
    /// When a comparison was last proven done.
    pub settled_at: Option<Timestamp>,
}

impl Frozen {
    /// The lines that the next sync overwrites and that nobody has acknowledged as they are now.
    pub fn open(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.lost && !self.is_acknowledged(line))
    }

    pub fn is_acknowledged(&self, line: &Line) -> bool {
        self.acknowledged.get(&line.id).is_some_and(|known| known.digest == line.digest)
    }

    fn last_word(&self) -> Option<Timestamp> {
        self.acknowledged.values().map(|known| known.at).max()
    }
}

/// A snapshot that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    pub step: String,
    pub at: Timestamp,
    pub files: PerNode<Option<FileEvidence>>,
    pub items: u64,
    /// Why there is none of a node.
    pub untold: Vec<(String, Untold)>,
}

/// What a missing listing means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// There is no interface, or no right to it: nobody expects one.
    Never,
    /// It may be told in a moment.
    Later,
    /// What was answered is no listing, or access was refused.
    Unread,
}

/// A comparison that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// When the reading for it began.
    pub at: Timestamp,
    pub keeper: NodeId,
    pub lines: Vec<Line>,
}

/// What was read of settings. Empty where nobody reads any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub recorded: Option<Recorded>,
    pub compared: Option<Compared>,
    /// The last comparison that could not be made: when, and why.
    pub unread: Option<(Timestamp, String)>,
}

/// What is to be read of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The snapshot at the break.
    Record,
    /// Both nodes' listings against it.
    Compare,
}

/// For so long a listing is tried again when the snapshot is taken: window one does not wait for a list.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

impl Run {
    /// The node from which the next sync will run: where the steps establish failover from, else the one whose data are kept.
    pub fn keeper(&self) -> NodeId {
        let rest = self.position().map(|index| &self.plan.steps[index..]).unwrap_or_default();
        let establishes = rest.iter().find(|step| step.kind == Kind::EstablishFailover);
        establishes.and_then(|step| step.node).unwrap_or(self.survivor)
    }

    /// A comparison is asked for: there is a snapshot of the node that the next sync overwrites.
    pub fn compares_settings(&self) -> bool {
        self.settings.snapshot[self.keeper().other()].is_some()
    }
}

/// What is to be read before the next decision; looks at settings are dear, and are made only when one is due.
pub fn due(run: &Run, world: &World) -> Option<Want> {
    if run.is_finished() || run.phase == Phase::Acting {
        return None;
    }
    match run.step() {
        Some(step) if step.kind == Kind::RecordSettings && run.hold().is_none() => record_due(step, world),
        _ => compare_due(run, world),
    }
}

fn record_due(step: &Step, world: &World) -> Option<Want> {
    let recorded = world.settings.recorded.as_ref().filter(|recorded| recorded.step == step.id);
    let again = |recorded: &Recorded| recorded.at < world.now && recorded.untold.iter().any(|(_, why)| *why == Untold::Later);
    recorded.is_none_or(again).then_some(Want::Record)
}

fn compare_due(run: &Run, world: &World) -> Option<Want> {
    let apart = run.unprotected_since().is_some() && world.link() == Link::Broken;
    if !apart || !run.compares_settings() || run.is_at(Kind::Update) {
        return None;
    }
    let tried = world.settings.unread.as_ref().map(|(at, _)| *at);
    let fresh = counting(run, world);
    let last = tried.max(fresh.map(|compared| compared.at));
    let waits = fresh.is_none() && run.step().is_some_and(|step| step.kind == Kind::CompareSettings);
    let pause = if waits { SignedDuration::ZERO } else { pause(run) };
    last.is_none_or(|last| last < world.now && world.now.duration_since(last) >= pause).then_some(Want::Compare)
}

/// Between two comparisons; a listing takes some seconds, and a comparison that is always too old would never be one.
fn pause(run: &Run) -> SignedDuration {
    run.plan.policy.settings_look.max(SignedDuration::from_mins(1))
}

/// The last comparison, if it was made for the node that is kept.
fn compared<'w>(run: &Run, world: &'w World) -> Option<&'w Compared> {
    world.settings.compared.as_ref().filter(|compared| compared.keeper == run.keeper())
}

/// The last comparison, if it counts where the run stands: at the step that compares only one that was begun after what came before
/// the step, and after the last word on it.
fn counting<'w>(run: &Run, world: &'w World) -> Option<&'w Compared> {
    let compared = compared(run, world)?;
    let Some(index) = run.position().filter(|&index| run.plan.steps[index].kind == Kind::CompareSettings) else {
        return Some(compared);
    };
    let before = index.checked_sub(1).and_then(|index| run.progress[index].done_at);
    let after_it = before.is_none_or(|before| compared.at >= before);
    let after_word = run.settings.last_word().is_none_or(|word| compared.at > word);
    Some(compared).filter(|_| after_it && after_word)
}

/// R9: the comparison stands: made for the node that is kept, not too old, and every line of it acknowledged.
pub fn is_settled(run: &Run, world: &World) -> bool {
    let young = |compared: &Compared| world.now.duration_since(compared.at) <= pause(run) * 2;
    let settled = run.settings.settled_at.is_some() && run.settings.open().next().is_none();
    settled && compared(run, world).is_some_and(young)
}

/// A comparison that found other lines than are recorded.
pub fn news(run: &Run, world: &World) -> Option<Event> {
    let compared = compared(run, world).filter(|_| !run.is_finished())?;
    let event = || Event::SettingsCompared { keeper: compared.keeper, lines: compared.lines.clone() };
    (compared.lines != run.settings.lines).then(event)
}

/// Judges the two steps.
pub fn of_look(run: &Run, step: &Step, world: &World) -> Proof {
    match step.kind {
        Kind::RecordSettings => recorded(run, step, world),
        _ => compared_now(run, world),
    }
}

fn recorded(run: &Run, step: &Step, world: &World) -> Proof {
    let untold =
        |why: &str| Proof::Done(Evidence::seen(format!("not told: {why}; compare users, groups and Jump items by hand")));
    let Some(recorded) = world.settings.recorded.as_ref().filter(|recorded| recorded.step == step.id) else {
        return untold("nobody reads settings");
    };
    let patient = match run.phase {
        Phase::Waiting { on: WaitingOn::Appliance, since, .. } => world.now.duration_since(since) < PATIENCE,
        _ => true,
    };
    if let Some((why, _)) = recorded.untold.iter().find(|(_, untold)| *untold == Untold::Later && patient) {
        return Proof::NotYet(format!("the settings: {why}"));
    }
    let why: Vec<&str> = recorded.untold.iter().map(|(why, _)| why.as_str()).collect();
    let unread = recorded.untold.iter().filter(|(_, untold)| *untold != Untold::Never);
    let unread: Vec<String> = unread.map(|(why, _)| why.clone()).collect();
    let none = recorded.files.a.is_none() && recorded.files.b.is_none();
    if none && unread.is_empty() {
        return untold(&why.join("; "));
    }
    let note = if why.is_empty() { String::new() } else { format!("; not told: {}", why.join("; ")) };
    let by_hand = if unread.is_empty() { "" } else { "; compare its users, groups and Jump items by hand" };
    let (snapshot, found) = (recorded.files.clone(), format!("{} items{note}{by_hand}", recorded.items));
    Proof::Done(Evidence::Settings { snapshot, found, unread })
}

/// What the comparison lacks although an interface should have told it, for people.
pub fn lacking(run: &Run) -> Option<String> {
    let unread = &run.settings.unread;
    (!unread.is_empty()).then(|| unread.join("; "))
}

fn compared_now(run: &Run, world: &World) -> Proof {
    if !run.compares_settings() {
        let why = lacking(run).map(|why| format!(" ({why})")).unwrap_or_default();
        let found = format!("no settings were recorded at the break{why}; compare users, groups and Jump items by hand");
        return Proof::Done(Evidence::seen(found));
    }
    match counting(run, world) {
        Some(_) => {
            let (lines, lost) = (&run.settings.lines, run.settings.lines.iter().filter(|line| line.lost).count());
            let kept = lines.len() - lost;
            let lacking = lacking(run).map(|why| format!("; not compared: {why}")).unwrap_or_default();
            Proof::Done(Evidence::seen(format!(
                "{lost} lines that the next sync overwrites, all acknowledged; {kept} that it keeps{lacking}"
            )))
        }
        None => {
            let why = world.settings.unread.as_ref().map(|(_, why)| format!(" ({why})")).unwrap_or_default();
            Proof::NotYet(format!("the settings of both nodes{why}"))
        }
    }
}
