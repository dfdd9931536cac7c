//! The commands that read files and need no daemon: `config`, and `procedures` with a folder of the operator's own.

use std::path::Path;

use serde_json::json;

use super::{Left, binary, run};

const ROLE_SWAP: &str = include_str!("../../../config/procedures/role-swap.toml");

const NO_SITE: &str =
    "config/changeover.toml: `sites` at the top level: no site is configured: the folder has no file `<name>.toml`";

/// A folder with these files; `config/changeover.toml` is where the commands look.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn run_in(folder: &Path, args: &[&str]) -> Left {
    Left::of(binary().args(args).current_dir(folder).output().unwrap())
}

#[test]
fn a_good_configuration_is_0_and_a_bad_one_1_with_every_problem() {
    let good = folder(&[("config/changeover.toml", "state = \"../state\"\n")]);
    let left = run_in(good.path(), &["config", "check"]);
    assert_eq!(
        (left.code, left.stdout.as_str()),
        (0, "`config/changeover.toml` can be used: 0 sites, 2 procedures\n"),
        "{left:?}"
    );
    let left = run_in(good.path(), &["config", "check", "--json"]);
    assert_eq!(left.json(), json!({ "ok": true, "sites": [], "procedures": 2, "warnings": [NO_SITE] }));

    let bad = folder(&[("config/changeover.toml", "sate = \"../state\"\n[log]\nformat = \"humane\"\n")]);
    for args in [&["config", "check"][..], &["config", "show"], &["procedures", "list"]] {
        let left = run_in(bad.path(), args);
        assert_eq!((left.code, left.stdout.as_str()), (1, ""), "{args:?}: {left:?}");
        assert!(left.stderr.starts_with("error: the configuration `config/changeover.toml` can't be used\n"), "{left:?}");
        assert!(left.stderr.contains("\n  caused by: config/changeover.toml:1: "), "{left:?}");
        assert!(left.stderr.contains("\n  caused by: config/changeover.toml:3: "), "{left:?}");
    }
    let error = run_in(bad.path(), &["config", "check", "--json"]).error();
    assert_eq!((error["code"].as_str(), error["causes"].as_array().map(Vec::len)), (Some("bad_config"), Some(2)));
    assert_eq!(run_in(bad.path(), &["config", "check", "--config", "none.toml"]).code, 1);
}

#[test]
fn who_cannot_read_an_error_is_given_its_exit_code() {
    for args in
        [&["status", "nosuch-1"][..], &["status", "nosuch-1", "--json"], &["config", "check", "--config", "/nowhere.toml"]]
    {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let status = super::binary().args(args).stderr(full).status().unwrap();
        assert_eq!(status.code(), Some(1), "{args:?}: {status}");
    }
}

#[test]
fn config_show_has_every_setting_with_its_origin() {
    let good = folder(&[("config/changeover.toml", "[log]\nfilter = \"debug\"\n")]);
    let left = run_in(good.path(), &["config", "show", "--origin"]);
    assert_eq!(left.code, 0);
    assert!(left.stdout.contains("filter = \"debug\"  # config/changeover.toml:2\n"), "{}", left.stdout);
    assert!(left.stdout.contains("format = \"human\"  # default\n"), "{}", left.stdout);
    let shown = run_in(good.path(), &["config", "show", "--json"]).json();
    let filter = shown["settings"].as_array().unwrap().iter().find(|setting| setting["key"] == "filter").unwrap().clone();
    assert_eq!(
        filter,
        json!({ "file": "config/changeover.toml", "line": 2, "table": "[log]", "key": "filter", "value": "\"debug\"" })
    );
}

#[test]
fn own_procedures_stand_beside_the_built_in_ones() {
    let own = ROLE_SWAP.replacen("\"role-swap\"", "\"our-swap\"", 1).replacen("title = \"Update", "title = \"Ours: update", 1);
    let files = [("config/changeover.toml", ""), ("config/procedures/our-swap.toml", own.as_str())];
    let folder_ = folder(&files);
    let left = run_in(folder_.path(), &["procedures", "list"]);
    assert_eq!(left.stdout.lines().last(), Some("our-swap   Ours: update the standby first, then let it serve"), "{left:?}");
    assert_eq!(run_in(folder_.path(), &["procedures", "show", "our-swap"]).stdout, own);
    let elsewhere = folder_.path().join("config/changeover.toml");
    let left = run(&["procedures", "show", "our-swap", "--json", "--config", elsewhere.to_str().unwrap()]);
    assert_eq!(left.json()["name"], "our-swap");

    // A document that breaks a promise is refused with its line, by the check too.
    let broken = own.replacen("action = \"force_sync\"", "action = \"check_sync\"", 1);
    let folder_ = folder(&[("config/changeover.toml", ""), ("config/procedures/our-swap.toml", broken.as_str())]);
    for args in [&["procedures", "list", "--json"][..], &["config", "check", "--json"]] {
        let left = run_in(folder_.path(), args);
        assert_eq!((left.code, left.error()["code"].clone()), (1, json!("bad_procedure")), "{args:?}: {left:?}");
        assert!(left.error()["message"].as_str().unwrap().contains("R1"), "{left:?}");
    }
}

#[test]
fn two_own_procedures_of_one_name_are_refused() {
    let own = ROLE_SWAP.replacen("\"role-swap\"", "\"our-swap\"", 1);
    let files = [
        ("config/changeover.toml", ""),
        ("config/procedures/mine.toml", own.as_str()),
        ("config/procedures/role-swap.toml", ROLE_SWAP),
        ("config/procedures/your.toml", &own),
    ];
    let folder = folder(&files);
    for args in [&["procedures", "list", "--json"][..], &["config", "check", "--json"]] {
        let error = run_in(folder.path(), args).error();
        assert_eq!(error["code"], "bad_procedure", "{args:?}: {error}");
        let message = error["message"].as_str().unwrap();
        for part in ["`our-swap`", "procedures/mine.toml", "procedures/your.toml"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    // One of a built-in's name takes its place.
    std::fs::remove_file(folder.path().join("config/procedures/your.toml")).unwrap();
    assert_eq!(run_in(folder.path(), &["procedures", "list"]).code, 0);
}

/// An editor's lock is a link to nowhere.
#[test]
fn hidden_files_are_no_procedures() {
    let folder = folder(&[("config/changeover.toml", ""), ("config/procedures/.own.toml", "no procedure")]);
    std::os::unix::fs::symlink("anna@host.4711", folder.path().join("config/procedures/.#mine.toml")).unwrap();
    let left = run_in(folder.path(), &["config", "check", "--json"]);
    assert_eq!((left.code, &left.json()["procedures"]), (0, &json!(2)), "{left:?}");
}

#[test]
fn the_machine_is_listed_and_drawn() {
    let left = run(&["machine", "list"]);
    assert_eq!(
        (left.code, left.stdout.lines().next().map(|head| head.split_whitespace().collect::<Vec<_>>())),
        (0, Some(vec!["PHASE", "EVENT", "NEXT", "BY", "MEANS"]))
    );
    let listed = run(&["machine", "list", "--json"]).json();
    let edges = listed["edges"].as_array().unwrap();
    assert_eq!(edges.len() + 1, left.stdout.lines().count());
    assert_eq!(
        edges[0],
        json!({ "from": null, "event": "started", "to": ["ready"], "by": "person", "sentence": edges[0]["sentence"] })
    );
    let accepted = edges.iter().find(|edge| edge["event"] == "act_accepted").unwrap();
    assert_eq!((&accepted["from"], &accepted["to"], &accepted["by"]), (&json!("acting"), &json!(["waiting"]), &json!("answer")));
    let drawn = run(&["machine", "draw"]);
    assert!(drawn.code == 0 && drawn.stdout.starts_with("stateDiagram-v2\n    [*] --> ready: started\n"), "{drawn:?}");
    let text = run(&["machine", "draw", "--format", "text"]);
    assert!(text.stdout.contains("\nacting\n  --> ready      step_done\n"), "{}", text.stdout);
    assert_eq!(run(&["machine", "draw", "--format", "picture"]).code, 2);
}
