//! Dawn: nothing new goes wrong, and somebody diligent looks at the boxes themselves, mends what is not as the run needs it, and
//! resumes. From wherever the night left it, the run must come to an end.

use std::sync::atomic::Ordering;

use changeover::domain::action::{Kind, When};
use changeover::domain::ids::NodeId;
use changeover::domain::run::{Phase, Run};
use changeover::domain::site::Role;
use changeover::domain::version::Target;
use changeover::domain::watch::soak;
use changeover::engine::api::{Rebooking, Word};
use changeover::ports::Clock as _;
use jiff::SignedDuration;

use super::night::Night;
use crate::stage::{Rest, TO, end};

/// So often the diligent person resumes at most.
const PATIENCE: u32 = 16;

impl Night {
    pub async fn dawn(&mut self) {
        self.tell("dawn");
        self.clear_up();
        while self.is_updating() {
            self.stage.pass(SignedDuration::from_mins(10)).await;
        }
        // A soak can't end while something is not as it asks; the run is not held meanwhile, and the alert calls a person.
        if soak::is_on(&self.run(), self.stage.clock.now()) {
            self.mend().await;
        }
        for _ in 0..PATIENCE {
            let Some(rest) = self.rest().await else { continue };
            let kept = rest.run.hold().is_some_and(|hold| matches!(hold.code.as_str(), "switched_back" | "harbour"));
            if rest.run.is_finished() {
                return;
            }
            if kept {
                // At rest for good; what hands did since is mended like everything else, once it has taken effect.
                self.stage.pass(SignedDuration::from_mins(3)).await;
                return self.mend().await;
            }
            self.check_rest(&rest.run);
            self.stage.pass(SignedDuration::from_mins(3)).await;
            self.mend().await;
            // It may have settled by itself meanwhile.
            if end(&self.run()).as_deref() == Some(rest.end.as_str()) {
                self.resume_with_window(&rest.run).await;
            }
        }
        // A version that somebody installed unasked can't be taken back: the run is held, and closing it is the way out.
        let stuck = self.was_touched("version") && self.run().hold().is_some();
        assert!(stuck, "{PATIENCE} resumptions did not bring it to an end\n{}", self.case());
    }

    /// Faults are over, the line and the disk are well, no death is due.
    pub fn clear_up(&mut self) {
        self.stage.mend();
        self.stage.deaf.store(false, Ordering::SeqCst);
        self.stage.journal.low.store(false, Ordering::SeqCst);
        self.stage.journal.live_again();
    }

    async fn rest(&mut self) -> Option<Rest> {
        tokio::select! {
            biased;
            // It was due before dawn.
            () = self.stage.journal.died() => {}
            rest = self.stage.to_rest(&self.id) => return Some(rest),
        }
        self.revive().await;
        None
    }

    async fn resume_with_window(&mut self, run: &Run) {
        let missed = run.hold().is_some_and(|hold| hold.code == "window_missed");
        let before_soak = run.step().is_some_and(|step| step.when < When::Soak);
        let window = missed.then(|| "now +20h".to_owned());
        let unbooked = run.hold().is_some_and(|hold| hold.code == "no_second_window");
        // After window one and the soak, and long enough for every way. Not later than that: a run that waits looks all the time.
        let begin = self.now() + self.stage.setting.policy.min_soak + SignedDuration::from_hours(60);
        let second = Some(format!("{begin} +40h"));
        let first = window.clone().filter(|_| before_soak);
        let word = if unbooked || first.is_some() {
            Word::Rebook(Rebooking { first, second, ..Rebooking::default() })
        } else {
            Word::Resume { window }
        };
        let answer = self.say(word).await;
        if let Some(Err(problem)) = answer {
            assert!(problem.code == "not_held", "{problem:?}\n{}", self.case());
        }
    }

    /// Makes the pair what the run needs it to be, as far as a person can: roles, versions, doors, the name.
    pub async fn mend(&mut self) {
        self.stage.mend();
        while self.is_updating() {
            self.stage.pass(SignedDuration::from_mins(10)).await;
        }
        let run = self.run();
        self.mend_link(&run).await;
        self.mend_versions(&run).await;
        self.mend_doors(&run);
        self.mend_name(&run);
        self.stage.pass(SignedDuration::from_mins(6)).await;
    }

    fn roles(&self) -> (Role, Role) {
        let world = self.stage.site.current();
        (world.node(NodeId::A).role, world.node(NodeId::B).role)
    }

    fn primary(&self) -> Option<NodeId> {
        match self.roles() {
            (Role::Primary, Role::Standby) => Some(NodeId::A),
            (Role::Standby, Role::Primary) => Some(NodeId::B),
            _ => None,
        }
    }

    /// Linked before the break and after establishing, broken between; a link that is being established from the right side
    /// is left alone.
    async fn mend_link(&mut self, run: &Run) {
        let wanted = match (run.broken_at, run.protected_at) {
            (None, _) => Some(run.plan.primary),
            (_, Some(_)) => Some(run.survivor),
            _ => None,
        };
        let under_way =
            run.step().is_some_and(|step| step.kind == Kind::EstablishFailover) && self.primary() == Some(run.survivor);
        let breaking = run.step().is_some_and(|step| step.kind == Kind::BreakFailover)
            && self.roles() == (Role::Standalone, Role::Standalone);
        if self.primary() == wanted && wanted.is_some() || under_way || breaking && run.act.is_some() {
            return;
        }
        for node in NodeId::BOTH {
            if self.stage.site.current().node(node).role != Role::Standalone {
                self.hand("mended", ("break", node), |world| world.break_failover(node));
                self.stage.pass(SignedDuration::from_secs(30)).await;
            }
        }
        if let Some(primary) = wanted {
            self.hand("mended", ("establish", primary), |world| world.establish_failover(primary));
            self.stage.pass(SignedDuration::from_mins(4)).await;
        }
    }

    /// A node on a version that nobody wants gets the target; so does one that is only half way there.
    async fn mend_versions(&mut self, run: &Run) {
        for node in NodeId::BOTH {
            let found = self.stage.site.current().node(node).version.clone();
            let odd = found != run.plan.from.version && found.as_str() != TO;
            if odd && self.roles() == (Role::Standalone, Role::Standalone) {
                let target = Target { version: TO.parse().unwrap(), build: None };
                self.hand("version", ("update", node), |world| world.update(node, Some(target)));
                while self.is_updating() {
                    self.stage.pass(SignedDuration::from_mins(10)).await;
                }
            }
        }
    }

    fn mend_doors(&mut self, run: &Run) {
        for node in NodeId::BOTH {
            let closed = self.stage.site.current().node(node).closed;
            let at_door = matches!(run.phase, Phase::InDoubt { .. }) || run.is_at(Kind::Quiesce) || run.is_at(Kind::Reopen);
            match (run.nodes[node].closed_at.is_some(), closed) {
                (true, false) if !at_door => self.hand("mended", ("close", node), |world| world.close(node)),
                (false, true) if !at_door => self.hand("mended", ("open", node), |world| world.open(node)),
                _ => {}
            }
        }
    }

    fn mend_name(&mut self, run: &Run) {
        let leads = self.stage.site.current().leads_to();
        if leads != Some(run.survivor) && run.step().is_none_or(|step| step.kind != Kind::SwitchTraffic) {
            let to = run.survivor;
            self.hand("mended", ("name", to), |world| {
                world.set_leads_to(Some(to));
                Ok(())
            });
        }
    }

    fn check_rest(&self, run: &Run) {
        let at_rest = run.hold().is_some() || matches!(run.phase, Phase::InDoubt { .. });
        assert!(at_rest, "at rest, but {:?}\n{}", run.phase, self.case());
    }
}
