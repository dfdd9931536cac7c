//! Proves a procedure before it ever runs: its steps are carried out over the abstract pair, with every outcome that each can
//! have, by the rules that are asked again before every act at run time.
//!
//! ```text
//!   start ── step 1 ── step 2 ── … ── step n ── home        every step may begin, by rules and needs, or it is refused
//!              ├ refused     ├ refused                      nothing changed
//!              ├ half-way    ├ half-way                     what is then so, one state for each way to fail
//!              └ …           └ …                            from each of these a safe end can be reached, or it is refused
//! ```
//!
//! A run stops at whatever is not *done*, so that each such state is an end of its own: a person resumes there (which leads to
//! *done* or to the same state again), or takes the way home, which [`way_home`] must find. Two orders of nodes and three pairs
//! of versions are gone through, because what a rule says may not depend on them.
//!
//! Not held against a procedure, because each must risk it: a node that falls silent while it alone serves and nothing is asked
//! of it, both nodes silent, and data that a link which came back reversed has overwritten already.

mod needs;
pub mod outcomes;

use super::action::{Kind, When};
use super::facts::{Facts, Link};
use super::gate::Gate;
use super::ids::NodeId;
use super::procedure::{BUILT_IN, Procedure, ProcedureError};
use super::rule::Rule;
use super::rules::{self, Cure};
use super::step::Step;
use super::version::Version;
use super::way_home;
pub use outcomes::End;
use outcomes::Outcome;

/// What was gone through, and what stands against the procedure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proven {
    /// States of the pair that were met, none counted twice for one order of nodes and one pair of versions.
    pub states: usize,
    /// How often each kind of outcome was gone through, in the order of [`End::ALL`].
    pub outcomes: [usize; End::ALL.len()],
    /// In the order of the document; empty if the procedure is proved.
    pub refusals: Vec<Refusal>,
}

/// Why a procedure is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The line of the step in the document.
    pub line: usize,
    /// The promise; `None` where the step can't succeed, whatever is promised.
    pub rule: Option<Rule>,
    /// The step's id.
    pub step: String,
    pub message: String,
    /// The way from the start to there.
    pub path: Vec<Passed>,
}

impl std::fmt::Display for Refusal {
    /// The rule, where there is one, and the message; neither file, line nor path.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.rule {
            Some(rule) => write!(f, "rule {rule}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// One step on the way to a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    pub step: String,
    pub end: End,
    /// What the outcome is, for all that are not *done*.
    pub found: &'static str,
}

/// Above 10.6, across it and below it (BG-50, BG-51): but for what depends on that, the rules compare versions only with each other,
/// and this shows it.
const VERSIONS: [(&str, &str); 3] = [("24.1.1", "24.2.1"), ("10.5.2", "10.6.1"), ("10.4.1", "10.5.2")];

impl Procedure {
    /// Reads and proves a document. `origin` names it in errors.
    ///
    /// # Errors
    /// As [`Procedure::read`], or whatever [`prove`] has against it: the first of the refusals, with its line.
    pub fn load(origin: &str, text: &str) -> Result<Self, ProcedureError> {
        let procedure = Self::read(origin, text)?;
        match prove(&procedure).refusals.into_iter().next() {
            None => Ok(procedure),
            Some(refusal) => {
                let (line, rule) = (refusal.line, refusal.rule);
                Err(ProcedureError { origin: origin.to_owned(), line, message: refusal.to_string(), rule })
            }
        }
    }

    /// A built-in procedure.
    pub fn built_in(name: &str) -> Option<Self> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        // The tests of `procedure` load every built-in document.
        Self::load(&format!("built-in {name}"), text).ok()
    }
}

/// Runs a procedure over the abstract pair. Every problem is told, not only the first: what follows from an earlier one too, where
/// it breaks another promise or the same one for another reason.
pub fn prove(procedure: &Procedure) -> Proven {
    let mut proven = Proven::default();
    for primary in NodeId::BOTH {
        for (start, target) in VERSIONS {
            let facts = Facts::ideal(primary, version(start), version(target));
            // A document that does not speak of older releases is not made for them: a plan from one is judged when it is made.
            let may_lose_ended = facts.may_lose_ended && procedure.steps.iter().any(|step| step.only.is_some());
            through(procedure, primary, Facts { may_lose_ended, ..facts }, &mut proven);
        }
    }
    proven.refusals.sort_by_key(|refusal| refusal.line);
    proven
}

/// What stands against a procedure for an update between just these versions.
pub fn of_update(procedure: &Procedure, primary: NodeId, from: &Version, to: &Version) -> Vec<Refusal> {
    let mut proven = Proven::default();
    through(procedure, primary, Facts::ideal(primary, from.clone(), to.clone()), &mut proven);
    proven.refusals
}

fn through(procedure: &Procedure, primary: NodeId, facts: Facts, proven: &mut Proven) {
    let procedure = procedure.of_update(&facts.start, &facts.target);
    let (path, met, told) = (Vec::new(), Vec::new(), Vec::new());
    let mut walk = Walk { procedure: &procedure, proven, path, met, told, lawful: true };
    walk.go(&procedure.resolve_chain(primary, 1), facts);
    walk.proven.states += walk.met.len();
}

fn version(text: &str) -> Version {
    // Only called with the texts above, and those are versions.
    text.parse().unwrap_or_else(|_| unreachable!("{text} is a version"))
}

/// One way through the procedure, with what was met on it.
struct Walk<'p> {
    procedure: &'p Procedure,
    proven: &'p mut Proven,
    path: Vec<Passed>,
    met: Vec<Facts>,
    /// What was told already: one missing confirmation stands against every later step, and is told once.
    told: Vec<(Rule, String)>,
    /// No step on the way broke a promise: from then on states are such as no run can reach, and need no end.
    lawful: bool,
}

impl Walk<'_> {
    fn go(&mut self, steps: &[Step], mut facts: Facts) {
        let mut when = When::Prepare;
        for (index, step) in steps.iter().enumerate() {
            if step.when != when {
                when = step.when;
                facts = facts.entering(when);
            }
            self.may_begin(index, step, &facts);
            if self.lawful {
                self.lapses(index, steps, &facts);
                self.fails(index, step, &facts);
            }
            self.pass(step, End::Done, "");
            facts = facts.after(step);
        }
        self.met(&facts);
        let linked = matches!(facts.link, Link::Linked { .. });
        if let Some((found, last)) = needs::not_home(&facts).zip(steps.last()).filter(|_| self.lawful || !linked) {
            self.refuse(steps.len() - 1, last, None, format!("the procedure ends {found}"));
        }
    }

    /// Every rule and need that stands against the step on the way on which all before it succeeded.
    fn may_begin(&mut self, index: usize, step: &Step, facts: &Facts) {
        let broken = rules::violations(step, facts).into_iter().map(|v| (Some(v.rule), v.expected, v.found));
        let lacking = needs::of(step, facts).into_iter().map(|need| (need.rule, need.expected, need.found));
        let mut all: Vec<_> = broken.chain(lacking).collect();
        all.dedup_by_key(|(rule, ..)| *rule);
        for (rule, expected, found) in all {
            let why = format!("expected {expected}, found {found}");
            match rule {
                Some(rule) if !self.is_told(rule, &why) => {
                    self.refuse(index, step, Some(rule), format!("step `{}`: {why}", step.id));
                }
                // What can't succeed after a broken promise may well succeed once that is mended.
                None if self.lawful => self.refuse(index, step, None, format!("step `{}` can't be done: {why}", step.id)),
                _ => {}
            }
            self.lawful &= rule.is_none();
        }
    }

    fn is_told(&mut self, rule: Rule, why: &str) -> bool {
        let told = self.told.iter().any(|(known, reason)| *known == rule && reason == why);
        self.told.push((rule, why.to_owned()));
        told
    }

    /// Evidence lapses while a run waits: the earlier step that proved it must be possible here once more.
    fn lapses(&mut self, index: usize, steps: &[Step], facts: &Facts) {
        let lapsed = outcomes::lapsed(facts);
        for violation in rules::violations(&steps[index], &lapsed) {
            self.count(End::Lapsed);
            let Cure::Renew(kind, node) = violation.cure else { continue };
            let again = earlier(&steps[..index], &steps[index], kind, node).map(|step| rules::violations(step, &lapsed));
            // What lapsed together is renewed one after the other.
            let curable = |violation: &rules::Violation| matches!(violation.cure, Cure::Renew(..));
            if !again.is_some_and(|violations| violations.iter().all(curable)) {
                let message = format!("step `{}`: if its evidence lapses, nothing can prove it again", steps[index].id);
                self.refuse(index, &steps[index], Some(violation.rule), message);
            }
        }
    }

    /// Every outcome but *done*: the run rests there, and a safe end must be within reach.
    fn fails(&mut self, index: usize, step: &Step, facts: &Facts) {
        self.count(End::Done);
        for Outcome { end, found, facts } in outcomes::of(step, facts) {
            self.count(end);
            if self.met(&facts) && way_home::nearest(&facts).is_none() {
                self.pass(step, end, found);
                self.stranded(index, step, &facts);
                self.path.pop();
            }
        }
    }

    fn stranded(&mut self, index: usize, step: &Step, facts: &Facts) {
        let against = way_home::find(facts, step.when).not_home.into_iter().next();
        let why = against.as_ref().map_or_else(String::new, |v| format!(": expected {}, found {}", v.expected, v.found));
        let rule = against.map(|violation| violation.rule);
        self.refuse(index, step, rule, format!("from step `{}` no safe end can be reached{why}", step.id));
    }

    /// True if the state is met for the first time on this walk.
    fn met(&mut self, facts: &Facts) -> bool {
        let new = !self.met.contains(facts);
        if new {
            self.met.push(facts.clone());
        }
        new
    }

    fn count(&mut self, end: End) {
        self.proven.outcomes[end as usize] += 1;
    }

    fn pass(&mut self, step: &Step, end: End, found: &'static str) {
        self.path.push(Passed { step: step.id.clone(), end, found });
    }

    /// Told once, whatever the order of nodes and the versions.
    fn refuse(&mut self, index: usize, step: &Step, rule: Option<Rule>, message: String) {
        let line = self.procedure.steps.get(index).map_or(1, |template| template.line);
        let end = self.path.last().map(|passed| (passed.end, passed.found));
        let known = |refusal: &Refusal| {
            let last = refusal.path.last().map(|passed| (passed.end, passed.found));
            (refusal.line, refusal.rule, last) == (line, rule, end)
        };
        if !self.proven.refusals.iter().any(known) {
            let path = self.path.clone();
            self.proven.refusals.push(Refusal { line, rule, step: step.id.clone(), message, path });
        }
    }
}

/// The step that a run would go back to, to have this proven again; a word on automatic failover counts for its own part only.
fn earlier<'s>(before: &'s [Step], step: &Step, kind: Kind, node: Option<NodeId>) -> Option<&'s Step> {
    let gate = (kind == Kind::Confirm).then_some(Gate::AutomaticFailoverOff);
    let part = |known: &Step| gate.is_none() || known.gate == gate && known.when == step.when;
    before.iter().rev().find(|known| known.kind == kind && part(known) && (node.is_none() || known.node == node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::facts::Known;

    fn of_file(text: &str) -> Procedure {
        Procedure::read("x", &format!("name = \"x\"\ntitle = \"X\"\n{text}")).unwrap()
    }

    fn walk<'p>(procedure: &'p Procedure, proven: &'p mut Proven) -> Walk<'p> {
        Walk { procedure, proven, path: Vec::new(), met: Vec::new(), told: Vec::new(), lawful: true }
    }

    const VERIFY: &str = "[[steps]]\nwhen = \"window-1\"\naction = \"verify\"\nnode = \"standby\"\n";

    /// No document was found whose order alone leads there, since the rules refuse an earlier step of each: so from facts.
    #[test]
    fn a_state_without_a_safe_end_is_refused_with_its_path() {
        let (procedure, mut proven) = (of_file(VERIFY), Proven::default());
        let mut facts = Facts::ideal(NodeId::A, version("1"), version("2")).after(&Step {
            id: String::new(),
            when: When::Window1,
            kind: Kind::BreakFailover,
            node: Some(NodeId::A),
            gate: None,
            hop: 0,
        });
        facts.nodes.a.known = Known::Unread("no answer".to_owned());
        let step = &procedure.resolve(NodeId::A)[0];
        walk(&procedure, &mut proven).fails(0, step, &facts);
        let ends: Vec<_> = proven.refusals.iter().map(|refusal| (refusal.line, refusal.rule, refusal.path[0].end)).collect();
        assert!(ends.contains(&(3, Some(Rule::R7), End::Failed)), "{:#?}", proven.refusals);
        assert!(proven.refusals[0].message.contains("no safe end"), "{:#?}", proven.refusals);
    }

    #[test]
    fn evidence_that_nothing_can_renew_is_refused() {
        let (procedure, mut proven) =
            (of_file("[[steps]]\nwhen = \"window-1\"\naction = \"break_failover\"\n"), Proven::default());
        let facts = Facts { autopilot_off: true, fresh_sync: true, ..Facts::ideal(NodeId::A, version("1"), version("2")) };
        walk(&procedure, &mut proven).lapses(0, &procedure.resolve(NodeId::A), &facts);
        let rules: Vec<_> = proven.refusals.iter().map(|refusal| refusal.rule).collect();
        assert_eq!(rules, [Some(Rule::R17), Some(Rule::R1)], "{:#?}", proven.refusals);
    }
}
