//! API accounts in the configuration: second sets and the budget.

use std::fs;

use changeover::config::{Accounts, CredentialSet, Login, NodeDriver, Settings, load};
use changeover::domain::action;

const SITE: &str = include_str!("../fixtures/config/good/sites.d/vienna.toml");
const SECOND: &str = "[nodes.a.second]\nclient_id = \"77aa\"\nclient_secret_file = \"/secrets/second\"\n";

fn load_with(main: &str, node_a: &str) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sites.d")).unwrap();
    fs::write(folder.path().join("changeover.toml"), main).unwrap();
    let site = SITE.replacen("[nodes.b]", &format!("{node_a}[nodes.b]"), 1);
    fs::write(folder.path().join("sites.d/vienna.toml"), site).unwrap();
    let prefix = format!("{}/", folder.path().display());
    load(&folder.path().join("changeover.toml"), &action::names()).map_err(|errors| errors.to_string().replace(&prefix, ""))
}

#[test]
fn a_second_set_and_the_budget_are_read() {
    let settings = load_with("[accounts]\ncalls_per_second = 20\ncalls_per_hour = 15000\n", SECOND).unwrap();
    assert_eq!(settings.accounts, Accounts { calls_per_second: 20, calls_per_hour: 15_000 });
    let set = CredentialSet { login: Login::Client, name: "77aa".to_owned(), secret_file: "/secrets/second".into() };
    let NodeDriver::BeyondTrust { second, .. } = &settings.sites[0].nodes.a else { panic!("{:?}", settings.sites[0].nodes.a) };
    assert_eq!(second.as_deref(), Some(&set));
    let plain = load_with("", "").unwrap();
    assert_eq!(plain.accounts, Accounts { calls_per_second: 10, calls_per_hour: 7500 });
    assert!(matches!(&plain.sites[0].nodes.a, NodeDriver::BeyondTrust { second: None, .. }));
}

#[test]
fn what_can_not_be_meant_is_refused() {
    for (main, second, says) in [
        (
            "[accounts]\ncalls_per_hour = 15001\n",
            "",
            "changeover.toml:2: `calls_per_hour` in `[accounts]` is 15001; the vendor allows an account 15000",
        ),
        (
            "[accounts]\ncalls_per_second = 21\n",
            "",
            "changeover.toml:2: `calls_per_second` in `[accounts]` is 21; the vendor allows an account 20",
        ),
        ("[accounts]\ncalls_per_second = 0\n", "", "whole number from 1"),
        ("", "[nodes.a.second]\nclient_id = \"77aa\"\n", "client_secret_file"),
        ("", "[nodes.a.second]\nclient_id = \"77aa\"\nclient_secret = \"x\"\n", "client_secret"),
        ("", "[nodes.a.second]\nclient_id = \"5d2c8f\"\nclient_secret_file = \"/x\"\n", "is the first one again"),
    ] {
        let found = load_with(main, second).unwrap_err();
        assert!(found.contains(says), "{main}{second}: {found}");
    }
}

/// What the old login never knew: the JSON edition, and a backup with a password.
#[test]
fn a_user_name_stands_beside_nothing_that_needs_an_api_account() {
    const USER: &str = "[nodes.a.second]\nusername = \"anna\"\npassword_file = \"/secrets/anna\"\n";
    for (key, says) in [
        ("api = \"v2\"\n", "sites.d/vienna.toml:11: `api = \"v2\"` in `[nodes.a]` stands beside `username`"),
        (
            "backup_password_file = \"/p\"\n",
            "sites.d/vienna.toml:11: `backup_password_file` in `[nodes.a]` stands beside `username`",
        ),
    ] {
        let found = load_with("", &format!("{key}{USER}")).unwrap_err();
        assert!(found.contains(says), "{key}: {found}");
        assert!(load_with("", &format!("{key}{SECOND}")).is_ok(), "{key}");
    }
    for key in ["api = \"xml\"\n", "api = \"auto\"\n"] {
        assert!(load_with("", &format!("{key}{USER}")).is_ok(), "{key}");
    }
}

/// BG-50: an extraction reaches an hour beyond its range, and no further.
#[test]
fn bg_50_a_clock_may_differ_by_no_more_than_an_extraction_reaches() {
    for (skew, good) in [("1s", true), ("10m", true), ("1h", true), ("3601s", false), ("2h", false)] {
        let loaded = load_with("", &format!("[policy]\nmax_clock_skew = \"{skew}\"\n"));
        let says = "sites.d/vienna.toml:12: `max_clock_skew` in `[policy]` is";
        match loaded {
            Ok(_) => assert!(good, "{skew}"),
            Err(found) => assert!(!good && found.contains(says) && found.contains("at most 1h"), "{skew}: {found}"),
        }
    }
}
