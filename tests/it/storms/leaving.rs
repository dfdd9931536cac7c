//! Those who leave the plan: the way home by `abort`, or the end by `close`, after which the pair is taken over by another run.

use changeover::domain::event::Outcome;
use changeover::domain::run::Phase;
use changeover::engine::api::{Fleet as _, Word};
use jiff::SignedDuration;

use super::night::Night;
use crate::abort;
use crate::adopt::request;
use crate::stage::SITE;

/// What somebody will say, and after which of the night's events.
#[derive(Clone, Copy, Debug)]
pub struct Leaving {
    after: u32,
    closes: bool,
}

/// One night in six. Drawn apart from all else, so that every other night is what it would be without this.
pub fn draw(seed: u64, events: u32) -> Option<Leaving> {
    let mut random = fastrand::Rng::with_seed(seed ^ 0x6c65_6176_696e_6721);
    (random.u8(..6) == 0).then(|| Leaving { after: random.u32(..events), closes: random.u8(..3) == 0 })
}

impl Night {
    /// The word, from its time on until it is taken.
    pub async fn leave(&mut self, number: u32) {
        let Some(leaving) = self.leaving.filter(|leaving| leaving.after <= number) else { return };
        if leaving.closes {
            let (state, note) = ("left to the vendor".to_owned(), "goes on tomorrow".to_owned());
            self.say(Word::Close { state, note }).await;
            return;
        }
        let Ok(found) = self.stage.fleet.ways(&self.id).await else { return };
        let Some(way) = found.found.ways.first() else { return };
        let leaves_behind = way.leaves_behind.is_some();
        if let Some(Ok(())) = self.say(abort::abort(None)).await {
            self.tell(format!("the way: {way:?}"));
            self.left_behind |= leaves_behind;
            self.leaving = None;
        }
    }

    pub fn is_closed(&self) -> bool {
        self.run().phase == Phase::Finished(Outcome::Closed)
    }

    /// The site is free: an hour later somebody diligent has the pair taken over, and it is brought to an end or to a person.
    pub async fn taken_over(&mut self) {
        self.tell("closed");
        self.clear_up();
        self.judge_closed();
        while self.is_updating() {
            self.stage.pass(SignedDuration::from_mins(10)).await;
        }
        self.stage.pass(SignedDuration::from_hours(1)).await;
        match self.stage.fleet.adopt(SITE, request(&self.stage), "olga").await {
            Ok(id) => {
                self.id = id;
                let rest = self.stage.to_rest(&self.id).await;
                self.tell(format!("taken over: {}", rest.end));
            }
            // A pair that hands have tied in knots is taken over by nobody; a well one by an ordinary run.
            Err(problem) => {
                let linked = self.stage.truth().linked;
                let excused = if problem.code == "nothing_to_adopt" { linked } else { !self.touched.is_empty() || linked };
                assert!(excused, "{problem:?}\n{}", self.case());
            }
        }
        self.judge_closed();
    }

    /// The journal folds again, and nothing was broken or lost.
    fn judge_closed(&self) {
        let mut wrong = self.judge_journal(&self.stage.records(&self.id), &self.run());
        let truth = self.truth();
        wrong.extend(truth.broken_promises.iter().map(|broken| format!("{broken:?}")));
        if !self.was_touched("link") && !self.was_touched("mended") {
            let lost = truth.sessions.gone;
            wrong.extend((lost > 0).then(|| format!("{lost} sessions are gone")));
        }
        assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), self.case());
    }
}
