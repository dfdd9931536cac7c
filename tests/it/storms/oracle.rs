//! What is judged on the simulator's truth and on the journal: throughout, and at the end.

use std::sync::{Arc, Mutex};

use changeover::domain::action::{Impact, Kind, When};
use changeover::domain::event::{Event, Verdict};
use changeover::domain::ids::NodeId;
use changeover::domain::journal::Record;
use changeover::domain::machine;
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::Role;
use changeover::simulator::inprocess::SimSite;
use changeover::simulator::world::{Truth, World};
use jiff::{SignedDuration, Timestamp};

use super::night::Night;
use crate::stage::{Stage, TO};

/// Readings may be as old as the longest cache time and the wait between two looks: what changed that lately, nobody could know.
const BLIND: SignedDuration = SignedDuration::from_secs(100);

/// What was found wrong so far.
#[derive(Default)]
pub struct Oracle {
    wrong: Arc<Mutex<Vec<String>>>,
}

/// What the witness of each intent keeps.
struct Witness {
    site: SimSite,
    trouble_at: Arc<Mutex<Vec<Timestamp>>>,
    asked_at: Option<Timestamp>,
    vouched: bool,
}

impl Oracle {
    /// Judges every intent at the moment in which it is durable and nothing is sent yet.
    pub fn watch(stage: &Stage) -> Self {
        let oracle = Self::default();
        let wrong = oracle.wrong.clone();
        let mut witness =
            Witness { site: stage.site.clone(), trouble_at: stage.trouble_at.clone(), asked_at: None, vouched: false };
        stage.journal.witness(move |record| {
            // A person may take any text for a good sync, also one that was none: from then on the data are their word.
            witness.vouched |= record.event == "confirmed" && record.data["gate"] == "sync_status";
            // What a way home breaks is a crooked link, by a person's word and without a sync (R1 speaks of a good one).
            witness.vouched |= record.event == "revised";
            if record.event == "step_begun" {
                wrong.lock().unwrap().extend(witness.judge(record));
            }
        });
        oracle
    }
}

/// Kind and node of a step, by its id.
fn step_of(id: &str) -> Option<(Kind, Option<NodeId>)> {
    let mut parts = id.split('.').skip(1);
    let kind = parts.next()?.parse().ok()?;
    let node = match parts.next() {
        Some("a") => Some(NodeId::A),
        Some("b") => Some(NodeId::B),
        _ => None,
    };
    Some((kind, node))
}

impl Witness {
    fn judge(&mut self, record: &Record) -> Option<String> {
        let (kind, node) = step_of(record.step.as_deref()?)?;
        // The second sync that R1 may ask for belongs to the first asking.
        if kind == Kind::ForceSync && record.data["baseline"].get("first_sync").is_none() {
            self.asked_at = Some(record.at);
        }
        let wrong = self.promise(kind, node?, record.at)?;
        let lately = self.trouble_at.lock().unwrap().iter().any(|at| *at <= record.at && record.at.duration_since(*at) <= BLIND);
        (!lately).then(|| format!("{} {}: {wrong}", record.at, record.step.as_deref().unwrap_or_default()))
    }

    fn promise(&self, kind: Kind, node: NodeId, at: Timestamp) -> Option<String> {
        let world = self.site.current();
        let (own, other) = (world.node(node), world.node(node.other()));
        let unlinked = own.role == Role::Standalone && other.role == Role::Standalone;
        let leaves =
            |node: NodeId| world.leads_to() == Some(node) && world.takes_clients(node) && !world.takes_clients(node.other());
        match kind {
            Kind::BreakFailover => self.broken_fresh(&world, node),
            Kind::Update if !unlinked => Some("R15: a node shows a relationship".to_owned()),
            Kind::Update | Kind::Quiesce if leaves(node) => Some(format!("R2: it leaves nobody serving at {at}")),
            Kind::SwitchTraffic if !world.takes_clients(node) => Some("R7: the target takes no client".to_owned()),
            Kind::EstablishFailover if own.version != other.version => Some("R6: unequal versions".to_owned()),
            Kind::EstablishFailover if !unlinked => Some("R17: a node shows a relationship".to_owned()),
            _ => None,
        }
    }

    /// R1 on the data: what the primary had when the sync was asked for is on the standby.
    fn broken_fresh(&self, world: &World, primary: NodeId) -> Option<String> {
        let asked_at = self.asked_at.filter(|_| !self.vouched)?;
        let (own, other) = (world.node(primary), world.node(primary.other()));
        let missing =
            own.records.values().filter(|record| record.start < asked_at && !other.records.contains_key(&record.serial));
        let missing = missing.count();
        (missing > 0).then(|| format!("R1: {missing} records older than the asking are not on the standby"))
    }
}

impl Night {
    /// Panics with the night's story unless nothing is found wrong.
    pub fn judge(&self) {
        let mut wrong: Vec<String> = std::mem::take(&mut *self.oracle.wrong.lock().unwrap());
        let records = self.stage.records(&self.id);
        let run = self.run();
        let truth = self.truth();
        wrong.extend(self.judge_journal(&records, &run));
        wrong.extend(self.judge_acts(&records, &truth));
        wrong.extend(self.judge_end(&run, &truth));
        assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), self.case());
    }

    /// The truth without what hands did unasked, and without what was ordered in the moment in which trouble began.
    pub fn truth(&self) -> Truth {
        let mut truth = self.stage.truth();
        for (verb, node, at) in self.stage.by_hand.lock().unwrap().iter() {
            truth.acts.retain(|act| !(act.what == *verb && act.node == Some(*node) && act.at == *at));
            truth.broken_promises.retain(|broken| !(verb == "update" && broken.at == *at));
        }
        let troubles = self.stage.trouble_at.lock().unwrap();
        let lately = |at: Timestamp| troubles.iter().any(|trouble| *trouble <= at && at.duration_since(*trouble) <= BLIND);
        truth.broken_promises.retain(|broken| !lately(broken.at));
        truth
    }

    pub fn was_touched(&self, what: &str) -> bool {
        self.touched.contains(&what)
    }

    /// Folds the journal once more and judges each record on the run that it met.
    pub fn judge_journal(&self, records: &[Record], run: &Run) -> Vec<String> {
        let mut wrong = Vec::new();
        match machine::replay(records) {
            Ok(again) if again == *run => {}
            Ok(_) => wrong.push("R14: the journal folds to another run".to_owned()),
            Err(error) => wrong.push(format!("R14: the journal can't be folded: {error}")),
        }
        let mut before: Option<Run> = None;
        for record in records {
            let Ok(event) = Event::from_parts(&record.event, &record.data) else {
                wrong.push(format!("record {} can't be read", record.seq));
                continue;
            };
            let after = match (&before, &event) {
                (None, Event::Started { plan }) => machine::begin(record.run.clone(), plan.clone(), &record.actor, record.at),
                (Some(before), event) => match machine::next(before, event, record.at) {
                    Ok((after, _)) => after,
                    Err(error) => return vec![format!("record {}: {error}", record.seq)],
                },
                (None, _) => return vec!["headless".to_owned()],
            };
            if let Some(before) = &before {
                wrong.extend(judge_intent(before, &event, record));
                wrong.extend(self.judge_alert(before, &after, record));
            }
            before = Some(Run { seq: record.seq, last_at: record.at, head: record.hash.clone(), ..after });
        }
        wrong
    }

    /// Whoever must act is told: each record after which a run waits for people has its alert.
    fn judge_alert(&self, before: &Run, after: &Run, record: &Record) -> Option<String> {
        let rests = match (&before.phase, &after.phase) {
            (Phase::Held(_), Phase::Held(_)) => return None,
            (_, Phase::Held(_)) => "held",
            (Phase::InDoubt { .. }, Phase::InDoubt { .. }) => return None,
            (_, Phase::InDoubt { .. }) => "in_doubt",
            // A closed run that still watches the pair.
            (Phase::Finished(_), Phase::Finished(_)) => return None,
            (_, Phase::Finished(_)) => "finished",
            _ if record.event == "instructed" => "by_operator",
            _ if record.event == "waited" && after.open_gate().is_some() => "gate_waiting",
            _ => return None,
        };
        let id = format!("{}/{}/{rests}", record.run, record.seq);
        let told = self.stage.journal.outbox.lock().unwrap().iter().any(|item| item.id == id);
        (!told).then(|| format!("no alert `{rests}` for record {}", record.seq))
    }

    /// What was done through us was recorded first (R14), and an update is never sent twice without a person.
    fn judge_acts(&self, records: &[Record], truth: &Truth) -> Vec<String> {
        let mut wrong: Vec<String> =
            truth.broken_promises.iter().map(|broken| format!("{} on {:?}: {}", broken.at, broken.node, broken.note)).collect();
        let mut last_update = [None; 2];
        for act in &truth.acts {
            let Some(node) = act.node else { continue };
            let kind = match act.what.as_str() {
                "break" => Kind::BreakFailover,
                "establish" => Kind::EstablishFailover,
                "sync-now" => Kind::ForceSync,
                "close" => Kind::Quiesce,
                "open" => Kind::Reopen,
                "update" => Kind::Update,
                "drain" => Kind::Drain,
                _ => continue,
            };
            let begun = |record: &&Record| {
                let fits = record.step.as_deref().and_then(step_of).is_some_and(|(step, _)| step == kind);
                record.event == "step_begun" && record.at <= act.at && fits
            };
            if records.iter().rev().find(begun).is_none() {
                wrong.push(format!("R14: {} on {node} at {} without a record", act.what, act.at));
            }
            if kind == Kind::Update
                && let Some(last) = last_update[node.index()].replace(act.at)
            {
                let word = |record: &Record| {
                    matches!(record.event.as_str(), "resumed" | "revised") && last <= record.at && record.at <= act.at
                };
                // Whoever carries an instruction out is a person.
                if !records.iter().any(word) && !self.stage.setting.options.by_operator {
                    wrong.push(format!("node {node} was updated at {last} and at {} without a person between", act.at));
                }
            }
        }
        wrong
    }

    /// The end state compared with the truth.
    fn judge_end(&self, run: &Run, truth: &Truth) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut must = |is: bool, what: String| {
            if !is {
                wrong.push(what);
            }
        };
        let linked_by_hand = self.was_touched("link") || self.was_touched("mended");
        if !linked_by_hand {
            must(truth.sessions.gone == 0 || self.left_behind, format!("{} sessions are gone", truth.sessions.gone));
            let lost = truth.events.iter().find(|event| event.what.ends_with("-overwritten"));
            must(lost.is_none(), format!("{lost:?}"));
        }
        must(truth.leads_to == Some(run.survivor), format!("the name leads to {:?}", truth.leads_to));
        if run.is_finished() {
            must(truth.linked && truth.nodes[run.survivor].role == Role::Primary, "finished, but not linked".to_owned());
            must(truth.serving == Some(run.survivor), format!("finished, and {:?} serves", truth.serving));
            for node in NodeId::BOTH {
                let wanted = if run.way.is_some() { &truth.nodes[node.other()].version } else { TO };
                must(
                    truth.nodes[node].version == wanted,
                    format!("finished, and node {node} runs {}", truth.nodes[node].version),
                );
            }
            let lost = truth.sessions.records.iter().filter(|record| record.on.is_empty() && !record.handed_out).count();
            must(lost == 0 || self.left_behind, format!("{lost} records are lost"));
        } else {
            must(truth.serving == Some(run.survivor), format!("at rest, and {:?} serves", truth.serving));
        }
        wrong
    }
}

/// R3, R4, R10 and R17 on the journal alone.
fn judge_intent(before: &Run, event: &Event, record: &Record) -> Vec<String> {
    let mut wrong = Vec::new();
    let (Event::StepBegun { .. }, Some(step)) = (event, before.step()) else { return wrong };
    let mut must = |is: bool, what: &str| {
        if !is {
            wrong.push(format!("{} {}: {what}", record.at, step.id));
        }
    };
    let node = step.node.unwrap_or(before.plan.primary);
    let ordered = before.is_ordered();
    let window = before.windows.of(step.when).filter(|_| matches!(step.when, When::Window1 | When::Window2));
    let disruptive = step.kind.impact() >= Impact::Disruptive;
    let fits =
        window.is_none_or(
            |window| {
                if disruptive { window.fits(record.at, before.plan.need(step)) } else { window.has_begun(record.at) }
            },
        );
    must(fits || ordered, "R3: outside its window");
    if step.kind == Kind::Update {
        let backup = before.nodes[node].backup.as_ref();
        let served_until = before.nodes[node].served_until;
        must(backup.is_some_and(|(at, _)| served_until.is_none_or(|until| *at >= until)), "R4: no backup since it served");
        must(backup.is_some_and(|(_, file)| file.path.exists()), "R4: the backup's file is not there");
    }
    if step.when == When::Window2 && !ordered {
        let accepted = before.verdict.is_some_and(|verdict| verdict != Verdict::Reject);
        must(accepted && before.soaked, "R10: window two without acceptance or soak");
    }
    if matches!(step.kind, Kind::ForceSync | Kind::BreakFailover | Kind::EstablishFailover) {
        must(before.autopilot_off == Some(step.when), "R17: automatic failover is not confirmed off in this window");
    }
    if step.kind == Kind::EstablishFailover {
        must(step.node == Some(before.survivor), "R8: established from the stale side");
        let left = &before.nodes[before.survivor.other()];
        // A node that traffic never came from or left has nothing to extract on a way home.
        let wrote = !ordered || left.served_until.is_some();
        must(!wrote || left.closed_at.is_some() && left.extracted_at >= left.closed_at, "R9: not extracted after it was closed");
    }
    wrong
}
