//! A diligent person: leads a run to a step or to its rest, does what instructions say, answers gates, helps a link that is
//! half way.

use std::sync::Arc;

use changeover::domain::action::Kind;
use changeover::domain::gate::Gate;
use changeover::domain::ids::{NodeId, RunId};
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::Role;
use changeover::domain::step::Step;
use changeover::engine::api::{Problem, Snapshot, Word};
use changeover::ports::Clock as _;
use jiff::SignedDuration;

use super::{Rest, Stage, end, story};

impl Stage {
    /// Until the run stands at this step, whatever its phase.
    pub async fn until_step(&self, id: &RunId, step: &str) -> Arc<Run> {
        let told = |run: &Run| run.act.as_ref().is_some_and(|act| act.instruction.is_some());
        loop {
            let here = |run: &Run| run.step().is_some_and(|at| at.id == step);
            let run = self.until(id, |run| here(run) || end(run).is_some() || run.open_gate().is_some() || told(run)).await;
            if here(&run) {
                return run;
            }
            assert_eq!(end(&run).filter(|end| end != "in_doubt"), None, "before {step}\n{}", story(&self.records(id)));
            self.serve(id, &run).await;
        }
    }

    /// Until the run has this many records, serving it on the way.
    pub async fn until_seq(&self, id: &RunId, seq: u64) -> Arc<Run> {
        let told = |run: &Run| run.act.as_ref().is_some_and(|act| act.instruction.is_some());
        loop {
            let run = self.until(id, |run| run.seq >= seq || run.open_gate().is_some() || told(run)).await;
            if run.seq >= seq {
                return run;
            }
            self.serve_until(id, &run, seq).await;
        }
    }

    async fn serve_until(&self, id: &RunId, run: &Run, seq: u64) {
        tokio::select! {
            biased;
            _ = self.until(id, |run| run.seq >= seq) => {}
            () = self.serve(id, run) => {}
        }
    }

    /// Lets the run go to its end, accepting every gate that a plan has and doing what instructions say. A doubt is given
    /// an hour to settle by itself.
    pub async fn to_rest(&self, id: &RunId) -> Rest {
        loop {
            let told = |run: &Run| run.act.as_ref().is_some_and(|act| act.instruction.is_some());
            let run = self.until(id, |run| end(run).is_some() || run.open_gate().is_some() || told(run)).await;
            match end(&run) {
                Some(end) if end == "in_doubt" => {
                    let hour = SignedDuration::from_hours(1);
                    if let Err(run) = self.within(id, hour, |run| !matches!(run.phase, Phase::InDoubt { .. })).await {
                        return Rest { run, end };
                    }
                }
                Some(end) => return Rest { run, end },
                None => self.serve(id, &run).await,
            }
        }
    }

    /// Resumes until the run has succeeded; the second number is how often it took.
    pub async fn resume_to_end(&self, id: &RunId) -> (Rest, u32) {
        for times in 1..=4 {
            self.help(&self.run(id));
            let resumed = match self.resume(id).await {
                // It took so long that the window is over.
                Err(problem) if problem.code == "window_missed" => {
                    self.word(id, Word::Resume { window: Some("now +4h".to_owned()) }).await
                }
                resumed => resumed,
            };
            if let Err(problem) = resumed {
                panic!("{problem:?}\n{}", story(&self.records(id)));
            }
            let rest = self.to_rest(id).await;
            if rest.end == "succeeded" {
                return (rest, times);
            }
        }
        panic!("four resumes did not help\n{}", story(&self.records(id)));
    }

    /// What a diligent person does: carries out the instruction that is out, or accepts the gate that is open.
    async fn serve(&self, id: &RunId, run: &Run) {
        if let Some(number) = run.act.as_ref().and_then(|act| act.instruction.as_ref()).map(|instruction| instruction.number) {
            return self.do_as_told(id, number).await;
        }
        match run.open_gate() {
            None => return,
            Some(Gate::SettingsLedger) => return self.acknowledge_all(id).await,
            Some(_) => {}
        }
        if let Err(problem) = self.accept(id, None).await {
            // R16: stray sessions, a node that can't be read just now, evidence that has just changed: it ends after a while.
            assert!(
                matches!(
                    problem.code.as_str(),
                    "one_serves" | "soak_failed" | "gate_not_open" | "background_jobs" | "evidence_changed"
                ),
                "{problem:?}"
            );
            self.pass(SignedDuration::from_mins(10)).await;
        }
    }

    /// Says of each open line that it was seen.
    pub async fn acknowledge_all(&self, id: &RunId) {
        let open: Vec<String> = self.run(id).settings.open().map(|line| line.id.clone()).collect();
        for line in open {
            self.acknowledge(id, &line).await.unwrap_or_else(|problem| panic!("{problem:?}"));
        }
        // The lines are compared once more before the run goes on.
        self.pass(SignedDuration::from_mins(2)).await;
    }

    pub async fn acknowledge(&self, id: &RunId, line: &str) -> Result<Snapshot, Problem> {
        self.word(id, Word::Acknowledge { line: line.to_owned(), digest: None, note: None }).await
    }

    async fn do_as_told(&self, id: &RunId, number: u32) {
        let still =
            |run: &Run| run.act.as_ref().and_then(|act| act.instruction.as_ref()).is_some_and(|told| told.number == number);
        if self.within(id, SignedDuration::from_mins(2), |run| !still(run)).await.is_ok() {
            return;
        }
        let run = self.run(id);
        let step = run.step().unwrap();
        let node = step.node.unwrap_or(run.plan.primary);
        let done = self.has_carried_out(id, number) || self.carry_out(id, number, step, node);
        // Nobody sees from outside that a standby was opened: the person says so.
        if done && step.kind == Kind::Reopen && self.site.current().node(node).role == Role::Standby {
            self.accept(id, Some("node_open")).await.unwrap_or_else(|problem| panic!("{problem:?}"));
        }
        // A box that does not answer is tried again a little later.
        let patience = if done { SignedDuration::from_hours(12) } else { SignedDuration::from_mins(5) };
        let _ = self.within(id, patience, |run| !still(run) || end(run).is_some()).await;
    }

    pub fn has_carried_out(&self, id: &RunId, number: u32) -> bool {
        self.carried_out.lock().unwrap().contains(&(id.number, number))
    }

    /// Does what an instruction says. False if the box does not take it.
    pub fn carry_out(&self, id: &RunId, number: u32, step: &Step, node: NodeId) -> bool {
        if matches!(step.kind, Kind::LowerTtl | Kind::RestoreTtl) {
            let run = self.run(id);
            let before = run.act.as_ref().and_then(|act| act.baseline.ttl.iter().map(|name| name.ttl).max());
            let ttl = if step.kind == Kind::LowerTtl { run.plan.policy.switch_ttl.as_secs() as u32 } else { before.unwrap() };
            self.site.zone().set(ttl);
            self.carried_out.lock().unwrap().insert((id.number, number));
            return true;
        }
        let target = (step.kind == Kind::Update).then(|| self.run(id).plan.target_of(step.hop).clone());
        let done = self.site.current().perform(step.kind.name(), node, target).is_ok();
        if done {
            self.carried_out.lock().unwrap().insert((id.number, number));
        }
        done
    }

    /// What a diligent person does where the alert names a link that is half way: breaks it on the node that shows it.
    pub fn help(&self, run: &Run) {
        if run.hold().is_some_and(|hold| matches!(hold.code.as_str(), "half_broken" | "half_established")) {
            let linked = |node: &NodeId| self.site.current().node(*node).role != Role::Standalone;
            for node in NodeId::BOTH.into_iter().filter(linked) {
                self.hand("break", node);
            }
            self.site.current().advance(self.clock.now() + SignedDuration::from_secs(30));
        }
    }

    /// A person acts on a box without having been told to.
    pub fn hand(&self, verb: &str, node: NodeId) {
        self.site.current().perform(verb, node, None).unwrap_or_else(|refusal| panic!("{verb} on {node}: {refusal}"));
        self.by_hand.lock().unwrap().push((verb.to_owned(), node, self.clock.now()));
    }
}
