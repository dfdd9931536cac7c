//! Pages whose tables the code itself writes: the machine, and what to do if a run stops. `CHANGEOVER_ACCEPT=1` rewrites them.

mod stops;

use std::fmt::Write as _;

use changeover::domain::machine::drawing;
use changeover::domain::procedure::{BUILT_IN, Procedure};

use crate::tokens;
use stops::Stop;

/// Compares, or rewrites, what stands between the markers of a page.
fn golden(page: &str, source: &str, wanted: &str) {
    let path = tokens::root().join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let begin = format!("<!-- generated from {source}; CHANGEOVER_ACCEPT=1 rewrites it -->");
    let (head, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{page} lacks `{begin}`"));
    let (_, tail) = rest.split_once("<!-- end -->").expect("the marker behind it");
    let wanted = format!("{head}{begin}\n\n{wanted}\n<!-- end -->{tail}");
    if std::env::var_os("CHANGEOVER_ACCEPT").is_some() {
        return std::fs::write(&path, wanted).unwrap();
    }
    assert_eq!(text, wanted, "{page} is not what the code says; CHANGEOVER_ACCEPT=1 rewrites it");
}

#[test]
fn the_machines_page_is_the_codes() {
    let mut page = format!("```mermaid\n{}```\n\n", drawing::mermaid());
    page.push_str("| phase | event | leads to | by | means |\n| --- | --- | --- | --- | --- |\n");
    for arrow in drawing::arrows() {
        let from = arrow.from.map_or_else(|| "–".to_owned(), |from| format!("`{}`", from.name()));
        let to: Vec<String> = arrow.to_names().into_iter().map(|to| format!("`{to}`")).collect();
        let _ = writeln!(page, "| {from} | `{}` | {} | {} | {} |", arrow.event, to.join(", "), arrow.by.name(), arrow.sentence);
    }
    golden("docs/reference/machine.md", "src/domain/machine/edges.rs", &page);
}

#[test]
fn the_page_for_stuck_runs_is_the_codes() {
    let mut page = String::new();
    for (name, text) in BUILT_IN {
        let procedure = Procedure::load(name, text).unwrap();
        let _ = writeln!(page, "## {name}\n\nBefore the first step: {}.\n", stops::pair(&stops(&procedure)[0].before));
        for stop in stops(&procedure) {
            page.push_str(&section(name, &stop));
        }
    }
    golden("docs/guides/stuck-run.md", "tests/it/generated/stops.rs", &page);
}

fn stops(procedure: &Procedure) -> Vec<Stop> {
    stops::of(procedure, "1.0".parse().unwrap(), "2.0".parse().unwrap())
}

fn section(name: &str, stop: &Stop) -> String {
    let (step, pair) = (&stop.step, stops::pair(&stop.after));
    let pair = if pair == stops::pair(&stop.before) { "as before".to_owned() } else { pair };
    let sentence = step.sentence();
    let end = if sentence.ends_with('?') { "" } else { "." };
    let or_else = stops::or_else(stop).map(|way| format!("- Or: {way}.\n")).unwrap_or_default();
    format!(
        "### {name}: `{}`\n\n{sentence}{end}\n\n- While it is under way: {}.\n- Once it is done: {pair}.\n- If it ends there: {}.\n{or_else}\n",
        step.id,
        stops::during(stop),
        stops::way_on(stop)
    )
}

/// Each stop has a way on, and none of them needs what only the daemon could do.
#[test]
fn every_stop_of_both_procedures_has_a_way_on() {
    for (name, text) in BUILT_IN {
        for stop in stops(&Procedure::load(name, text).unwrap()) {
            assert!(!stop.found.ways.is_empty(), "{name}: {}: {:?}", stop.step.id, stop.after);
        }
    }
}
