//! Hands that go astray at the two acts that change the link: half done, too early, on the wrong box, after the instruction was
//! withdrawn. Each of the eight, in both procedures, with somebody who mends it as soon as it is named: the run comes to its
//! end, and by the simulator's truth the pair is home with nothing lost.

use changeover::domain::ids::NodeId;
use changeover::domain::run::Run;
use changeover::domain::site::Role;
use changeover::engine::api::Word;
use changeover::simulator::faults::{Fault, Planned};
use jiff::SignedDuration;

use crate::stage::{Setting, Stage};

const A: NodeId = NodeId::A;
const B: NodeId = NodeId::B;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Break,
    Establish,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Astray {
    Half,
    TooEarly,
    WrongBox,
    Withdrawn,
}

/// One of the eight in one procedure.
struct Case {
    procedure: &'static str,
    act: Act,
    astray: Astray,
    /// The holds that follow, in order.
    holds: &'static [&'static str],
    /// What the alert of the first of them says.
    says: &'static str,
    /// What a person then does at the boxes, at the last hold.
    mend: &'static [(&'static str, NodeId)],
}

const CASES: [Case; 16] = [
    Case {
        procedure: "role-swap",
        act: Act::Break,
        astray: Astray::Half,
        holds: &["half_broken"],
        says: "node `a` standalone, node `b` standby",
        mend: &[("break", B)],
    },
    Case {
        procedure: "in-place",
        act: Act::Break,
        astray: Astray::Half,
        holds: &["half_broken"],
        says: "node `a` standalone, node `b` standby",
        mend: &[("break", B)],
    },
    // No sync of this run is proven: the way on leads over a new link.
    Case {
        procedure: "role-swap",
        act: Act::Break,
        astray: Astray::TooEarly,
        holds: &["out_of_band"],
        says: "no relationship on either node",
        mend: &[("establish", A)],
    },
    Case {
        procedure: "in-place",
        act: Act::Break,
        astray: Astray::TooEarly,
        holds: &["out_of_band"],
        says: "no relationship on either node",
        mend: &[("establish", A)],
    },
    // A link has two ends: broken at the other one it is broken as it was asked for.
    Case { procedure: "role-swap", act: Act::Break, astray: Astray::WrongBox, holds: &[], says: "", mend: &[] },
    Case { procedure: "in-place", act: Act::Break, astray: Astray::WrongBox, holds: &[], says: "", mend: &[] },
    // It counts once a person has said so: the sync before it is still fresh. `out_of_band` has it when that is no longer so.
    Case {
        procedure: "role-swap",
        act: Act::Break,
        astray: Astray::Withdrawn,
        holds: &["out_of_band"],
        says: "no relationship on either node",
        mend: &[],
    },
    Case {
        procedure: "in-place",
        act: Act::Break,
        astray: Astray::Withdrawn,
        holds: &["out_of_band"],
        says: "no relationship on either node",
        mend: &[],
    },
    Case {
        procedure: "role-swap",
        act: Act::Establish,
        astray: Astray::Half,
        holds: &["half_established"],
        says: "node `a` standalone, node `b` primary",
        mend: &[("break", B)],
    },
    Case {
        procedure: "in-place",
        act: Act::Establish,
        astray: Astray::Half,
        holds: &["half_established"],
        says: "node `a` primary, node `b` standalone",
        mend: &[("break", A)],
    },
    Case {
        procedure: "role-swap",
        act: Act::Establish,
        astray: Astray::TooEarly,
        holds: &["role_conflict"],
        says: "break it now unless it was you",
        mend: &[("break", B)],
    },
    Case {
        procedure: "in-place",
        act: Act::Establish,
        astray: Astray::TooEarly,
        holds: &["role_conflict"],
        says: "break it now unless it was you",
        mend: &[("break", A)],
    },
    Case {
        procedure: "role-swap",
        act: Act::Establish,
        astray: Astray::WrongBox,
        holds: &["role_conflict"],
        says: "its next sync overwrites node `b`",
        mend: &[("break", A)],
    },
    Case {
        procedure: "in-place",
        act: Act::Establish,
        astray: Astray::WrongBox,
        holds: &["role_conflict"],
        says: "its next sync overwrites node `a`",
        mend: &[("break", B)],
    },
    // It is as it was to be, and counts once a person has said so.
    Case {
        procedure: "role-swap",
        act: Act::Establish,
        astray: Astray::Withdrawn,
        holds: &["role_conflict"],
        says: "linked, node `b` primary",
        mend: &[],
    },
    Case {
        procedure: "in-place",
        act: Act::Establish,
        astray: Astray::Withdrawn,
        holds: &["role_conflict"],
        says: "linked, node `a` primary",
        mend: &[],
    },
];

impl Case {
    /// Whose data are to be kept at the end; the pair began with `a` as primary.
    fn survivor(&self) -> NodeId {
        if self.procedure == "role-swap" { B } else { A }
    }

    /// The step at which it happens.
    fn place(&self) -> String {
        match (self.act, self.astray) {
            (Act::Break, Astray::TooEarly) => "window-1.force_sync.b".to_owned(),
            (Act::Break, _) => "window-1.break_failover.a".to_owned(),
            (Act::Establish, Astray::TooEarly) => "soak.soak".to_owned(),
            (Act::Establish, _) => format!("window-2.establish_failover.{}", self.survivor()),
        }
    }

    /// What is done at which box.
    fn hand(&self) -> (&'static str, NodeId) {
        let (verb, right) = if self.act == Act::Break { ("break", A) } else { ("establish", self.survivor()) };
        (verb, if self.astray == Astray::WrongBox { right.other() } else { right })
    }
}

async fn minutes(stage: &Stage, minutes: i64) {
    stage.pass(SignedDuration::from_mins(minutes)).await;
}

async fn plays(case: &Case) {
    let name = format!("{}: {:?} {:?}", case.procedure, case.act, case.astray);
    // Long windows: what hands do takes its time.
    let long = Setting { first: "now +20h".to_owned(), second: "2026-11-23T03:00:00Z +40h".to_owned(), ..Setting::by_operator() };
    let stage = Stage::set(long);
    let id = stage.start(case.procedure).await;
    stage.until_step(&id, &case.place()).await;
    let asked = |run: &Run| run.act.as_ref().is_some_and(|act| act.instruction.is_some());
    stage.until(&id, |run| asked(run) || case.place() == "soak.soak").await;
    if case.astray == Astray::Withdrawn {
        stage.word(&id, Word::Hold).await.unwrap();
        stage.until(&id, |run| run.hold().is_some()).await;
        assert!(stage.last_alert("held").contains("is withdrawn"), "{name}");
    }
    if case.astray == Astray::Half {
        let half = if case.act == Act::Break { Fault::BreakHalf } else { Fault::EstablishHalf };
        stage.fault(Planned::once(half));
    }
    let (verb, node) = case.hand();
    stage.hand(verb, node);
    if case.astray == Astray::Withdrawn {
        minutes(&stage, 10).await;
        stage.resume(&id).await.unwrap();
    }
    for (number, code) in case.holds.iter().enumerate() {
        let rest = stage.to_rest(&id).await;
        assert_eq!(rest.end, *code, "{name}\n{}", stage.story(&id));
        assert!(number > 0 || stage.alert_says("held", case.says), "{name}: {}", stage.last_alert("held"));
        if number + 1 == case.holds.len() && !case.mend.is_empty() {
            case.mend.iter().for_each(|(verb, node)| stage.hand(verb, *node));
            minutes(&stage, 10).await;
        }
        stage.resume(&id).await.unwrap_or_else(|problem| panic!("{name}: {problem:?}"));
    }
    let rest = stage.to_rest(&id).await;
    assert_eq!(rest.end, "succeeded", "{name}\n{}", stage.story(&id));
    is_home(&stage, case, &format!("{name}\n{}", stage.story(&id)));
}

/// By the truth: linked from the survivor, equal versions, each updated once, the name where it belongs, and nothing lost on either.
fn is_home(stage: &Stage, case: &Case, name: &str) {
    let (truth, survivor) = (stage.truth(), case.survivor());
    let (own, other) = (&truth.nodes[survivor], &truth.nodes[survivor.other()]);
    assert!(truth.linked && (own.role, other.role) == (Role::Primary, Role::Standby), "{name}");
    assert_eq!((truth.leads_to, truth.serving), (Some(survivor), Some(survivor)), "{name}");
    for node in [own, other] {
        assert_eq!((node.version.as_str(), node.updates.len()), ("24.2.1", 1), "{name}");
    }
    assert_eq!((&own.settings, own.settings_revision), (&other.settings, other.settings_revision), "{name}");
    let lost = truth.events.iter().find(|event| event.what.ends_with("-overwritten"));
    assert_eq!(lost, None, "{name}");
    assert!(truth.sessions.gone == 0 && truth.sessions.created > 10, "{name}: {} created", truth.sessions.created);
    let left = truth.sessions.records.iter().find(|record| record.on.is_empty() && !record.handed_out);
    assert_eq!(left, None, "{name}");
    assert_eq!(truth.broken_promises, [], "{name}");
}

async fn all(procedure: &str) {
    for case in CASES.iter().filter(|case| case.procedure == procedure) {
        plays(case).await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_way_astray_in_place() {
    all("in-place").await;
}

#[tokio::test(start_paused = true)]
async fn each_way_astray_in_a_role_swap() {
    all("role-swap").await;
}
