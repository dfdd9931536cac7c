//! What is told of notices, and of the end of the time without failover.

use super::hints::hint_of;
use super::saying::{Saying, Severity, say};
use crate::domain::event::Notice;
use crate::domain::run::Run;
use crate::domain::window::format_duration;

/// A notice that begins.
pub fn raised(run: &Run, notice: Notice, message: &str) -> Vec<Saying> {
    let severity = match notice {
        // It is in the journal, and nobody has to know it.
        Notice::SoakInUse => return Vec::new(),
        Notice::Exposure50 | Notice::SoakTooLong | Notice::SoakInconclusive => Severity::Warning,
        _ => Severity::Critical,
    };
    let saying = say(notice.alert(), severity, message, hint_of(notice.name(), run));
    vec![Saying { code: notice.name().to_owned(), ..saying }]
}

/// A notice that ends: only what somebody may be acting on.
pub fn over(notice: Notice, message: &str) -> Vec<Saying> {
    let others = [Notice::UnprotectedTooLong, Notice::NotServing, Notice::AccessRefused, Notice::SecondWindowLost];
    let told = others.contains(&notice) || notice.is_soak_condition();
    let saying =
        || Saying { code: notice.name().to_owned(), ..say(notice.alert(), Severity::Info, message, "nothing is left to do") };
    told.then(saying).into_iter().collect()
}

/// Failover is proven again, whatever record shows it: how long the pair was without it.
pub fn protected_again(before: &Run, run: &Run) -> Option<Saying> {
    before.off_since().filter(|_| run.off_since().or(run.unlinked_at).is_none())?;
    // Linked again by other hands it is proven by the step that found it so.
    let ended = run.protected_at.filter(|_| before.unprotected_since().is_some()).unwrap_or(run.last_at);
    let (lasted, share) = (before.unprotected_for(ended), before.unprotected_share(ended));
    let budget = format_duration(run.plan.policy.max_unprotected);
    let lasted = format_duration(jiff::SignedDuration::from_secs(lasted.as_secs()));
    let summary = format!("failover is on again; the pair was without it for {lasted}, {share} % of the budget of {budget}");
    let saying = say("exposure", Severity::Info, summary, "nothing is left to do");
    Some(Saying { code: "exposure_ended".to_owned(), ..saying })
}
