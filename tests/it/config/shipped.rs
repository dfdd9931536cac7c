//! The files that are shipped, `config show` and the reference: they don't drift from what the code reads.

use std::fs;

use changeover::config::{Hands, NodeDriver, keys, load, reference, show};
use changeover::domain::labels::Label;
use changeover::domain::site::Policy;

use super::{ACTIONS, changed, good, lab, load_files, root};

#[test]
fn an_empty_main_file_is_the_shipped_one() {
    let shipped = fs::read_to_string(root().join("config/changeover.toml")).unwrap();
    let without_origins = |files: &[(&str, &str)]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config/changeover.toml");
        fs::create_dir_all(folder.path().join("config/procedures")).unwrap();
        fs::create_dir_all(folder.path().join("config/sites.d")).unwrap();
        fs::write(&path, files[0].1).unwrap();
        let text = show(&load(&path, ACTIONS).unwrap(), false);
        text.replace(&folder.path().canonicalize().unwrap().display().to_string(), "")
            .replace(&folder.path().display().to_string(), "")
    };
    assert_eq!(without_origins(&[("changeover.toml", "")]), without_origins(&[("changeover.toml", &shipped)]));
}

/// Turns the commented examples of a shipped file into keys.
fn uncommented(text: &str) -> String {
    let is_example = |line: &str| {
        line.starts_with("# [")
            || line.starts_with("# ")
                && line[2..].split(" = ").next().unwrap().chars().all(|c| c.is_ascii_lowercase() || c == '_')
                && line.contains(" = ")
    };
    text.lines().map(|line| if is_example(line) { &line[2..] } else { line }).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_files_name_every_key_and_load() {
    let main = uncommented(&fs::read_to_string(root().join("config/changeover.toml")).unwrap());
    let main = changed(&main, "procedures = \"procedures\"", "");
    let site = uncommented(&fs::read_to_string(root().join("config/sites.d/support.toml.example")).unwrap());
    let site = changed(&site, "hands = \"operator\"", "hands = \"console\"");
    let files = [
        ("freezes.ics", "BEGIN:VCALENDAR\nEND:VCALENDAR\n"),
        ("changeover.toml", main.as_str()),
        ("sites.d/support.toml", &site),
        ("sites.d/lab.toml", &lab()),
    ];
    let settings = load_files(&files).unwrap_or_else(|errors| panic!("{errors}"));
    let support = settings.site("support").unwrap();
    assert_eq!((settings.alerts.len(), settings.exports.len(), support.traffic.len()), (2, 1, 3));
    assert_eq!(support.site.calendar.freezes.len(), 4);
    let NodeDriver::BeyondTrust { hands: Hands::Console(console), .. } = &support.nodes.a else {
        panic!("{:?}", support.nodes.a)
    };
    assert_eq!((console.login.username.as_str(), console.appliance.username.as_str()), ("updater", "admin"));
    assert_eq!(console.labels.words(Label::Install), ["Installer"]);
    let rehearsal = support.site.policy.rehearsal.clone().unwrap();
    assert_eq!((rehearsal.site.as_str(), rehearsal.roles.as_slice()), ("lab", &["owner".to_owned()][..]));
    let single = fs::read_to_string(root().join("config/single.toml.example")).unwrap();
    for key in keys::KEYS.iter().filter(|key| (key.table, key.name) != ("main", "procedures")) {
        let text = match key.table {
            table if table.starts_with("single") => &single,
            table if table.starts_with("site") => &site,
            _ => &main,
        };
        assert!(text.contains(&format!("\n{} = ", key.name)), "{}.{} is not in its shipped file", key.table, key.name);
    }
}

#[test]
fn the_example_as_shipped_loads_with_the_defaults_of_the_code() {
    let site = fs::read_to_string(root().join("config/sites.d/support.toml.example")).unwrap();
    let settings =
        load_files(&[("changeover.toml", ""), ("sites.d/support.toml", &site)]).unwrap_or_else(|errors| panic!("{errors}"));
    let policy = Policy { expected: Default::default(), limits: Default::default(), ..settings.sites[0].site.policy.clone() };
    assert_eq!(policy, Policy::default());
}

#[test]
fn show_says_where_each_value_comes_from_and_loads_again() {
    let text = show(&good(), true).replace(&format!("{}/", root().display()), "");
    for line in [
        "# tests/fixtures/config/good/changeover.toml\n",
        "state = \"tests/fixtures/config/var\"  # tests/fixtures/config/good/changeover.toml:1\n",
        "sites = \"tests/fixtures/config/good/sites.d\"  # default\n",
        "url = \"https://ops.example.com/…\"  # tests/fixtures/config/good/changeover.toml:9\n",
        "[[traffic]]\ndriver = \"rfc2136\"  # tests/fixtures/config/good/sites.d/support.toml:15\n",
        "tsig_algorithm = \"hmac-sha256\"  # default\n",
        "min_soak = \"24h\"  # default\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("T0KEN"));
    let plain = show(&good(), false);
    let (main, sites) = plain.split_once("\n# ").unwrap();
    let site = &sites[..sites.find("\n# ").unwrap()];
    let site = site.split_once('\n').unwrap().1;
    let again = load_files(&[("changeover.toml", &main.replace("/…", "/hook/T0KEN")), ("sites.d/support.toml", site)]);
    // The folder of sites is named, so the copy of the site is not read; the site is compared on its own.
    assert!(again.is_ok(), "{again:?}");
    let again = load_files(&[("changeover.toml", ""), ("sites.d/support.toml", site)]).unwrap();
    let first = good();
    assert_eq!(again.sites[0].site, first.sites[0].site);
    assert_eq!((&again.sites[0].nodes, &again.sites[0].traffic), (&first.sites[0].nodes, &first.sites[0].traffic));
}

#[test]
fn the_reference_is_that_of_the_code() {
    let path = root().join("docs/reference/config.md");
    let page = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("rewrites it -->\n", "<!-- end -->");
    let (head, rest) = page.split_once(begin).unwrap();
    let (found, tail) = rest.split_once(end).unwrap();
    let expected = format!("\n{}\n", reference());
    if std::env::var_os("CHANGEOVER_ACCEPT").is_some() {
        fs::write(&path, format!("{head}{begin}{expected}{end}{tail}")).unwrap();
    } else {
        assert_eq!(found, expected, "docs/reference/config.md is not what the code says; run this test with CHANGEOVER_ACCEPT=1");
    }
}
