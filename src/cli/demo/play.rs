//! The play: follows the run from its start to its rest, lets the person act and the tale take its turn, and tells it all.

use std::thread::sleep;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::cli::{Exit, Failure, watch};
use crate::domain::action::Kind;
use crate::domain::ids::NodeId;
use crate::domain::journal::Record;
use crate::domain::version::Target;
use crate::server::view::{Started, Status};
use crate::simulator::faults::Planned;
use crate::simulator::operator::Hands;
use crate::simulator::world::Truth;

use super::alerts::Alert;
use super::ending::{self, Report};
use super::pair::TO;
use super::person::{Deed, Person, Sight};
use super::process;
use super::scene::Scene;
use super::tales::{Moment, Twist};

/// How often the run's status is asked for: some 40 s of the run at the usual speed, as quick as a person at a console.
const POLL: Duration = Duration::from_millis(10);

/// What was refused is tried again after this.
const SECOND_TRY: Duration = Duration::from_millis(200);

/// After the second window's end a run that is not at rest never will be.
const PATIENCE: SignedDuration = SignedDuration::from_hours(12);

/// A last alert is delivered within milliseconds; this is for a machine that is busy.
const LAST_ALERTS: Duration = Duration::from_secs(10);

/// How long there is no daemon after it was killed: a service manager starts it again at once.
const WITHOUT_DAEMON: Duration = Duration::from_millis(50);

/// A run on its way.
pub struct Play {
    scene: Scene,
    run: String,
    person: Person,
    hands: Hands,
    target: Target,
    records: Vec<Record>,
    alerts: Vec<Alert>,
    twisted: bool,
    /// When a state that the tale brought about ends.
    relief: Option<(Timestamp, Planned)>,
    not_before: Instant,
    /// The last refusal told, so that it is told once.
    refused: String,
    status: Status,
}

impl Play {
    /// Starts the run.
    pub fn begin(mut scene: Scene) -> Result<Self, Failure> {
        let truth = scene.pair.simulator.current().truth();
        scene.story.look(&truth);
        scene.story.flush();
        if let (Moment::Start, Twist::Fault(fault, times)) = (scene.tale.moment, scene.tale.twist) {
            scene.pair.simulator.current().plan_fault(Planned { times, ..Planned::for_ever(fault) });
        }
        let started: Started = scene.client.post(&["runs"], &scene.order())?.read()?;
        let run = started.run.to_string();
        let status = scene.client.get(&["runs", &run])?.read()?;
        let target = TO.parse::<Target>().map_err(|error| Failure::of("bad_version", &error))?;
        Ok(Self {
            person: Person::new(scene.tale.manner),
            hands: Hands::new(scene.pair.simulator.control),
            scene,
            run,
            target,
            records: Vec::new(),
            alerts: Vec::new(),
            twisted: false,
            relief: None,
            not_before: Instant::now(),
            refused: String::new(),
            status,
        })
    }

    /// Until the run is finished, or held with nothing that the person would do.
    pub fn until_the_end(&mut self) -> Result<(), Failure> {
        let last = self.status.windows.second.as_ref().map_or(self.scene.now(), |window| window.to) + PATIENCE;
        loop {
            self.scene.go_on()?;
            let truth = self.look().map_err(|failure| self.explained(failure))?;
            self.scene.story.flush();
            let deed = self.person.next(&self.status, sight(&truth), truth.now);
            if self.is_over() && deed.is_none() {
                return Ok(());
            }
            if truth.now > last {
                return Err(self.stuck());
            }
            if let Some(deed) = deed.filter(|_| Instant::now() >= self.not_before) {
                self.act(&deed);
            }
            self.twist(&truth)?;
            sleep(POLL);
        }
    }

    /// The last alerts, the daemon's end, and the judgement.
    pub fn close(mut self) -> Result<(Report, Vec<String>), Failure> {
        let until = Instant::now() + LAST_ALERTS;
        let ending = self.scene.tale.ending;
        while !ending.alerts.iter().all(|wanted| self.alerts.iter().any(|alert| alert.name == *wanted)) && Instant::now() < until
        {
            sleep(POLL);
            self.hear();
        }
        let truth = self.scene.pair.simulator.current().truth();
        self.scene.story.census(&truth);
        self.scene.story.flush();
        let status: Status = self.scene.client.get(&["runs", &self.run])?.read()?;
        let report = Report::new(&self.scene, &status, &truth, &self.records, &self.alerts);
        let mut differs = ending::differences(&self.scene.tale.ending, &report, &status, &truth);
        if !self.scene.daemon.take().is_some_and(process::Daemon::terminate) {
            differs.push("the daemon did not end by itself, and with 0, when it was asked to".to_owned());
        }
        report.tell(&self.scene, &status, &truth);
        Ok((report, differs))
    }

    /// Reads what is new: records, alerts, the world.
    fn look(&mut self) -> Result<Truth, Failure> {
        // The world first: then every record of what it shows is among those read.
        let truth = self.scene.pair.simulator.current().truth();
        self.scene.story.look(&truth);
        self.status = self.scene.client.get(&["runs", &self.run])?.read()?;
        let seen = self.records.last().map_or(0, |record| record.seq);
        if self.status.seq > seen {
            let news = watch::records(&self.scene.client, &self.run, seen)?;
            news.iter().for_each(|record| self.scene.story.record(record));
            self.records.extend(news);
        }
        self.hear();
        Ok(truth)
    }

    fn hear(&mut self) {
        for alert in self.scene.hook.news() {
            // At least once: after a restart one may come again, under the same id.
            if self.alerts.iter().all(|known| known.data.id != alert.data.id) {
                self.scene.story.alert(self.scene.now(), &alert);
                self.alerts.push(alert);
            }
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.status.phase.as_str(), "finished" | "held")
    }

    /// Does what the person decided. A refusal is told once and the deed tried again: the person is patient.
    fn act(&mut self, deed: &Deed) {
        match self.try_to(deed) {
            Ok(()) => {
                self.person.remember(&self.status, deed);
                self.refused.clear();
            }
            Err(why) => {
                self.not_before = Instant::now() + SECOND_TRY;
                if why != self.refused {
                    self.scene.story.tell(self.scene.now(), "person", &format!("is refused, and tries again later: {why}"));
                    self.refused = why;
                }
            }
        }
    }

    fn try_to(&mut self, deed: &Deed) -> Result<(), String> {
        let seq = self.status.seq;
        let word = |word: &str, body: serde_json::Value| {
            let told = self.scene.client.tell(&self.run, word, &body);
            told.map(drop).map_err(|failure| failure.code().to_owned())
        };
        match deed {
            Deed::Hands { kind, node, instruction } => self.by_hand(*kind, *node, *instruction),
            Deed::Confirm { gate, verdict, note } => {
                word("confirm", json!({ "gate": gate, "verdict": verdict, "note": note, "seq": seq }))
            }
            Deed::Resume => word("resume", json!({ "seq": seq })),
            Deed::Abort => word("abort", json!({ "note": "the vendor called the package back", "seq": seq })),
            Deed::SwitchBack => word("switch-back", json!({ "note": "the help desk gets complaints", "seq": seq })),
        }
    }

    fn by_hand(&mut self, kind: Kind, node: NodeId, instruction: u32) -> Result<(), String> {
        let target = (kind == Kind::Update).then_some(&self.target);
        let acted = self.scene.runtime.block_on(self.hands.act(kind.name(), node, target));
        acted.map_err(|error| error.to_string())?;
        let text = format!("{} (instruction {instruction})", in_words(kind, node));
        self.scene.story.tell(self.scene.now(), "operator", &text);
        Ok(())
    }

    /// Lets the tale take its turn.
    fn twist(&mut self, truth: &Truth) -> Result<(), Failure> {
        self.relieve(truth);
        if self.twisted || !self.is_the_moment(truth) {
            return Ok(());
        }
        self.twisted = true;
        match self.scene.tale.twist {
            Twist::Kill => self.kill(),
            Twist::OnTheOther(fault, hours) => {
                let node = self.status.survivor.other();
                let planned = Planned::for_ever(fault).on(node);
                self.scene.pair.simulator.current().plan_fault(planned.clone());
                self.relief =
                    hours.map(|hours| (truth.now + SignedDuration::from_hours(hours), Planned { times: Some(0), ..planned }));
                self.scene.story.tell(truth.now, "world", &format!("node {node}: {}", sentence(fault)));
                Ok(())
            }
            Twist::Nothing | Twist::Fault(..) => Ok(()),
        }
    }

    fn is_the_moment(&self, truth: &Truth) -> bool {
        match self.scene.tale.moment {
            Moment::Start => false,
            Moment::Step(action) => {
                self.status.phase == "waiting" && self.status.step.as_ref().is_some_and(|step| step.action.name() == action)
            }
            Moment::Updating => NodeId::BOTH.into_iter().any(|node| truth.nodes[node].updating_until.is_some()),
        }
    }

    fn relieve(&mut self, truth: &Truth) {
        if let Some((_, planned)) = self.relief.take_if(|(at, _)| *at <= truth.now) {
            self.scene.story.tell(truth.now, "world", "that is over");
            self.scene.pair.simulator.current().plan_fault(planned);
        }
    }

    /// SIGKILL, and a new daemon on the same folder.
    fn kill(&mut self) -> Result<(), Failure> {
        let Some(daemon) = self.scene.daemon.take() else { return Ok(()) };
        let pid = daemon.pid();
        daemon.kill();
        self.scene.story.tell(
            self.scene.now(),
            "world",
            &format!("SIGKILL: the daemon (process {pid}) is dead, in the middle of the update"),
        );
        self.scene.story.flush();
        sleep(WITHOUT_DAEMON);
        self.scene.start_daemon()?;
        let pid = self.scene.daemon.as_ref().map_or(0, process::Daemon::pid);
        self.scene.story.tell(self.scene.now(), "world", &format!("a new daemon (process {pid}) is up and reads its journal"));
        Ok(())
    }

    /// No answer, because there is no daemon any more?
    fn explained(&mut self, failure: Failure) -> Failure {
        let ended = self.scene.daemon.as_mut().is_some_and(process::Daemon::has_ended);
        if ended { process::ended(&self.scene.folder.log()) } else { failure }
    }

    fn stuck(&self) -> Failure {
        let Status { phase, step, .. } = &self.status;
        let step = step.as_ref().map_or("the end", |step| step.id.as_str());
        Failure::new("stuck", format!("run `{}` is still {phase} at `{step}`, long after its second window", self.run))
            .hint("repeat with `--keep` and look at the daemon's log")
            .exit(Exit::NotMet)
    }
}

fn sight(truth: &Truth) -> Sight {
    Sight { a_box_is_away: NodeId::BOTH.into_iter().any(|node| truth.nodes[node].updating_until.is_some()) }
}

fn sentence(fault: crate::simulator::faults::Fault) -> &'static str {
    crate::simulator::faults::TABLE.iter().find(|row| row.fault == fault).map_or("", |row| row.sentence)
}

/// What the operator does at a box, in the words of its pages.
fn in_words(kind: Kind, node: NodeId) -> String {
    match kind {
        Kind::ForceSync => format!("presses `Sync Now` on node {node}"),
        Kind::BreakFailover => format!("breaks the failover relationship on node {node}"),
        Kind::Update => format!("installs {TO} on node {node}"),
        Kind::Drain => format!("asks the users of node {node} to finish and log off"),
        Kind::Quiesce => format!("closes node {node} to clients"),
        Kind::Reopen => format!("opens node {node} to clients again"),
        Kind::EstablishFailover => format!("establishes failover on node {node}"),
        other => format!("does `{other}` on node {node}"),
    }
}
