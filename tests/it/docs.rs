//! Keeps the written pages complete: what the code can say has a heading, generated tables are those of the code, the README's
//! site loads, and links between the pages lead somewhere. `CHANGEOVER_ACCEPT=1` rewrites the generated parts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use changeover::domain::action::{self, Impact, Parameter, Repeat, Row, TABLE, Who};
use changeover::domain::alert;
use jiff::SignedDuration;

use super::tokens::{self, Token};

/// Where the words come from that a person may meet as `code`. Folders are read whole.
const SPEAKERS: &[&str] = &["src/domain", "src/engine", "src/server", "src/cli", "src/drivers/store"];

/// Calls whose first string literal is such a word, if it looks like one.
const CALLS: &[&[&str]] =
    &[&["Failure", "new"], &["Failure", "of"], &["Problem", "new"], &["Refused", "new"], &["check"], &["bad_input"], &["half"]];

fn read(path: &str) -> String {
    let path = tokens::root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The words in backticks of a page's headings.
fn headings(page: &str) -> BTreeSet<String> {
    let text = read(page);
    let lines = outside_fences(&text).filter(|line| line.starts_with('#'));
    lines.flat_map(|line| line.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn outside_fences(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

fn assert_complete(page: &str, words: impl IntoIterator<Item = (String, String)>) {
    let known = headings(page);
    let missing: Vec<String> =
        words.into_iter().filter(|(word, _)| !known.contains(word)).map(|(word, from)| format!("`{word}` ({from})")).collect();
    assert!(missing.is_empty(), "{page} has no heading for:\n{}", missing.join("\n"));
}

#[test]
fn every_alert_has_a_heading() {
    assert_complete("docs/reference/alerts.md", alert::NAMES.map(|name| (name.to_owned(), "domain::alert::NAMES".to_owned())));
}

#[test]
fn every_verb_of_programs_has_a_heading() {
    let ports = tokens::of(&read("src/ports.rs"));
    let begin = ports.windows(2).position(|pair| pair[0].is_word("fn") && pair[1].is_word("verb")).expect("NodeAct::verb");
    let mut verbs: Vec<String> = texts_of_block(&ports[begin..]);
    assert!(verbs.contains(&"establish_failover".to_owned()), "{verbs:?}");
    verbs.extend(["observe", "look", "switch"].map(str::to_owned));
    assert_complete("docs/reference/exec.md", verbs.into_iter().map(|verb| (verb, "ports::NodeAct::verb".to_owned())));
}

#[test]
fn every_event_of_a_record_is_listed() {
    let page = read("docs/reference/files.md");
    let row = page.lines().find(|line| line.starts_with("| `event` | ")).expect("the row of the events");
    let listed: BTreeSet<&str> = row.split('`').skip(3).step_by(2).collect();
    let source = tokens::of(&read("src/domain/event.rs"));
    let of_event = source.windows(2).position(|pair| pair[0].is_word("impl") && pair[1].is_word("Event")).expect("impl Event");
    let names = texts_of_block(&source[of_event..]);
    assert_eq!(
        listed,
        names.iter().map(String::as_str).filter(|name| is_word(name) && !["event", "data"].contains(name)).collect()
    );
}

/// The string literals of the first block in braces.
fn texts_of_block(tokens: &[Token]) -> Vec<String> {
    let mut depth = 0;
    let mut texts = Vec::new();
    for token in tokens {
        match token {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') if depth == 1 => break,
            Token::Sign('}') => depth -= 1,
            Token::Text(text) => texts.push(text.clone()),
            _ => {}
        }
    }
    texts
}

#[test]
fn every_word_for_a_problem_has_a_heading() {
    let words = problem_words();
    for sample in ["sync_failed", "fresh_sync", "gate_not_open", "wrong_box", "store_low", "sync_too_old"] {
        assert!(words.contains_key(sample), "`{sample}` was not found in the sources: {words:?}");
    }
    assert_complete("docs/reference/errors.md", words);
}

/// Each word and one file that says it.
fn problem_words() -> BTreeMap<String, String> {
    let mut words = BTreeMap::new();
    for folder in SPEAKERS.iter().map(|folder| tokens::root().join(folder)).filter(|folder| folder.is_dir()) {
        for path in tokens::files(&folder, "rs") {
            let source = tokens::of(&std::fs::read_to_string(&path).unwrap());
            let from = path.strip_prefix(tokens::root()).unwrap().display().to_string();
            let calls = CALLS.iter().flat_map(|call| texts_of_calls(&source, call));
            let found = calls.chain(texts_of_codes(&source)).filter(|text| is_word(text));
            words.extend(found.map(|word| (word, from.clone())));
        }
    }
    words
}

fn is_word(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// The first literal among the arguments of each such call.
fn texts_of_calls(source: &[Token], call: &[&str]) -> Vec<String> {
    let mut pattern = Vec::new();
    for (index, name) in call.iter().enumerate() {
        if index > 0 {
            pattern.extend([Token::Sign(':'), Token::Sign(':')]);
        }
        pattern.push(Token::Word((*name).to_owned()));
    }
    pattern.push(Token::Sign('('));
    let calls = (0..source.len()).filter(|&at| source[at..].starts_with(&pattern) && !(at > 0 && source[at - 1].is_word("fn")));
    calls.filter_map(|at| first_text_of_arguments(&source[at + pattern.len()..])).collect()
}

fn first_text_of_arguments(tokens: &[Token]) -> Option<String> {
    let mut depth = 1;
    for token in tokens {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth -= 1,
            Token::Text(text) if depth == 1 => return Some(text.clone()),
            _ => {}
        }
        if depth == 0 {
            return None;
        }
    }
    None
}

/// The words in a function `code` (of the store's errors) or `cause` (of the alerts), the names of the rules, and fields
/// `code: "…"`.
fn texts_of_codes(source: &[Token]) -> Vec<String> {
    let mut texts = Vec::new();
    for at in 0..source.len() {
        let ahead = |offset: usize| source.get(at + offset);
        let is_rule =
            |token: &Token| matches!(token, Token::Word(word) if word.starts_with('R') && word[1..].parse::<u8>().is_ok());
        let speaks = |name: &Token| name.is_word("code") || name.is_word("cause");
        if source[at].is_word("fn") && ahead(1).is_some_and(speaks) {
            texts.extend(texts_of_block(&source[at..]));
        }
        match (&source[at], ahead(1), ahead(2), ahead(3)) {
            (rule, Some(Token::Sign('=')), Some(Token::Sign('>')), Some(Token::Text(name))) if is_rule(rule) => {
                texts.push(name.clone())
            }
            (code, Some(Token::Sign(':')), Some(Token::Text(text)), _) if code.is_word("code") => texts.push(text.clone()),
            _ => {}
        }
    }
    texts
}

#[test]
fn words_are_found_in_every_form_that_the_code_uses() {
    let source = r#"
        held(Failure::new("window_missed", "a", "b"));
        Problem::new(
            Kind::BadInput,
            "not_early",
            format!("gate"),
        );
        Problem::new(Kind::Refused, first.code, format!("preflight refused"));
        fn check(world: &World, name: &'static str) {}
        check(world, "unhealthy", pass_if(a == "x"), "healthy");
        Self::R4 => "backed_up",
        let held = Event::Held { code: "store_low".to_owned() };
        pub fn code(&self) -> &'static str { match self { Self::Locked { .. } => "store_locked" } }
    "#;
    let source = tokens::of(source);
    let mut found: Vec<String> = CALLS.iter().flat_map(|call| texts_of_calls(&source, call)).collect();
    found.extend(texts_of_codes(&source));
    found.retain(|text| is_word(text));
    assert_eq!(found, ["window_missed", "not_early", "unhealthy", "backed_up", "store_low", "store_locked"]);
}

/// The text of the first fenced block of this kind behind a mark.
fn fenced(text: &str, mark: &str, kind: &str) -> String {
    let (_, behind) = text.split_once(mark).unwrap_or_else(|| panic!("`{mark}` was not found"));
    let (_, block) = behind.split_once(&format!("```{kind}\n")).expect("a fenced block");
    block.split_once("```").expect("its end").0.to_owned()
}

#[test]
fn the_first_real_site_loads_and_is_short() {
    let readme = read("README.md");
    let (site, commands) = (fenced(&readme, "## A first real site", "toml"), fenced(&readme, "## A first real site", "sh"));
    assert!(site.lines().count() + commands.lines().count() < 30, "the README promises less than 30 lines");
    let node = fenced(&read("docs/guides/first-run.md"), "### A BeyondTrust pair", "toml");
    let peer = node.replace("nodes.a", "nodes.b").replace("support-a", "support-b").replace(".10", ".20").replace("0b1d", "1b1d");
    let (head, traffic) = (site.split_once("[nodes.a]").unwrap().0, site.split_once("[[traffic]]").unwrap().1);
    for site in [site.clone(), format!("{head}{node}{peer}[[traffic]]{traffic}")] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sites.d")).unwrap();
        std::fs::write(folder.path().join("sites.d/support.toml"), &site).unwrap();
        std::fs::write(folder.path().join("changeover.toml"), "").unwrap();
        let loaded = changeover::config::load(&folder.path().join("changeover.toml"), &action::names());
        assert!(loaded.is_ok(), "{}\n{site}", loaded.err().map(|error| error.to_string()).unwrap_or_default());
    }
}

const BEGIN: &str = "<!-- generated from src/domain/action.rs; CHANGEOVER_ACCEPT=1 rewrites it -->";
const END: &str = "<!-- end -->";

#[test]
fn the_table_of_actions_is_the_codes() {
    let path = tokens::root().join("docs/reference/actions.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(BEGIN).expect("the marker before the table");
    let (_, tail) = rest.split_once(END).expect("the marker behind the table");
    let wanted = format!("{head}{BEGIN}\n\n{}\n{END}{tail}", actions());
    if page == wanted {
        return;
    }
    if std::env::var_os("CHANGEOVER_ACCEPT").is_some() {
        return std::fs::write(&path, wanted).unwrap();
    }
    assert_eq!(page, wanted, "docs/reference/actions.md is not what the code says; CHANGEOVER_ACCEPT=1 rewrites it");
}

fn actions() -> String {
    let mut table =
        "| action | what it does | takes | impact | sent again | usually | at most | undone by | too late |\n".to_owned();
    table.push_str("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for row in TABLE {
        let undone = row.undone_by.map_or_else(|| "nothing".to_owned(), |kind| format!("`{kind}`"));
        let undone = if row.repeat == Repeat::Look || row.impact < Impact::Disruptive && row.undone_by.is_none() {
            "nothing to undo".to_owned()
        } else {
            undone
        };
        let (usually, most) = (minutes(row.expected_minutes), minutes(row.limit_minutes));
        let sentence = row.sentence.replace("{node}", "the node").replace("{gate}", "the gate's question");
        // Writing into a string cannot fail.
        let _ = writeln!(
            table,
            "| `{}` | {sentence}. | {} | {} | {} | {usually} | {most} | {undone} | {} |",
            row.name,
            takes(row),
            impact(row),
            again(row),
            if row.impact < Impact::Disruptive { "begins all the same" } else { "not begun; begun, it is finished" },
        );
    }
    table
}

fn takes(row: &Row) -> String {
    match row.parameter {
        Parameter::None => "–".to_owned(),
        Parameter::Node(key) => format!("`{key}`"),
        Parameter::Gate => "`gate`".to_owned(),
        Parameter::Implied(Who::Primary) => "– (concerns the primary)".to_owned(),
        Parameter::Implied(Who::Standby) => "– (concerns the standby)".to_owned(),
    }
}

fn impact(row: &Row) -> String {
    // Plain data with a name: it is a JSON string.
    serde_json::to_value(row.impact).unwrap().as_str().unwrap().to_owned()
}

fn again(row: &Row) -> &'static str {
    match row.repeat {
        Repeat::Look => "sends nothing",
        Repeat::Safe => "if a reading shows no effect",
        Repeat::Person => "only after a person's word",
    }
}

fn minutes(minutes: i64) -> String {
    match SignedDuration::from_mins(minutes).as_secs() / 60 {
        0 => "–".to_owned(),
        minutes if minutes % 60 == 0 => format!("{} h", minutes / 60),
        minutes => format!("{minutes} min"),
    }
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            if let Err(why) = follow(&page, &link) {
                broken.push(format!("{}: {link}: {why}", page.strip_prefix(tokens::root()).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

fn pages() -> Vec<PathBuf> {
    let root = tokens::root();
    let mut pages = tokens::files(&root.join("docs"), "md");
    pages.extend(["README.md", "CHANGELOG.md", "state/README.md", "config/sites.d/README.md"].map(|page| root.join(page)));
    pages
}

/// The targets of `[…](…)` outside code, without those that lead out of the project.
fn links(text: &str) -> Vec<String> {
    let lines = outside_fences(text).flat_map(|line| line.split("](").skip(1));
    let targets = lines.filter_map(|rest| rest.split_once(')').map(|(target, _)| target.to_owned()));
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).collect()
}

fn follow(page: &Path, link: &str) -> Result<(), String> {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = if file.is_empty() { page.to_owned() } else { page.parent().unwrap_or(page).join(file) };
    if !target.exists() {
        return Err("there is no such file".to_owned());
    }
    let Some(anchor) = anchor else { return Ok(()) };
    let text = std::fs::read_to_string(&target).map_err(|error| error.to_string())?;
    let known = outside_fences(&text).filter(|line| line.starts_with('#')).any(|line| slug(line) == anchor);
    if known { Ok(()) } else { Err("there is no such heading".to_owned()) }
}

/// A heading's anchor, as the usual renderers make it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn a_broken_link_is_found() {
    let page = tokens::root().join("docs/index.md");
    let cases = [
        ("reference/config.md", true),
        ("reference/none.md", false),
        ("../README.md", true),
        ("reference/config.md#all-keys", true),
        ("reference/config.md#none", false),
    ];
    for (link, good) in cases {
        assert_eq!(follow(&page, link).is_ok(), good, "{link}");
    }
    let text = "See [a](b.md), [c](https://example.com/) and `x`.\n```text\n[no](link.md)\n```\n[d](#e)\n";
    assert_eq!(links(text), ["b.md", "#e"]);
}
