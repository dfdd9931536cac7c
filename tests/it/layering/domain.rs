//! The layers within the domain: what a run *is* stands below what *judges* it, and no module imports another that imports it in
//! turn, by whatever detour.

use std::collections::{BTreeMap, BTreeSet};

use super::{is_path_sign, module_of};
use crate::tokens::{self, Token};

/// What a pair, a plan and a run are, and the plain data that they hold. Everything else of the domain judges, decides or tells.
const WHAT_IS: &[&str] = &[
    "access",
    "action",
    "check",
    "crossing",
    "event",
    "facts",
    "file",
    "gate",
    "ids",
    "journal",
    "jump_clients",
    "ledger",
    "listing",
    "people",
    "plan",
    "procedure",
    "rule",
    "run",
    "site",
    "step",
    "version",
    "window",
    "world",
];

/// A module below `domain`, by its names.
type Module = Vec<String>;
/// What each module imports.
type Arrows = BTreeMap<Module, BTreeSet<Module>>;

#[test]
fn what_a_run_is_imports_nothing_that_judges_it() {
    let arrows = of_the_domain();
    let is_data = |module: &Module| module.first().is_some_and(|name| WHAT_IS.contains(&name.as_str()));
    let upward = arrows.iter().filter(|(from, _)| is_data(from)).flat_map(|(from, to)| {
        to.iter().filter(|to| !is_data(to)).map(move |to| format!("`{}` imports `{}`", from.join("::"), to.join("::")))
    });
    let upward: Vec<String> = upward.collect();
    assert!(
        upward.is_empty(),
        "data must not import what judges them; the type belongs lower, or the function higher:\n{upward:#?}"
    );
    let unknown: Vec<&&str> = WHAT_IS.iter().filter(|name| !arrows.contains_key(&vec![(**name).to_owned()])).collect();
    assert!(unknown.is_empty(), "no such modules any more: {unknown:?}");
}

#[test]
fn no_modules_of_the_domain_import_each_other_in_a_circle() {
    let circles = circles(of_the_domain());
    assert!(circles.is_empty(), "one of these arrows must go:\n{circles:#?}");
}

fn of_the_domain() -> Arrows {
    let source = tokens::root().join("src");
    let mut texts = BTreeMap::new();
    for path in tokens::files(&source.join("domain"), "rs") {
        let module = module_of(path.strip_prefix(&source).unwrap())[1..].to_vec();
        if !module.is_empty() && module.last().is_none_or(|last| last != "tests") {
            texts.insert(module, tokens::of(&std::fs::read_to_string(&path).unwrap()));
        }
    }
    arrows(&texts)
}

fn arrows(texts: &BTreeMap<Module, Vec<Token>>) -> Arrows {
    let nearest = |path: Module| (1..=path.len()).rev().map(|end| path[..end].to_vec()).find(|module| texts.contains_key(module));
    let of = |(module, tokens): (&Module, &Vec<Token>)| {
        let is_child = |name: &str| texts.contains_key(&[module.clone(), vec![name.to_owned()]].concat());
        let paths = paths(tokens, is_child).into_iter().filter_map(|path| below_domain(module, path));
        (module.clone(), paths.filter_map(nearest).filter(|to| to != module).collect())
    };
    texts.iter().map(of).collect()
}

/// Every path that begins with `crate`, `super` or `self`, or with a module of this one's own.
fn paths(tokens: &[Token], is_child: impl Fn(&str) -> bool) -> Vec<Module> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Word(word) = token else { continue };
        let before = |sign: char| at > 0 && tokens[at - 1].is_sign(sign);
        // `pub(in crate::domain)` says who may look, not what is imported.
        let visibility = at > 1 && tokens[at - 1].is_word("in") && tokens[at - 2].is_sign('(');
        let root = matches!(word.as_str(), "crate" | "super" | "self") || is_child(word);
        if root && !before(':') && !before('.') && !visibility && is_path_sign(tokens, at + 1) {
            take(tokens, at, &[], &mut found);
        }
    }
    found
}

/// Takes the path that begins at `at` with all that its groups hold; returns where it ends.
fn take(tokens: &[Token], mut at: usize, above: &[String], found: &mut Vec<Module>) -> usize {
    let mut path = above.to_vec();
    while let Some(Token::Word(name)) = tokens.get(at) {
        path.push(name.clone());
        at += 1;
        if !is_path_sign(tokens, at) {
            break;
        }
        at += 2;
    }
    if !tokens.get(at).is_some_and(|token| token.is_sign('{')) {
        found.push(path);
        return at;
    }
    at += 1;
    while tokens.get(at).is_some_and(|token| !token.is_sign('}')) {
        // Behind a member: a comma, or `as` and another name.
        let is_member = matches!(tokens[at], Token::Word(_)) && !tokens[at - 1].is_word("as") && !tokens[at].is_word("as");
        at = if is_member { take(tokens, at, &path, found) } else { at + 1 };
    }
    at + 1
}

/// The path from `domain` on; `None` where it leads elsewhere.
fn below_domain(module: &Module, path: Module) -> Option<Module> {
    if path[0] == "crate" {
        return (path.get(1)? == "domain").then(|| path[2..].to_vec());
    }
    let ups = path.iter().take_while(|name| *name == "super").count();
    let base = module.len().checked_sub(ups)?;
    let own = path[ups..].iter().filter(|name| *name != "self").cloned();
    Some(module[..base].iter().cloned().chain(own).collect())
}

/// The arrows that lie on a circle or between two.
fn circles(mut arrows: Arrows) -> Vec<String> {
    loop {
        let targets: BTreeSet<Module> = arrows.values().flatten().cloned().collect();
        let ends = |module: &Module, to: &BTreeSet<Module>| to.is_empty() || !targets.contains(module);
        let free: Vec<Module> = arrows.iter().filter(|(module, to)| ends(module, to)).map(|(module, _)| module.clone()).collect();
        if free.is_empty() {
            break;
        }
        arrows.retain(|module, _| !free.contains(module));
        arrows.values_mut().for_each(|to| to.retain(|module| !free.contains(module)));
    }
    let told = |(from, to): (&Module, &BTreeSet<Module>)| {
        let to: Vec<String> = to.iter().map(|to| to.join("::")).collect();
        format!("{} -> {}", from.join("::"), to.join(", "))
    };
    arrows.iter().map(told).collect()
}

#[test]
fn an_arrow_is_found_however_it_is_written() {
    let cases = [
        ("run", "use super::plan::{Plan, Windows};", "plan"),
        ("run", "use crate::domain::{ids::NodeId, plan::{self, times::need as needed}, window};", "plan, plan::times"),
        ("run", "fn f() -> crate::domain::plan::Plan { super::plan::times::need() }", "plan, plan::times"),
        ("plan", "mod times; use times::need; pub use self::times::other;", "plan::times"),
        ("plan", "mod times; fn f() { times::need(); x.times(); y.times::<u8>(); }", "plan::times"),
        ("plan::times", "use super::Plan; use super::super::run::Run;", "plan, run"),
        ("plan::times", "pub(super) fn f() {} pub(in crate::domain::run) fn g(&self) -> Self { self.run() }", ""),
        ("run", "use crate::ports::plan::Plan; use jiff::plan; // super::plan::Plan", ""),
        ("run", "use super::run::Run; use super::unknown::X;", ""),
    ];
    for (module, text, expected) in cases {
        let names = |path: &str| path.split("::").map(str::to_owned).collect::<Module>();
        let mut texts: BTreeMap<Module, Vec<Token>> = ["plan", "plan::times", "run"].map(|path| (names(path), Vec::new())).into();
        texts.insert(names(module), tokens::of(text));
        let found: Vec<String> = arrows(&texts)[&names(module)].iter().map(|to| to.join("::")).collect();
        assert_eq!(found.join(", "), expected, "{text}");
    }
}

#[test]
fn a_circle_is_found_and_nothing_else_is() {
    let of = |pairs: &[(&str, &str)]| {
        let mut arrows = Arrows::new();
        for (from, to) in pairs {
            arrows.entry(vec![(*to).to_owned()]).or_default();
            arrows.entry(vec![(*from).to_owned()]).or_default().insert(vec![(*to).to_owned()]);
        }
        circles(arrows)
    };
    assert_eq!(of(&[("a", "b"), ("b", "c"), ("a", "c")]), Vec::<String>::new());
    assert_eq!(of(&[("x", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "y")]), ["a -> b", "b -> c", "c -> a"]);
}
