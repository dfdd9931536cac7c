//! What goes wrong by itself, and what somebody does out of the blue.

use changeover::domain::event::Verdict;
use changeover::domain::ids::NodeId;
use changeover::domain::version::Target;
use changeover::engine::api::Word;
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::world::SwapRole;
use std::sync::atomic::Ordering;

use super::night::Night;
use super::setting::{pick, span};
use crate::memory::Death;

const STATES: [Fault; 3] = [Fault::NodeSilent, Fault::Unhealthy, Fault::WrongBox];
const ACTS: [Fault; 5] = [Fault::Refused, Fault::NeverReached, Fault::AnswerLost, Fault::Slow, Fault::CachedOld];
const SYNCS: [Fault; 6] =
    [Fault::SyncFails, Fault::SyncStale, Fault::SyncEarly, Fault::SyncOddStatus, Fault::SyncStuck, Fault::SyncWrongSide];
const FILES: [Fault; 3] = [Fault::BackupErrorText, Fault::BackupEmpty, Fault::ExtractError];
const BOXES: [Fault; 6] = [
    Fault::BreakHalf,
    Fault::EstablishHalf,
    Fault::EstablishReversed,
    Fault::UpdateSlow,
    Fault::UpdateFails,
    Fault::UpdateWrongVersion,
];

impl Night {
    /// One thing that happens to the night.
    pub async fn trouble(&mut self) {
        match self.random.u8(..if self.character.rough { 28 } else { 22 }) {
            0..2 => {
                self.tell("the daemon dies");
                self.revive().await;
            }
            2..5 => self.mark_a_record(),
            5..9 => self.state().await,
            9..13 => self.act_fault(),
            13..15 => self.plan(&SYNCS, false),
            15 => self.plan(&FILES, false),
            16..18 => self.plan(&BOXES, true),
            18..21 => self.word_out_of_the_blue().await,
            21 => self.line_or_disk().await,
            _ => self.console(),
        }
    }

    fn node(&mut self) -> NodeId {
        if self.random.bool() { NodeId::A } else { NodeId::B }
    }

    /// The daemon will die at one of the next records.
    fn mark_a_record(&mut self) {
        let at = self.run().seq + self.random.u64(1..12);
        let death = if self.random.bool() { Death::Before(at) } else { Death::After(at) };
        self.tell(format!("the daemon will die: {death:?}"));
        self.stage.journal.die(death);
    }

    /// A node is silent, unwell or another one for a while.
    async fn state(&mut self) {
        let (fault, node) = (pick(&mut self.random, &STATES), self.node());
        let lasts = span(&mut self.random, 3.0, 5400.0);
        self.tell(format!("{fault} on {node} for {lasts:#}"));
        self.shake();
        self.stage.fault(Planned::for_ever(fault).on(node));
        let until = self.now() + lasts;
        self.live(until, |_| false).await;
        self.stage.fault(Planned { times: Some(0), ..Planned::for_ever(fault).on(node) });
        self.tell(format!("{fault} on {node} is over"));
    }

    /// What was ordered in that moment could not know of it.
    fn shake(&mut self) {
        let now = self.now();
        self.stage.trouble_at.lock().unwrap().push(now);
    }

    fn act_fault(&mut self) {
        let (fault, node, times) = (pick(&mut self.random, &ACTS), self.node(), self.random.u32(1..4));
        self.tell(format!("{fault} on {node}, {times} times"));
        self.stage.fault(Planned { times: Some(times), ..Planned::for_ever(fault).on(node) });
    }

    fn plan(&mut self, faults: &[Fault], once: bool) {
        let fault = pick(&mut self.random, faults);
        let times = if once { 1 } else { self.random.u32(1..4) };
        self.tell(format!("{fault}, {times} times"));
        self.stage.fault(Planned { times: Some(times), ..Planned::for_ever(fault) });
    }

    /// The zone's servers are not reached, or the disk is full, for a while.
    async fn line_or_disk(&mut self) {
        let (deaf, low) = (self.stage.deaf.clone(), self.stage.journal.clone());
        let disk = self.random.bool();
        let lasts = span(&mut self.random, 3.0, 5400.0);
        self.tell(format!("{} for {lasts:#}", if disk { "only the reserve is left" } else { "no zone server answers" }));
        self.shake();
        if disk {
            low.low.store(true, Ordering::SeqCst)
        } else {
            deaf.store(true, Ordering::SeqCst)
        }
        let until = self.now() + lasts;
        self.live(until, |_| false).await;
        if disk { low.low.store(false, Ordering::SeqCst) } else { deaf.store(false, Ordering::SeqCst) }
    }

    async fn word_out_of_the_blue(&mut self) {
        let verdict = pick(&mut self.random, &[Verdict::Accept, Verdict::AcceptEarly, Verdict::Reject]);
        let gate = pick(&mut self.random, &[None, Some("production"), Some("automatic_failover_off"), Some("sync_status")]);
        let word = match self.random.u8(..10) {
            0..4 => Word::Hold,
            4..6 => Word::Resume { window: None },
            6 => Word::Resume { window: Some(self.some_window()) },
            7 => Word::SwitchBack { note: "the new version is slow".to_owned() },
            _ => Word::Confirm { gate: gate.map(str::to_owned), verdict, note: None, evidence: None },
        };
        self.say(word).await;
    }

    /// A window of some kind: short, soon, or days away.
    pub fn some_window(&mut self) -> String {
        let from = self.now() + jiff::SignedDuration::from_mins(pick(&mut self.random, &[0, 0, 0, 0, 0, 0, 30, 1440]));
        format!("{from} +{}m", pick(&mut self.random, &[5, 70, 150, 300]))
    }

    /// Somebody at the vendor's console, for whatever reason.
    fn console(&mut self) {
        let node = self.node();
        let version = pick(&mut self.random, &["24.2.1", "24.2.1", "24.2.2"]);
        let target = Target { version: version.parse().unwrap(), build: None };
        match self.random.u8(..10) {
            0..2 => self.hand("link", ("break", node), |world| world.break_failover(node)),
            2..4 => self.hand("link", ("establish", node), |world| world.establish_failover(node)),
            4 => self.hand("version", ("update", node), |world| world.update(node, Some(target))),
            5 => self.hand("link", ("set-failover-role", node), |world| world.swap_roles(node, SwapRole::Primary, true)),
            6 => self.hand("doors", ("close", node), |world| world.close(node)),
            7 => self.hand("doors", ("open", node), |world| world.open(node)),
            8 => self.hand("sync", ("sync-now", node), |world| world.sync_now(node)),
            _ => self.hand("name", ("name", node), |world| {
                world.set_leads_to(Some(node));
                Ok(())
            }),
        }
    }
}
