//! The handover note: what whoever opens window two must know of window one and of the days since.
//!
//! It is made from the records alone, up to the moment in which somebody took over, and has a hash: the acknowledgement names the
//! note that was read, and one that has grown since is read again. What the last readings say is beside it, not in it: they change
//! with every look.

mod tale;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::action::When;
use super::event::{Event, Notice, Verdict};
use super::gate::Gate;
use super::ids::{NodeId, RunId};
use super::journal::{Record, hex};
use super::machine;
use super::run::Run;
use super::sheet;
use super::surprise;
use super::watch;
use super::world::World;
use tale::Told;

/// As many hex digits as a person can compare and no accident repeats.
const HASH_DIGITS: usize = 12;

/// The note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub run: RunId,
    /// The site's time zone; all times here are UTC.
    #[serde(default)]
    pub zone: String,
    /// Of the sections, lower-case hex.
    pub hash: String,
    pub sections: Vec<Section>,
    /// How things are by the last readings.
    pub now: Vec<String>,
    /// Who took over, and when.
    pub acknowledged: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    pub title: String,
    pub lines: Vec<String>,
}

/// The note of a run; `None` while window one is not done.
pub fn note(run: &Run, records: &[Record], world: &World) -> Option<Note> {
    run.window_one_ended()?;
    let told: Vec<Told<'_>> =
        records.iter().filter_map(|record| Some((record, Event::from_parts(&record.event, &record.data).ok()?))).collect();
    let taken_over = told.iter().rposition(|(_, event)| is_taken_over(event)).filter(|place| is_done(run, told[*place].0));
    let told_before = &told[..taken_over.unwrap_or(told.len())];
    // As it was read: what the run has become since is not in it.
    let read = taken_over.and_then(|place| before(records, told[place].0));
    let then = read.as_ref().unwrap_or(run);
    // The step's end, not the run's: a person may have taken over long ago.
    let ended = told_before.iter().rposition(|(record, event)| ends_window_one(then, record, event)).map_or(0, |place| place + 1);
    let (first, since) = told_before.split_at(ended);
    let sections = vec![
        section("What happened in window one", [tale::steps(then, first), tale::troubles(first)].concat()),
        section("What was accepted", accepted(told_before)),
        section("What happened since", [tale::steps_since(then, since), tale::troubles(since)].concat()),
        section("What is unusual", unusual(told_before)),
        section("What stays and what must not be done", stays(then)),
    ];
    let acknowledged =
        taken_over.map(|place| &told[place].0).map(|record| format!("{} at {}", record.actor, tale::second(record.at)));
    Some(Note {
        run: run.id.clone(),
        zone: run.plan.zone.clone(),
        hash: hash(&sections),
        sections,
        now: now(run, world),
        acknowledged,
    })
}

fn is_taken_over(event: &Event) -> bool {
    matches!(event, Event::Confirmed { gate: Gate::Handover, verdict: Verdict::Accept | Verdict::AcceptEarly, .. })
}

/// A word that is void by now, that a hold has dropped, or that others must join, is none yet: who takes over after it reads on.
fn is_done(run: &Run, word: &Record) -> bool {
    run.steps().any(|(step, progress)| word.step.as_ref() == Some(&step.id) && progress.done_at.is_some())
}

/// The run as it stood before this record.
fn before(records: &[Record], record: &Record) -> Option<Run> {
    let place = records.iter().position(|known| known.seq == record.seq)?;
    machine::replay(&records[..place]).ok()
}

fn ends_window_one(run: &Run, record: &Record, event: &Event) -> bool {
    let done = matches!(event, Event::StepDone { .. } | Event::Confirmed { .. });
    let step = run.plan.steps.iter().find(|step| Some(&step.id) == record.step.as_ref());
    done && step.is_some_and(|step| step.when <= When::Window1)
}

fn section(title: &str, lines: Vec<String>) -> Section {
    let lines = if lines.is_empty() { vec!["nothing".to_owned()] } else { lines };
    Section { title: title.to_owned(), lines }
}

/// The words at the gate `production`, with what they were said in spite of.
fn accepted(told: &[Told<'_>]) -> Vec<String> {
    let word = |(record, event): &Told<'_>| {
        let Event::Confirmed { gate: Gate::Production, note, .. } = event else { return None };
        let note = note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        Some(format!("{} {}; the word of {}{note}", tale::second(record.at), record.reason, record.actor))
    };
    told.iter().filter_map(word).collect()
}

/// What was raised and is not over, by the records.
fn unusual(told: &[Told<'_>]) -> Vec<String> {
    let mut raised: Vec<(Notice, Option<NodeId>, String)> = Vec::new();
    for (record, event) in told {
        let Event::Noticed { notice, node, raised: begins, message } = event else { continue };
        raised.retain(|(known, at, _)| (*known, *at) != (*notice, *node));
        if *begins && *notice != Notice::SoakInUse {
            raised.push((*notice, *node, format!("{} since {}: {message}", notice.name(), tale::second(record.at))));
        }
        if *notice == Notice::SoakInUse {
            raised.retain(|(known, ..)| *known != Notice::SoakInconclusive);
        }
    }
    raised.into_iter().map(|(.., line)| line).collect()
}

fn stays(run: &Run) -> Vec<String> {
    let (kept, left) = (run.survivor, run.survivor.other());
    let mut lines = vec![format!(
        "node `{kept}` serves on {} and its data are kept (survivor); node `{left}` runs {}",
        run.expected_version(kept),
        run.expected_version(left)
    )];
    lines.extend(sheet::must_not(run));
    lines
}

fn hash(sections: &[Section]) -> String {
    let lines = sections.iter().flat_map(|section| std::iter::once(&section.title).chain(&section.lines));
    let mut digest = Sha256::new();
    for line in lines {
        digest.update(line.as_bytes());
        digest.update(b"\n");
    }
    hex(&digest.finalize())[..HASH_DIGITS].to_owned()
}

/// What the last readings say, compared with what the run believes.
fn now(run: &Run, world: &World) -> Vec<String> {
    let mut lines: Vec<String> = NodeId::BOTH.into_iter().map(|node| of_node(run, node, world)).collect();
    if world.has_traffic {
        let target = world.traffic.target().map_or_else(|| "no node for certain".to_owned(), |node| format!("node `{node}`"));
        lines.push(format!("`{}` leads to {target}; it should lead to node `{}`", run.plan.service, run.serving()));
    }
    lines.extend(surprise::differences(run, world).into_iter().map(|difference| format!("changed: {difference}")));
    lines.extend(watch::soak::unmet(run, world).iter().map(|unmet| format!("failing: {}", unmet.sentence())));
    lines
}

fn of_node(run: &Run, node: NodeId, world: &World) -> String {
    let reading = &world.readings[node];
    let Some(seen) = &reading.current else {
        return format!("node `{node}` was not read: {}", reading.error.as_deref().unwrap_or("no look yet"));
    };
    let same = seen.version == run.expected_version(node).version;
    let version = if same { "as it should be" } else { "not as it should be" };
    let well = if seen.healthy { "healthy" } else { "not healthy" };
    let sessions = seen.sessions.map(|sessions| format!(", {sessions} sessions")).unwrap_or_default();
    format!("node `{node}`: {}, {version}; {}, {well}{sessions}", seen.version, seen.role.as_str())
}
