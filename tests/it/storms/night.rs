//! One night: its run, its person, its troubles, and how it ends.

use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::journal::{Record, hex};
use changeover::domain::run::Run;
use changeover::engine::api::{Problem, Word};
use changeover::simulator::world::{Refusal, World};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::leaving::{self, Leaving};
use super::oracle::Oracle;
use super::people::Reaction;
use super::setting::{self, Character, pick, span};
use crate::stage::{PROCEDURES, START, Stage, end};

pub struct Night {
    pub seed: u64,
    pub procedure: &'static str,
    pub character: Character,
    pub stage: Stage,
    pub id: RunId,
    pub random: fastrand::Rng,
    pub diary: Vec<String>,
    /// What the person on duty is about to do.
    pub reaction: Option<Reaction>,
    /// What hands changed that nobody had asked to: `link`, `version`, `name`, `doors`.
    pub touched: Vec<&'static str>,
    pub oracle: Oracle,
    /// Who leaves the plan, and after which of the night's events.
    pub leaving: Option<Leaving>,
    /// What the way home was shown to leave behind.
    pub left_behind: bool,
}

/// How a night ended.
pub struct Ending {
    pub end: String,
    /// The whole journal, without the name of the folder it was written in, and without the hashes, which depend on it.
    pub journal: Vec<String>,
    case: String,
}

impl Ending {
    pub fn told(&self) -> &str {
        &self.case
    }

    /// One hash for the whole night.
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(self.journal.join("\n")))
    }
}

enum Wake {
    Died,
    Recorded,
    Time,
}

impl Night {
    pub async fn play(seed: u64) -> Ending {
        let mut night = Self::begin(seed).await;
        for number in 0..night.character.events {
            night.stretch().await;
            if night.run().is_finished() {
                break;
            }
            night.settle().await;
            night.leave(number).await;
            if !night.run().is_finished() {
                night.trouble().await;
            }
        }
        if night.is_closed() {
            night.taken_over().await;
        } else {
            night.dawn().await;
            night.judge();
        }
        Ending { end: end(&night.run()).unwrap_or_default(), journal: night.journal(), case: night.case() }
    }

    async fn begin(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let start: Timestamp = START.parse().unwrap();
        let procedure = pick(&mut random, &PROCEDURES);
        let character = setting::character(&mut random);
        let mut stage = Stage::set(setting::setting(&mut random, start));
        let id = match stage.try_start(procedure).await {
            Ok(id) => id,
            Err(problem) => {
                assert!(problem.causes.iter().all(|cause| cause.contains("R3")), "seed {seed}: {problem:?}");
                stage.setting = setting::generous(&stage.setting, start);
                stage.start(procedure).await
            }
        };
        let oracle = Oracle::watch(&stage);
        let (diary, touched) = (Vec::new(), Vec::new());
        let leaving = leaving::draw(seed, character.events);
        Self {
            seed,
            procedure,
            character,
            stage,
            id,
            random,
            diary,
            reaction: None,
            touched,
            oracle,
            leaving,
            left_behind: false,
        }
    }

    pub fn run(&self) -> std::sync::Arc<Run> {
        self.stage.run(&self.id)
    }

    pub fn now(&self) -> Timestamp {
        self.stage.site.current().now()
    }

    pub fn tell(&mut self, what: impl Into<String>) {
        let line = format!("{} {}", self.now(), what.into());
        self.diary.push(line);
    }

    /// Everything that a failure must say.
    pub fn case(&self) -> String {
        let (seed, setting) = (self.seed, &self.stage.setting);
        let (rough, story) = (self.character.rough, self.stage.story(&self.id));
        let windows = format!("{} / {}", setting.first, setting.second);
        let diary = self.diary.join("\n");
        format!(
            "seed {seed} (STORM={seed} repeats it), {}, rough: {rough}, {:?}, {windows}, soak {:#}\n{diary}\n{story}",
            self.procedure, setting.options, setting.policy.min_soak
        )
    }

    /// Time passes: a moment, or until the run has come to some step.
    async fn stretch(&mut self) {
        if self.random.u8(..3) == 0 {
            let step = self.random.usize(..26);
            let limit = self.now() + SignedDuration::from_hours(12);
            return self.live(limit, |run| run.position().is_none_or(|position| position >= step)).await;
        }
        let limit = self.now() + span(&mut self.random, 0.2, 3600.0);
        self.live(limit, |_| false).await;
    }

    /// Lets the night go on until `limit` or until `goal` is met; the person on duty does what they do.
    pub async fn live(&mut self, limit: Timestamp, goal: impl Fn(&Run) -> bool) {
        loop {
            let run = self.run();
            if run.is_finished() || goal(&run) || self.now() >= limit {
                return;
            }
            let next = self.intend(&run);
            match self.wake(next.map_or(limit, |at| at.min(limit))).await {
                Wake::Died => self.revive().await,
                Wake::Recorded => {}
                Wake::Time if next.is_some_and(|at| at <= self.now()) => self.react().await,
                Wake::Time => {}
            }
        }
    }

    async fn wake(&self, until: Timestamp) -> Wake {
        tokio::select! {
            biased;
            () = self.stage.journal.died() => Wake::Died,
            () = self.stage.journal.recorded() => Wake::Recorded,
            () = self.stage.clock_to(until) => Wake::Time,
        }
    }

    /// The daemon is dead for a while, and comes up again.
    pub async fn revive(&mut self) {
        let down = span(&mut self.random, 0.1, 3600.0);
        self.tell(format!("the daemon is dead for {down:#}"));
        self.settle().await;
        self.stage.pass(down).await;
        self.stage.restart();
        self.reaction = None;
    }

    /// A millisecond: it passes only when no thread is at work any more, so that who comes first is not for threads to decide.
    pub async fn settle(&self) {
        self.stage.pass(SignedDuration::from_millis(1)).await;
    }

    /// A word to the run; `None` if the daemon died over it.
    pub async fn say(&mut self, word: Word) -> Option<Result<(), Problem>> {
        self.settle().await;
        let answer = tokio::select! {
            biased;
            () = self.stage.journal.died() => None,
            answer = self.stage.word(&self.id, word.clone()) => Some(answer.map(|_| ())),
        };
        let outcome = match &answer {
            None => "the daemon died over it".to_owned(),
            Some(Ok(())) => "taken".to_owned(),
            Some(Err(problem)) => format!("{}: {}", problem.code, problem.message),
        };
        self.tell(format!("somebody says {word:?}: {outcome}"));
        if answer.is_none() {
            self.revive().await;
        }
        answer
    }

    /// Hands at the console that nobody had asked for it.
    pub fn hand(&mut self, what: &'static str, act: (&str, NodeId), how: impl FnOnce(&mut World) -> Result<(), Refusal>) {
        let (verb, node) = act;
        let done = how(&mut self.stage.site.current());
        let now = self.now();
        self.tell(format!("by hand: {verb} on {node}: {done:?}"));
        if done.is_ok() {
            self.stage.by_hand.lock().unwrap().push((verb.to_owned(), node, now));
            self.stage.trouble_at.lock().unwrap().push(now);
            self.touched.push(what);
        }
    }

    fn journal(&self) -> Vec<String> {
        let folder = self.stage.folder.path().to_str().unwrap();
        let line = |record: Record| {
            let Record { seq, at, actor, event, step, reason, data, .. } = record;
            format!("{seq} {at} {actor} {event} {step:?} {reason} {data}").replace(folder, "")
        };
        self.stage.records(&self.id).into_iter().map(line).collect()
    }
}
