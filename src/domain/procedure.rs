//! A procedure: the document that an operator reads, an ordered list of actions, each with its `when`.
//!
//! Loading a procedure proves it ([`Procedure::load`] in [`super::prove`]): a document whose steps break a promise, or can lead where
//! no safe end is within reach, is refused with the rule's id and the line in the file.

use serde::Deserialize;

use super::action::{self, Kind, Parameter, When, Who};
use super::crossing::Only;
use super::gate::Gate;
use super::ids::NodeId;
use super::rule::Rule;
use super::step::Step;
use super::version::Version;

/// A loaded procedure; its steps name roles, not nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Procedure {
    pub name: String,
    pub title: String,
    pub steps: Vec<Template>,
}

/// A step before the plan knows who is primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub when: When,
    pub kind: Kind,
    pub who: Option<Who>,
    pub gate: Option<Gate>,
    /// Under which updates it is planned; `None`: under all.
    pub only: Option<Only>,
    /// Where it stands in the document.
    pub line: usize,
}

/// What is wrong with a document, with its line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}:{line}: {message}")]
pub struct ProcedureError {
    /// The document's name: a path, or `built-in`.
    pub origin: String,
    pub line: usize,
    pub message: String,
    pub rule: Option<Rule>,
}

/// The documents that ship with the program: name and text.
pub const BUILT_IN: [(&str, &str); 2] = [
    ("in-place", include_str!("../../config/procedures/in-place.toml")),
    ("role-swap", include_str!("../../config/procedures/role-swap.toml")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    title: String,
    steps: Vec<toml::Spanned<StepDocument>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepDocument {
    when: When,
    action: String,
    node: Option<Who>,
    to: Option<Who>,
    primary: Option<Who>,
    gate: Option<String>,
    only: Option<String>,
}

impl Procedure {
    /// Reads a document without proving it.
    ///
    /// # Errors
    /// Bad TOML, an unknown action, key, role or gate, or steps out of order: the first of them, with its line.
    pub fn read(origin: &str, text: &str) -> Result<Self, ProcedureError> {
        let fail = |line, message: String| ProcedureError { origin: origin.to_owned(), line, message, rule: None };
        let document: Document = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            fail(line, error.message().to_owned())
        })?;
        let mut steps = Vec::with_capacity(document.steps.len());
        for spanned in document.steps {
            let line = line_of(text, spanned.span().start);
            steps.push(template(spanned.into_inner(), line).map_err(|message| fail(line, message))?);
        }
        let procedure = Self { name: document.name, title: document.title, steps };
        procedure.in_order().map_err(|(line, message)| fail(line, message))?;
        Ok(procedure)
    }

    /// The procedure as it is for an update between these versions: without the steps that only another one asks for.
    pub fn of_update(&self, from: &Version, to: &Version) -> Self {
        self.with(|only| only.holds(from, to))
    }

    fn with(&self, holds: impl Fn(Only) -> bool) -> Self {
        let steps = self.steps.iter().filter(|step| step.only.is_none_or(&holds)).cloned().collect();
        Self { steps, ..self.clone() }
    }

    /// The steps of an update that asks for nothing special, with `primary` and `standby` resolved, and their ids.
    pub fn resolve(&self, primary: NodeId) -> Vec<Step> {
        self.with(|_| false).resolve_chain(primary, 1)
    }

    /// All steps, with one for each hop of an update and for what lies between them.
    pub fn resolve_chain(&self, primary: NodeId, hops: u32) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::with_capacity(self.steps.len());
        let actions = self.steps.iter().enumerate().flat_map(|(index, step)| {
            let laid_out = laid_out(step.kind, hops, drains(&self.steps[..index], step));
            laid_out.into_iter().map(move |(kind, hop)| (step, kind, hop))
        });
        for (template, kind, hop) in actions {
            let node = template.who.map(|who| if who == Who::Primary { primary } else { primary.other() });
            let base = step_id(template.when, kind, node);
            let repeats = steps.iter().filter(|step| step.id == base || step.id.starts_with(&format!("{base}."))).count();
            let id = if repeats == 0 { base } else { format!("{base}.{}", repeats + 1) };
            steps.push(Step { id, when: template.when, kind, node, gate: template.gate, hop });
        }
        steps
    }

    /// True if the procedure has steps of this part: whether a plan needs that window.
    pub fn has(&self, when: When) -> bool {
        self.steps.iter().any(|step| step.when == when)
    }

    fn in_order(&self) -> Result<(), (usize, String)> {
        let wrong = self.steps.windows(2).find(|pair| pair[1].when < pair[0].when);
        match (self.steps.is_empty(), wrong) {
            (true, _) => Err((1, "a procedure needs at least one `[[steps]]` table".to_owned())),
            (_, Some(pair)) => {
                let (now, before) = (pair[1].when.as_str(), pair[0].when.as_str());
                Err((pair[1].line, format!("`when = \"{now}\"` cannot follow `when = \"{before}\"`")))
            }
            _ => Ok(()),
        }
    }
}

/// True if a step's node is drained in the same part before it.
fn drains(before: &[Template], step: &Template) -> bool {
    before.iter().any(|other| (other.kind, other.who, other.when) == (Kind::Drain, step.who, step.when))
}

fn template(document: StepDocument, line: usize) -> Result<Template, String> {
    let kind: Kind = document.action.parse().map_err(|()| unknown_action(&document.action))?;
    let parameter = kind.row().parameter;
    let given = [("node", document.node), ("to", document.to), ("primary", document.primary)];
    let wanted = match parameter {
        Parameter::Node(key) => Some(key),
        _ => None,
    };
    if let Some((key, _)) = given.iter().find(|(key, value)| value.is_some() && Some(*key) != wanted) {
        return Err(format!(
            "action `{kind}` takes no `{key}`{}",
            wanted.map(|key| format!("; it takes `{key}`")).unwrap_or_default()
        ));
    }
    let who = match parameter {
        Parameter::Implied(who) => Some(who),
        Parameter::Node(key) => {
            let value = given.iter().find(|(name, _)| *name == key).and_then(|(_, value)| *value);
            Some(value.ok_or_else(|| format!("action `{kind}` needs `{key}`, \"primary\" or \"standby\""))?)
        }
        Parameter::None | Parameter::Gate => None,
    };
    let only = document.only.map(|word| word.parse::<Only>()).transpose().map_err(|error| error.to_string())?;
    Ok(Template { when: document.when, kind, who, gate: gate(kind, document.gate)?, only, line })
}

fn gate(kind: Kind, name: Option<String>) -> Result<Option<Gate>, String> {
    let known = || Gate::all().map(|gate| format!("`{gate}`")).collect::<Vec<_>>().join(", ");
    match (kind.row().parameter, name) {
        (Parameter::Gate, None) => Err(format!("action `{kind}` needs `gate`, one of {}", known())),
        (Parameter::Gate, Some(name)) => {
            name.parse().map(Some).map_err(|()| format!("no gate is named `{name}`; there are {}", known()))
        }
        (_, Some(_)) => Err(format!("action `{kind}` takes no `gate`")),
        (_, None) => Ok(None),
    }
}

fn unknown_action(name: &str) -> String {
    format!("no action is named `{name}`; there are {}", action::names().join(", "))
}

fn step_id(when: When, kind: Kind, node: Option<NodeId>) -> String {
    let base = format!("{}.{kind}", when.as_str());
    node.map_or(base.clone(), |node| format!("{base}.{node}"))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

/// The actions that a procedure's action becomes in a chain of so many hops, each with its hop.
///
/// Between two hops the node must be proven well on the version in between, and each hop is an update that asks for a backup of its
/// own (BG-01): one of an older version can't be put back on a newer one. Where the procedure drains the node before, it is drained
/// before each hop (BG-02): users come back in between.
fn laid_out(kind: Kind, hops: u32, drained: bool) -> Vec<(Kind, u32)> {
    if kind != Kind::Update {
        return vec![(kind, 0)];
    }
    let mut steps = vec![(kind, 0)];
    for hop in 1..hops {
        steps.extend([(Kind::Verify, 0), (Kind::Backup, 0)]);
        steps.extend(drained.then_some((Kind::Drain, 0)));
        steps.push((kind, hop));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_procedures_are_proved() {
        for (name, text) in BUILT_IN {
            let procedure = Procedure::load(name, text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(procedure.name, name);
            for primary in NodeId::BOTH {
                let steps = procedure.resolve(primary);
                for (i, step) in steps.iter().enumerate() {
                    assert!(steps[..i].iter().all(|other| other.id != step.id), "{} twice", step.id);
                }
            }
        }
    }

    fn step(text: &str) -> String {
        let (when, rest) = text.split_once(' ').unwrap();
        let mut words = rest.split(' ');
        let action = words.next().unwrap();
        let parameters: String =
            words.map(|word| word.split_once('=').map(|(k, v)| format!("{k} = \"{v}\"\n")).unwrap()).collect();
        format!("[[steps]]\nwhen = \"{when}\"\naction = \"{action}\"\n{parameters}")
    }

    fn document(steps: &[&str]) -> String {
        let steps: String = steps.iter().map(|text| step(text)).collect();
        format!("name = \"x\"\ntitle = \"X\"\n{steps}")
    }

    const ROLE_SWAP: &[&str] = &[
        "prepare backup node=standby",
        "window-1 confirm gate=automatic_failover_off",
        "window-1 force_sync",
        "window-1 break_failover",
        "window-1 update node=standby",
        "window-1 verify node=standby",
        "window-1 quiesce node=primary",
        "window-1 switch_traffic to=standby",
        "soak confirm gate=production",
        "soak soak",
        "window-2 confirm gate=automatic_failover_off",
        "window-2 backup node=standby",
        "window-2 backup node=primary",
        "window-2 update node=primary",
        "window-2 extract_data node=primary",
        "window-2 establish_failover primary=standby",
    ];

    #[test]
    fn a_short_but_safe_procedure_is_accepted() {
        Procedure::load("x", &document(ROLE_SWAP)).unwrap();
    }

    /// Each case leaves one step out of a good procedure, or changes one; the rule that must refuse it stands beside.
    #[test]
    fn each_missing_step_is_refused_by_its_rule() {
        let cases = [
            ("prepare backup node=standby", Rule::R4),
            ("window-1 confirm gate=automatic_failover_off", Rule::R17),
            ("window-1 force_sync", Rule::R1),
            ("window-1 break_failover", Rule::R15),
            ("window-1 verify node=standby", Rule::R2),
            ("soak confirm gate=production", Rule::R10),
            ("soak soak", Rule::R10),
            ("window-2 confirm gate=automatic_failover_off", Rule::R17),
            ("window-2 backup node=standby", Rule::R4),
            ("window-2 backup node=primary", Rule::R4),
            ("window-2 update node=primary", Rule::R6),
            ("window-2 extract_data node=primary", Rule::R9),
            ("window-1 quiesce node=primary", Rule::R9),
        ];
        for (missing, rule) in cases {
            let steps: Vec<&str> = ROLE_SWAP.iter().copied().filter(|step| *step != missing).collect();
            let error = Procedure::load("x", &document(&steps)).unwrap_err();
            assert_eq!(error.rule, Some(rule), "without `{missing}`: {error}");
        }
        let reversed: Vec<&str> = ROLE_SWAP
            .iter()
            .map(|s| if s.contains("establish") { "window-2 establish_failover primary=primary" } else { s })
            .collect();
        assert_eq!(Procedure::load("x", &document(&reversed)).unwrap_err().rule, Some(Rule::R8));
        let unlinked = &ROLE_SWAP[..ROLE_SWAP.len() - 1];
        assert!(Procedure::load("x", &document(unlinked)).unwrap_err().message.contains("without failover"));
    }

    #[test]
    fn bad_documents_are_named_with_their_line() {
        let cases = [
            ("name = \"x\"\ntitle = \"X\"\nsteps = []\n", 1, "at least one"),
            (&document(&["prepare backup"]), 3, "needs `node`"),
            (&document(&["prepare preflight", "prepare fly"]), 6, "no action is named `fly`"),
            (&document(&["prepare preflight node=standby"]), 3, "takes no `node`"),
            (&document(&["prepare confirm gate=lunch"]), 3, "no gate is named `lunch`"),
            (&document(&["prepare preflight only=sometimes"]), 3, "expected `before-10.6` or `crossing-10.6`"),
            (&document(&["soak soak", "prepare preflight"]), 6, "cannot follow"),
            ("name = \"x\"\ntitle = \"X\"\nspeed = 1\nsteps = []\n", 3, "unknown field `speed`"),
            ("name = ", 1, ""),
        ];
        for (text, line, message) in cases {
            let error = Procedure::load("p.toml", text).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.to_string().contains(message), "{error}");
        }
    }
}
