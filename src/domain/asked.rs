//! What a gate asks, and who may answer it. What was answered is in [`super::run::Asked`].

use super::gate::{Gate, GatePolicy};
use super::people::{NotAllowed, People};
use super::run::Run;

/// What a person is asked at a gate of this run. After a switch `production` reminds of the node that was left: it idles for days, and
/// not every node tells what runs there by itself.
pub fn question(run: &Run, gate: Gate) -> String {
    let left = run.plan.primary;
    let switched = gate == Gate::Production && run.survivor != left && run.broken_at.is_some();
    let idle = format!(
        " And are password rotation, scheduled exports and outbound events off on node `{left}`, which has served before?"
    );
    format!("{}{}", gate.question(), if switched { &idle } else { "" })
}

/// Why a person may not answer a gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Barred {
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    #[error("user `{0}` started the run, and the gate's policy asks for somebody else")]
    Starter(String),
    #[error("user `{0}` would be the starter of the run, and the gate's policy asks for somebody else")]
    WouldStart(String),
    #[error("the gate's policy asks for {0} persons, and this is the word of one")]
    Persons(u32),
}

/// Whether a person may answer this gate now: by role, as a deputy once it was escalated, and not as the starter where the policy
/// says so.
///
/// # Errors
/// What stands against it.
pub fn may_answer(run: &Run, gate: Gate, people: &People, user: &str) -> Result<(), Barred> {
    let policy = run.plan.policy.gate(gate);
    people.may(user, &asked_of(run, gate, &policy))?;
    if policy.not_starter && run.started_by == user {
        return Err(Barred::Starter(user.to_owned()));
    }
    Ok(())
}

/// Whether a person who is about to start a run may say beforehand what this gate would ask: the word of one, and of the starter.
///
/// # Errors
/// What stands against it.
pub fn may_vouch(policy: &GatePolicy, people: &People, user: &str) -> Result<(), Barred> {
    people.may(user, &policy.roles)?;
    if policy.not_starter {
        return Err(Barred::WouldStart(user.to_owned()));
    }
    if policy.persons > 1 {
        return Err(Barred::Persons(policy.persons));
    }
    Ok(())
}

/// The roles that may answer now; empty: everybody who may speak.
pub fn asked_of(run: &Run, gate: Gate, policy: &GatePolicy) -> Vec<String> {
    let escalated = run.asked.as_ref().is_some_and(|asked| asked.gate == gate && asked.escalated_at.is_some());
    let mut roles = policy.roles.clone();
    if escalated && !roles.is_empty() {
        roles.extend(policy.deputies.iter().filter(|role| !policy.roles.contains(role)).cloned());
    }
    roles
}
