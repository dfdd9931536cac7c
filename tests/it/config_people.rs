//! People, gates and waivers in the configuration: what is read, and what can't be meant.

use std::fs;

use changeover::config::{Settings, load};
use changeover::domain::action;
use changeover::domain::gate::{Expiry, Gate, GatePolicy};
use jiff::SignedDuration;

const PEOPLE: &str = "[people.op1]\nname = \"Operator One\"\nroles = [\"operator\"]\n[people.owner1]\nname = \"Owner One\"\nroles = [\"owner\", \"operator\"]\n";

const SITE: &str = "name = \"support\"\nservice = \"support.example.com\"\n[nodes.a]\ndriver = \"exec\"\nprogram = [\"ctl\"]\nidentity = \"a\"\naddress = \"192.0.2.10\"\n[nodes.b]\ndriver = \"exec\"\nprogram = [\"ctl\"]\nidentity = \"b\"\naddress = \"192.0.2.20\"\n";

fn load_with(main: &str, site: &str) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sites.d")).unwrap();
    fs::write(folder.path().join("changeover.toml"), main).unwrap();
    fs::write(folder.path().join("sites.d/support.toml"), format!("{SITE}{site}")).unwrap();
    let prefix = format!("{}/", folder.path().display());
    load(&folder.path().join("changeover.toml"), &action::names()).map_err(|errors| errors.to_string().replace(&prefix, ""))
}

#[test]
fn people_gates_and_waivers_are_read() {
    let site = "[policy.gates.production]\nroles = [\"owner\"]\nnot_starter = true\nremind_after = \"2h\"\nescalate_after = \"4h\"\ndeputies = [\"operator\"]\nexpires_after = \"7d\"\non_expiry = \"home\"\n[policy.gates.handover]\npersons = 2\n[policy.waivers]\nin_window = [\"owner\"]\n";
    let settings = load_with(PEOPLE, site).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(settings.people.who("op1").to_string(), "Operator One (op1)");
    let policy = &settings.sites[0].site.policy;
    let hours = |hours| Some(SignedDuration::from_hours(hours));
    let expected = GatePolicy {
        roles: vec!["owner".to_owned()],
        persons: 1,
        not_starter: true,
        remind_after: hours(2),
        escalate_after: hours(4),
        deputies: vec!["operator".to_owned()],
        expires_after: hours(168),
        on_expiry: Expiry::Home,
    };
    assert_eq!(policy.gate(Gate::Production), expected);
    assert_eq!(policy.gate(Gate::Handover), GatePolicy { persons: 2, ..GatePolicy::default() });
    assert_eq!(policy.gate(Gate::GoLive), GatePolicy::default());
    assert_eq!((policy.waiver("in_window"), policy.waiver("min_soak")), (["owner".to_owned()].as_slice(), [].as_slice()));
    assert!(load_with(PEOPLE, "[windows]\nresponsible = \"op1\"\n").is_ok());
    assert!(load_with("", "[windows]\nresponsible = \"op9\"\n").is_ok());
    // Without people roles mean nothing, and nobody can be missing.
    assert!(load_with("", site).unwrap().people.is_empty());
}

#[test]
fn what_can_not_be_meant_is_refused() {
    let gate = |lines: &str| format!("[policy.gates.production]\n{lines}\n");
    let cases = [
        (gate("persons = 0"), "`persons` in `[policy.gates.production]`: `0` is not a whole number from 1"),
        (gate("persons = \"2\""), "`persons` in `[policy.gates.production]` is a text; expected a whole number from 1"),
        (gate("not_starter = 1"), "`not_starter` in `[policy.gates.production]` is an integer; expected true or false"),
        (gate("persons = 3"), "asks for 3 persons, and 2 of `[people]` may answer"),
        (gate("roles = [\"owner\"]\npersons = 2"), "asks for 2 persons, and 1 of `[people]` may answer"),
        (gate("roles = [\"chief\"]"), "nobody in `[people]` has the role `chief` that `[policy.gates.production]` asks for"),
        (gate("roles = [\"owner\"]\nescalate_after = \"1h\""), "`escalate_after` needs `deputies`"),
        (gate("roles = [\"owner\"]\ndeputies = [\"operator\"]"), "`deputies` needs `escalate_after`"),
        (gate("escalate_after = \"1h\"\ndeputies = [\"operator\"]"), "`deputies` needs `roles`"),
        (gate("remind_after = \"2h\"\nexpires_after = \"2h\""), "`expires_after` is not longer than `remind_after`"),
        (
            gate("roles = [\"owner\"]\nescalate_after = \"3h\"\ndeputies = [\"operator\"]\nexpires_after = \"2h\""),
            "`expires_after` is not longer than `escalate_after`",
        ),
        (gate("on_expiry = \"home\""), "`on_expiry = \"home\"` needs `expires_after`"),
        ("[windows]\nresponsible = \"op9\"\n".to_owned(), "`responsible` in `[windows]` is user `op9`, who is not in `[people]`"),
        (gate("on_expiry = \"on\""), "`on` is not one of \"hold\", \"home\""),
        (gate("rolse = [\"owner\"]"), "unknown key `rolse` in `[policy.gates.production]`; did you mean `roles`?"),
        ("[policy.gates.prodction]\n".to_owned(), "`prodction` in `[policy.gates]` is not a gate; did you mean `production`?"),
        ("[policy.gates]\nproduction = 1\n".to_owned(), "is an integer; expected the table `[policy.gates.production]`"),
        ("[policy.gates.sync_status]\nremind_after = \"1h\"\n".to_owned(), "this gate opens only where it is needed"),
        ("[policy.waivers]\nmin_soak = [\"chief\"]\n".to_owned(), "`chief` that `[policy.waivers] min_soak` asks for"),
        ("[policy.waivers]\nbacked_up = [\"owner\"]\n".to_owned(), "unknown key `backed_up` in `[policy.waivers]`"),
    ];
    for (site, expected) in cases {
        let found = load_with(PEOPLE, &site).err().unwrap_or_else(|| panic!("{site} was taken"));
        assert!(found.contains(expected) && found.contains("support.toml:"), "{site}\n{found}\nexpected {expected}");
    }
    for (main, expected) in [
        ("[people.op1]\nroles = [\"operator\"]\n", "missing key `name` in `[people.op1]`"),
        ("[people]\nop1 = \"x\"\n", "is a text; expected the table `[people.op1]`"),
        ("[people.\"o p\"]\nname = \"x\"\n", "`o p` in `[people]` is not a user name"),
        ("[people.op1]\nname = \"x\"\nrole = \"y\"\n", "unknown key `role` in `[people.op1]`; did you mean `roles`?"),
    ] {
        let found = load_with(main, "").err().unwrap_or_else(|| panic!("{main} was taken"));
        assert!(found.contains(expected) && found.contains("changeover.toml:"), "{main}\n{found}\nexpected {expected}");
    }
}
