//! What runs have in common, kept once. Runs of one procedure have the same steps and mostly the same estimates, and most checks find
//! the same at every site.

use std::collections::HashSet;
use std::sync::Arc;

use super::check::Finding;
use super::plan::{Fit, Package, Plan};
use super::run::{Checked, Run};
use super::site::Policy;
use super::step::Step;

/// What the runs so far have.
#[derive(Default)]
pub struct Alike {
    policies: Vec<Arc<Policy>>,
    steps: Vec<Arc<Vec<Step>>>,
    fits: Vec<Arc<Fit>>,
    packages: Vec<Arc<Package>>,
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
        share(&mut self.packages, &mut plan.package);
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::check::Outcome;

    fn checked(names: &[&str], before: Option<&Checked>) -> Checked {
        let finding =
            |name: &&str| Finding { name: (*name).to_owned(), node: None, result: Outcome::Pass, basis: "so".to_owned() };
        Checked::new(Timestamp::UNIX_EPOCH, &names.iter().map(finding).collect::<Vec<_>>(), before)
    }

    #[test]
    fn findings_that_are_the_same_are_kept_once_and_others_stay_their_run_s_own() {
        let (mut alike, mut first, mut second) =
            (Alike::default(), checked(&["roles", "health"], None), checked(&["health", "clock_skew"], None));
        let plain = second.clone();
        alike.share_findings(&mut first);
        alike.share_findings(&mut second);
        assert!(Arc::ptr_eq(&first.results[1], &second.results[0]));
        assert_eq!(second, plain);
        let later = checked(&["clock_skew", "health", "roles"], Some(&second));
        assert!(Arc::ptr_eq(&later.results[0], &second.results[1]) && later.results[2].name == "roles");
    }
}
