//! What runs have in common, kept once. Runs of one procedure have the same steps and mostly the same estimates, and most checks find
//! the same at every site.

use std::collections::HashSet;
use std::sync::Arc;

use super::check::Finding;
use super::plan::{Fit, Plan};
use super::run::{Checked, Run};
use super::site::Policy;
use super::step::Step;

/// What the runs so far have.
#[derive(Default)]
pub struct Alike {
    policies: Vec<Arc<Policy>>,
    steps: Vec<Arc<Vec<Step>>>,
    fits: Vec<Arc<Fit>>,
    findings: HashSet<Arc<Finding>>,
}

impl Alike {
    /// Gives up what the run has for itself where another one has the same.
    pub fn share(&mut self, run: &mut Run) {
        self.share_plan(Arc::make_mut(&mut run.plan));
        if let Some(checked) = &mut run.checked {
            self.share_findings(checked);
        }
    }

    fn share_plan(&mut self, plan: &mut Plan) {
        share(&mut self.policies, &mut plan.policy);
        share(&mut self.steps, &mut plan.steps);
        share(&mut self.fits, &mut plan.fit);
    }

    fn share_findings(&mut self, checked: &mut Checked) {
        for own in &mut checked.results {
            match self.findings.get(own) {
                Some(known) => own.clone_from(known),
                None => drop(self.findings.insert(own.clone())),
            }
        }
    }
}

/// With so many a value is compared; where more differ there is little in common.
const COMPARED: usize = 100;

fn share<T: PartialEq>(known: &mut Vec<Arc<T>>, own: &mut Arc<T>) {
    match known.iter().find(|known| *known == own) {
        Some(known) => own.clone_from(known),
        None if known.len() < COMPARED => known.push(own.clone()),
        None => {}
    }
}
