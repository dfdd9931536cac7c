//! The stories that the demo can tell: what goes wrong, when, and how it must end. One table; `docs/reference/demo.md` is
//! made from it, and the demo's exit code is its judgement.

use std::fmt::Write as _;

use crate::simulator::faults::Fault;

/// One story.
#[derive(Debug)]
pub struct Tale {
    /// What `--fault` calls it.
    pub name: &'static str,
    /// What happens, for people.
    pub what: &'static str,
    pub moment: Moment,
    pub twist: Twist,
    /// What the scripted person does beside the usual.
    pub manner: Manner,
    pub ending: Ending,
    /// The only procedure that can tell it.
    pub only: Option<&'static str>,
}

/// When the twist comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Planned before anything begins; the simulator lets it strike when its act comes.
    Start,
    /// As soon as the run has come to a step of this action.
    Step(&'static str),
    /// While a box installs its update.
    Updating,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twist {
    Nothing,
    /// The simulator's fault, on any node, this often or for ever.
    Fault(Fault, Option<u32>),
    /// The node that is not to survive shows this state for so many hours, or for ever.
    OnTheOther(Fault, Option<i64>),
    /// SIGKILL to the daemon, then a new one.
    Kill,
}

/// What the scripted person does beside following instructions and saying yes at gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Usual,
    /// Says no at the gate `production`.
    Rejects,
    /// Orders traffic back some hours into the soak.
    SwitchesBack,
    /// Orders the way home when the run has come to this step.
    AbortsAt(&'static str),
    /// Looks at a box whose update has failed, and lets the run try again.
    ResumesUpdate,
    /// Accepts the sync status text that the run does not know.
    AcceptsStatus,
}

/// The link between the nodes at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    On,
    Off,
    /// One node reports a relationship, the other none.
    Half,
    /// On, but the wrong way round.
    Reversed,
}

impl Failover {
    pub fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Half => "half broken",
            Self::Reversed => "the wrong way round",
        }
    }
}

/// How a story must end. In every story no session is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// `succeeded` or `held`.
    pub outcome: &'static str,
    /// Why it is held.
    pub code: Option<&'static str>,
    pub failover: Failover,
    /// How often a new daemon took the run over.
    pub resumed: u32,
    /// Alerts that must have arrived, beside others.
    pub alerts: &'static [&'static str],
}

const fn succeeds(alerts: &'static [&'static str]) -> Ending {
    Ending { outcome: "succeeded", code: None, failover: Failover::On, resumed: 0, alerts }
}

const fn held(code: &'static str, failover: Failover, alerts: &'static [&'static str]) -> Ending {
    Ending { outcome: "held", code: Some(code), failover, resumed: 0, alerts }
}

const fn aborted(alerts: &'static [&'static str]) -> Ending {
    Ending { outcome: "aborted", code: None, failover: Failover::On, resumed: 0, alerts }
}

const fn tale(name: &'static str, what: &'static str, moment: Moment, twist: Twist, ending: Ending) -> Tale {
    Tale { name, what, moment, twist, manner: Manner::Usual, ending, only: None }
}

/// Told without `--fault`.
pub const SMOOTH: Tale =
    tale("", "nothing goes wrong", Moment::Start, Twist::Nothing, succeeds(&["by_operator", "gate_waiting", "finished"]));

/// What `--fault` takes.
pub static TALES: &[Tale] = &[
    tale(
        "sync-fails",
        "every sync ends with an error text, so failover is never broken",
        Moment::Start,
        Twist::Fault(Fault::SyncFails, None),
        // The vendor's words for a failed sync are not documented, so its text is one that nobody knows.
        held("sync_status_unknown", Failover::On, &["sync_failed", "held"]),
    ),
    tale(
        "sync-stuck",
        "the forced sync begins and never ends, so failover is never broken",
        Moment::Start,
        Twist::Fault(Fault::SyncStuck, None),
        held("sync_failed", Failover::On, &["sync_failed", "held"]),
    ),
    Tale {
        manner: Manner::AcceptsStatus,
        ..tale(
            "sync-odd-status",
            "the sync reports a status text that nobody knows; the run is held until a person accepts this exact text",
            Moment::Start,
            // For ever: a good automatic sync right behind it hid a single one in some runs.
            Twist::Fault(Fault::SyncOddStatus, None),
            succeeds(&["sync_failed", "held", "finished"]),
        )
    },
    tale(
        "break-half",
        "the break reaches one node only; nothing disruptive begins",
        Moment::Start,
        Twist::Fault(Fault::BreakHalf, Some(1)),
        held("half_broken", Failover::Half, &["step_failed", "held"]),
    ),
    tale(
        "update-slow",
        "an update takes five times as long as usual; slow is not failed, so nobody restarts the box",
        Moment::Start,
        Twist::Fault(Fault::UpdateSlow, Some(1)),
        succeeds(&["in_doubt", "finished"]),
    ),
    Tale {
        manner: Manner::ResumesUpdate,
        ..tale(
            "update-fails",
            "the box comes back on its old version, which holds the run; an update is never repeated without a person, who lets it go on",
            Moment::Start,
            Twist::Fault(Fault::UpdateFails, Some(1)),
            succeeds(&["step_failed", "held", "finished"]),
        )
    },
    tale(
        "update-wrong-version",
        "the box comes back on a version that nobody asked for",
        Moment::Start,
        Twist::Fault(Fault::UpdateWrongVersion, Some(1)),
        held("wrong_version", Failover::Off, &["step_failed", "held"]),
    ),
    Tale {
        ending: Ending { resumed: 1, ..succeeds(&["finished"]) },
        ..tale(
            "kill",
            "the daemon gets a SIGKILL while a box installs its update; a new one takes the run over where it stood",
            Moment::Updating,
            Twist::Kill,
            SMOOTH.ending,
        )
    },
    Tale {
        manner: Manner::Rejects,
        ..tale(
            "reject",
            "the person says no at the gate `production`",
            Moment::Start,
            Twist::Nothing,
            held("rejected", Failover::Off, &["gate_waiting", "held"]),
        )
    },
    Tale {
        manner: Manner::SwitchesBack,
        only: Some("role-swap"),
        ..tale(
            "switch-back",
            "a person orders traffic back to the node it was taken from, hours into the soak",
            Moment::Start,
            Twist::Nothing,
            held("switched_back", Failover::Off, &["traffic_switched", "held"]),
        )
    },
    Tale {
        manner: Manner::AbortsAt("window-1.update.b"),
        only: Some("role-swap"),
        ..tale(
            "abort-early",
            "failover is broken and nothing updated yet when the vendor calls the package back; the way leads home",
            Moment::Start,
            Twist::Nothing,
            aborted(&["by_operator", "finished"]),
        )
    },
    Tale {
        manner: Manner::AbortsAt("window-1.drain.a"),
        only: Some("role-swap"),
        ..tale(
            "abort",
            "node b is updated already when the vendor calls the package back; the way leads to harbour, node a goes on serving",
            Moment::Start,
            Twist::Nothing,
            held("harbour", Failover::Off, &["by_operator", "held"]),
        )
    },
    tale(
        "node-silent",
        "during the soak the node that does not serve answers nobody for six hours",
        Moment::Step("soak"),
        Twist::OnTheOther(Fault::NodeSilent, Some(6)),
        succeeds(&["node_unreachable", "finished"]),
    ),
    tale(
        "wrong-box",
        "during the soak another box answers at the address of the node that does not serve",
        Moment::Step("soak"),
        Twist::OnTheOther(Fault::WrongBox, None),
        held("wrong_box", Failover::Off, &["held"]),
    ),
    tale(
        "establish-reversed",
        "failover comes up the wrong way round: the next sync would overwrite the node whose data are to be kept",
        Moment::Start,
        Twist::Fault(Fault::EstablishReversed, Some(1)),
        held("role_conflict", Failover::Reversed, &["role_conflict", "held"]),
    ),
];

/// The story that a `--fault` names.
pub fn find(name: Option<&str>) -> Option<&'static Tale> {
    match name {
        None => Some(&SMOOTH),
        Some(name) => TALES.iter().find(|tale| tale.name == name),
    }
}

pub fn names() -> Vec<&'static str> {
    TALES.iter().map(|tale| tale.name).collect()
}

/// The table of `docs/reference/demo.md`, in Markdown.
pub fn reference() -> String {
    let mut text =
        "| `--fault` | what happens | how it ends | failover at the end | alerts, beside others |\n| --- | --- | --- | --- | --- |\n"
            .to_owned();
    for tale in std::iter::once(&SMOOTH).chain(TALES) {
        let name = if tale.name.is_empty() { "none".to_owned() } else { format!("`{}`", tale.name) };
        let only = tale.only.map(|procedure| format!(" (only `{procedure}`)")).unwrap_or_default();
        let alerts: Vec<String> = tale.ending.alerts.iter().map(|alert| format!("`{alert}`")).collect();
        let (ends, failover) = (tale.ending.in_words(), tale.ending.failover.name());
        // Writing into a string cannot fail.
        let _ = writeln!(text, "| {name} | {}{only} | {ends} | {failover} | {} |", tale.what, alerts.join(", "));
    }
    text
}

impl Ending {
    fn in_words(&self) -> String {
        let code = self.code.map(|code| format!(", `{code}`")).unwrap_or_default();
        let resumed = if self.resumed > 0 { format!(", `resumed` {}", self.resumed) } else { String::new() };
        format!("`{}`{code}{resumed}", self.outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::action::Kind;
    use crate::domain::alert;

    #[test]
    fn every_name_is_found_once_and_every_word_is_known() {
        for tale in TALES {
            assert_eq!(TALES.iter().filter(|other| other.name == tale.name).count(), 1, "{}", tale.name);
            assert!(std::ptr::eq(find(Some(tale.name)).unwrap(), tale));
            assert!(tale.ending.alerts.iter().all(|name| alert::NAMES.contains(name)), "{}", tale.name);
            assert_eq!(tale.ending.code.is_some(), tale.ending.outcome == "held", "{}", tale.name);
            if let Moment::Step(action) = tale.moment {
                assert!(action.parse::<Kind>().is_ok(), "{action}");
            }
        }
        assert!(find(Some("sync-sulks")).is_none());
    }

    #[test]
    fn a_fault_of_the_simulator_keeps_its_name() {
        for tale in TALES {
            if let Twist::Fault(fault, _) | Twist::OnTheOther(fault, _) = tale.twist {
                assert_eq!(fault.name(), tale.name);
            }
        }
    }
}
