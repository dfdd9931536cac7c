//! Who may import whom: reads the paths in `src/` and fails on an arrow that `docs/develop/architecture.md` doesn't allow.
//!
//! Unit tests may use what they like: they stand in a module `tests` of a file or in a file `tests.rs`, and are left out.

mod domain;

use std::path::Path;

use super::tokens::{self, Token};

/// The layers, and what each may import beside itself.
const ALLOWED: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("ports", &["domain"]),
    ("engine", &["ports", "domain"]),
    ("drivers", &["ports", "domain"]),
    ("simulator", &["ports", "domain"]),
    ("config", &["domain"]),
    ("server", &["engine", "domain"]),
    ("cli", &["config", "domain", "drivers", "engine", "ports", "server", "simulator"]),
];

/// What the domain must not know: the outside, waiting, chance and the time of day. Data types such as `IpAddr` are fine.
const IMPURE_WORDS: &[&str] = &[
    "async",
    "await",
    "fastrand",
    "tokio",
    "reqwest",
    "sled",
    "tracing",
    "Instant",
    "SystemTime",
    "TcpListener",
    "TcpStream",
    "ToSocketAddrs",
    "UdpSocket",
];
const IMPURE_PARTS_OF_STD: &[&str] = &["env", "fs", "io", "os", "process", "thread"];
/// Types whose `now` reads the clock.
const CLOCKS: &[&str] = &["Timestamp", "Zoned", "Instant", "SystemTime"];

#[test]
fn each_layer_imports_only_what_it_may() {
    let source = tokens::root().join("src");
    let mut wrong = Vec::new();
    for path in tokens::files(&source, "rs") {
        let module = module_of(path.strip_prefix(&source).unwrap());
        if module.is_empty() || module.last().is_some_and(|last| last == "tests") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        wrong.extend(wrong_arrows(&module, &tokens::of(&text)));
    }
    assert!(wrong.is_empty(), "arrows that the layout doesn't allow:\n{}", wrong.join("\n"));
}

#[test]
fn every_layer_is_known() {
    let source = tokens::root().join("src");
    let known = |name: &str| ALLOWED.iter().any(|(layer, _)| *layer == name);
    for path in tokens::files(&source, "rs") {
        if let Some(layer) = module_of(path.strip_prefix(&source).unwrap()).first() {
            assert!(known(layer), "`{layer}` is a new layer: say in this test and in the architecture page what it may import");
        }
    }
}

#[test]
fn the_domain_is_pure() {
    let domain = tokens::root().join("src/domain");
    let mut wrong = Vec::new();
    for path in tokens::files(&domain, "rs") {
        let found = impurities(&tokens::of(&std::fs::read_to_string(&path).unwrap()));
        wrong.extend(found.into_iter().map(|what| format!("{}: {what}", path.display())));
    }
    assert!(wrong.is_empty(), "the domain does no I/O, reads no clock, waits for nothing:\n{}", wrong.join("\n"));
}

/// The names between `src` and a file: `engine::look` for `engine/look.rs`; none for `lib.rs` and `main.rs`.
fn module_of(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        path.with_extension("").components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        names.pop();
    }
    names
}

fn wrong_arrows(module: &[String], tokens: &[Token]) -> Vec<String> {
    let layer = module[0].as_str();
    let allowed = ALLOWED.iter().find(|(known, _)| *known == layer).map_or(&[][..], |(_, allowed)| allowed);
    let known = |name: &str| ALLOWED.iter().any(|(known, _)| *known == name);
    let mut names = heads(tokens, "crate");
    names.extend(heads_above(tokens, module.len()));
    names.sort();
    names.dedup();
    names.retain(|name| known(name) && name != layer && !allowed.contains(&name.as_str()));
    names.into_iter().map(|name| format!("{}: `{layer}` must not import `{name}`", module.join("::"))).collect()
}

/// The first names behind `root::`, also those of a group in braces.
fn heads(tokens: &[Token], root: &str) -> Vec<String> {
    let begins = |at: usize| tokens[at].is_word(root) && !(at > 0 && tokens[at - 1].is_sign(':') && root != "crate");
    (0..tokens.len()).filter(|&at| begins(at)).flat_map(|at| names_behind(tokens, at + 1)).collect()
}

/// The first names behind as many `super::` as lead out of a module of this depth.
fn heads_above(tokens: &[Token], depth: usize) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let mut supers = 0;
        while tokens.get(at).is_some_and(|token| token.is_word("super")) {
            supers += 1;
            if supers >= depth {
                names.extend(names_behind(tokens, at + 1));
            }
            at += if is_path_sign(tokens, at + 1) { 3 } else { 1 };
        }
        at += usize::from(supers == 0);
    }
    names
}

fn is_path_sign(tokens: &[Token], at: usize) -> bool {
    [at, at + 1].iter().all(|&at| tokens.get(at).is_some_and(|token| token.is_sign(':')))
}

/// What stands behind the `::` at `at`: one name, or the first name of each member of a group.
fn names_behind(tokens: &[Token], at: usize) -> Vec<String> {
    if !is_path_sign(tokens, at) {
        return Vec::new();
    }
    match tokens.get(at + 2) {
        Some(Token::Word(name)) => vec![name.clone()],
        Some(token) if token.is_sign('{') => group(&tokens[at + 3..]),
        _ => Vec::new(),
    }
}

fn group(tokens: &[Token]) -> Vec<String> {
    let mut names = Vec::new();
    let (mut depth, mut first) = (1, true);
    for token in tokens {
        match token {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') => depth -= 1,
            Token::Word(name) if depth == 1 && first => names.push(name.clone()),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        first = depth == 1 && token.is_sign(',');
    }
    names
}

fn impurities(tokens: &[Token]) -> Vec<String> {
    let mut found: Vec<String> = IMPURE_WORDS
        .iter()
        .filter(|word| tokens.iter().any(|token| token.is_word(word)))
        .map(|word| format!("`{word}`"))
        .collect();
    let parts = heads(tokens, "std").into_iter().filter(|part| IMPURE_PARTS_OF_STD.contains(&part.as_str()));
    found.extend(parts.map(|part| format!("`std::{part}`")));
    let reads_a_clock =
        |at: &usize| CLOCKS.iter().any(|clock| tokens[*at].is_word(clock)) && names_behind(tokens, at + 1) == ["now"];
    found.extend((0..tokens.len()).filter(reads_a_clock).map(|_| "the clock".to_owned()));
    found
}

#[test]
fn a_forbidden_arrow_is_found() {
    let cases = [
        ("engine::look", "use crate::drivers::store::Store;", Some("drivers")),
        ("engine::look", "use crate::{domain::run::Run, drivers::{tls, clock}};", Some("drivers")),
        ("engine::look", "fn f() { crate::config::load(); }", Some("config")),
        ("engine::look", "use super::super::server;", Some("server")),
        ("engine", "use super::server;", Some("server")),
        ("domain::run", "use crate::ports::Clock;", Some("ports")),
        ("drivers::appliance::exec", "use super::super::super::simulator::world;", Some("simulator")),
        ("simulator::server", "pub(in crate::simulator) use crate::engine::api;", Some("engine")),
        ("config::load", "use crate::drivers::tls;", Some("drivers")),
        ("engine::look", "use crate::{ports::Clock, domain::{config, server}};", None),
        ("engine::look", "// use crate::drivers;\nconst X: &str = \"crate::drivers\";", None),
        ("drivers::appliance::exec", "use super::super::store; use crate::drivers::tls;", None),
        ("cli::serve", "use crate::{config, drivers, engine, server, simulator};", None),
    ];
    for (module, text, wrong) in cases {
        let module: Vec<String> = module.split("::").map(str::to_owned).collect();
        let found = wrong_arrows(&module, &tokens::of(text));
        let expected = wrong.map(|name| format!("{}: `{}` must not import `{name}`", module.join("::"), module[0]));
        assert_eq!(found, Vec::from_iter(expected), "{text}");
    }
}

#[test]
fn an_impure_domain_is_found() {
    let cases = [
        ("use tokio::sync::mpsc;", 1),
        ("use std::fs;", 1),
        ("use std::{collections::BTreeMap, fs::File, process};", 2),
        ("async fn f() {}", 1),
        ("let at = Timestamp::now();", 1),
        ("let at = std::time::SystemTime::now();", 2),
        ("use std::net::TcpStream;", 1),
        ("use std::net::IpAddr; use std::time::Duration; use std::path::PathBuf; let now = world.now;", 0),
        ("/// See tokio, std::fs and Timestamp::now().\nstruct S;", 0),
    ];
    for (text, count) in cases {
        assert_eq!(impurities(&tokens::of(text)).len(), count, "{text}: {:?}", impurities(&tokens::of(text)));
    }
}
