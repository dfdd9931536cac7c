//! Configuration: what loads; in the parts what is refused and with which words, and that the shipped files and the reference
//! don't drift.

mod pipes;
mod refused;
mod shipped;
mod slips;

use std::fs;
use std::path::{Path, PathBuf};

use changeover::config::{
    ConfigErrors, Hands, HookTarget, Leads, LogFormat, NodeDriver, Problem, Settings, TlsTrust, TrafficDriver, TsigAlgorithm,
    load,
};
use changeover::domain::ids::PerNode;
use changeover::domain::site::Policy;
use jiff::SignedDuration;

const ACTIONS: &[&str] = &["preflight", "backup", "force_sync", "update", "drain", "extract_data", "final_check"];

const SITE: &str = include_str!("../fixtures/config/good/sites.d/support.toml");
const BEYONDTRUST: &str = include_str!("../fixtures/config/good/sites.d/vienna.toml");
const MAIN: &str = include_str!("../fixtures/config/good/changeover.toml");

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn good() -> Settings {
    load(&root().join("tests/fixtures/config/good/changeover.toml"), ACTIONS).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Writes a configuration and loads it; problems come back with the folder's path cut off.
fn load_files(files: &[(&str, &str)]) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sites.d")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let prefix = format!("{}/", folder.path().display());
    load(&folder.path().join("changeover.toml"), ACTIONS).map_err(|errors: ConfigErrors| errors.to_string().replace(&prefix, ""))
}

/// A text with one place changed; the place must be there.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

/// A site beside the shipped one, on which a rehearsal may take place.
fn lab() -> String {
    changed(BEYONDTRUST, "name = \"vienna\"", "name = \"lab\"")
}

#[test]
fn a_good_configuration_loads() {
    let settings = good();
    let folder = root().join("tests/fixtures/config");
    assert_eq!(settings.state, folder.join("var"));
    assert_eq!(settings.procedures_dir, folder.join("good/procedures"));
    assert_eq!(settings.api.socket, folder.join("state/changeover.sock"));
    assert_eq!(settings.api.listen, Some("127.0.0.1:8470".parse().unwrap()));
    assert_eq!((settings.log.format, settings.log.filter.as_str()), (LogFormat::Json, "info,changeover=debug"));
    let [ops, pager] = settings.alerts.as_slice() else { panic!("{:?}", settings.alerts) };
    assert!(ops.wants("held") && !ops.wants("finished") && pager.wants("finished"));
    assert_eq!(ops.timeout, SignedDuration::from_secs(10));
    let page = folder.join("good/bin/page").display().to_string();
    assert_eq!(pager.target, HookTarget::Program { program: vec![page, "--loud".into()] });
    assert_eq!(settings.exports[0].target, HookTarget::Program { program: vec!["cat".into()] });
    assert_eq!(settings.sites.iter().map(|site| site.site.name.as_str()).collect::<Vec<_>>(), ["support", "vienna"]);
}

#[test]
fn a_site_is_read_key_by_key() {
    let settings = good();
    let support = settings.site("support").unwrap();
    assert_eq!(support.site.service, "support.example.com");
    assert_eq!(support.site.procedure.as_deref(), Some("role-swap"));
    let program = root().join("tests/fixtures/config/good/bin/ctl").display().to_string();
    assert_eq!(support.nodes.b, NodeDriver::Exec { program: vec![program, "b".into()] });
    let expected = TrafficDriver::Rfc2136 {
        primary: "192.0.2.53:53".parse().unwrap(),
        servers: vec!["192.0.2.53:53".parse().unwrap(), "[2001:db8::54]:5353".parse().unwrap()],
        resolvers: Vec::new(),
        zone: "example.com".into(),
        records: vec!["support.example.com".into()],
        leads: None,
        ttl: Some(60),
        tsig_name: "changeover".into(),
        tsig_algorithm: TsigAlgorithm::HmacSha256,
        tsig_secret_file: root().join("tests/fixtures/config/good/secrets/tsig.b64"),
    };
    assert_eq!(support.traffic, [expected, TrafficDriver::Exec { program: vec!["nat".into()] }]);
    assert_eq!(support.site.policy.max_unprotected, SignedDuration::from_hours(168));
    assert_eq!(support.site.policy.expected["update"], SignedDuration::from_hours(1));
    assert_eq!(support.windows.first.as_deref(), Some("2026-11-22T02:00[Europe/Berlin] +4h"));
    let vienna = settings.site("vienna").unwrap();
    let NodeDriver::BeyondTrust { url, hands: Hands::Operator, tls, .. } = &vienna.nodes.a else {
        panic!("{:?}", vienna.nodes.a)
    };
    assert_eq!((url.as_str(), tls), ("https://127.0.1.1:8443/", &TlsTrust::Pins(vec![[0; 32]])));
    assert_eq!(vienna.site.policy, Policy::default());
}

/// BG-40: an entry may move several names, both families or an alias, and have its servers found.
#[test]
fn traffic_has_more_forms_than_one_address() {
    let traffic = |from: &str, to: &str| {
        let files = [("changeover.toml", ""), ("sites.d/vienna.toml", &*changed(BEYONDTRUST, from, to))];
        load_files(&files).map(|settings| settings.sites[0].traffic[0].clone()).unwrap()
    };
    let more = "servers = [\"127.0.1.53\"]\nresolvers = [\"127.0.0.1\"]\nrecords = [\"WWW.vienna.example.com.\"]\n";
    let TrafficDriver::Manual { servers, resolvers, records, leads } = traffic("servers = [\"127.0.1.53\"]", more) else {
        panic!()
    };
    assert_eq!((servers, resolvers), (vec!["127.0.1.53:53".parse().unwrap()], vec!["127.0.0.1:53".parse().unwrap()]));
    assert_eq!((records[1].as_str(), leads), ("www.vienna.example.com", None));
    let both = "addresses = { a = [\"127.0.0.1\", \"::1\"], b = [\"127.0.0.2\", \"::2\"] }\nservers";
    let TrafficDriver::Manual { leads, .. } = traffic("servers", both) else { panic!() };
    let [a, b] = [["127.0.0.1", "::1"], ["127.0.0.2", "::2"]].map(|node| node.map(|text| text.parse().unwrap()).to_vec());
    assert_eq!(leads, Some(Leads::Addresses(PerNode { a, b })));
    let alias = "targets = { a = \"a.example.com\", b = \"B.example.com\" }\nservers";
    let TrafficDriver::Manual { leads, .. } = traffic("servers", alias) else { panic!() };
    assert_eq!(leads, Some(Leads::Names(PerNode { a: "a.example.com".into(), b: "b.example.com".into() })));
}

/// BG-40: without `servers` they are found; which they are is then not known before.
#[test]
fn servers_may_be_left_out_but_not_with_another_clock() {
    let entry =
        "driver = \"rfc2136\"\nprimary = \"127.0.1.53\"\nzone = \"example.net\"\ntsig_name = \"k\"\ntsig_secret_file = \"x\"";
    let text = changed(&changed(BEYONDTRUST, "servers = [\"127.0.1.53\"]\n", ""), "driver = \"manual\"", entry);
    let settings = load_files(&[("changeover.toml", ""), ("sites.d/vienna.toml", &text)]).unwrap();
    let TrafficDriver::Rfc2136 { servers, .. } = &settings.sites[0].traffic[0] else { panic!() };
    assert!(servers.is_empty());
    let refused = settings.sites[0].all_loopback().unwrap_err();
    assert_eq!(refused, "site `vienna`: a `[[traffic]]` entry without `servers` finds servers of any address");
}

#[test]
fn only_a_site_on_loopback_may_have_another_clock() {
    let settings = good();
    assert_eq!(settings.site("vienna").unwrap().all_loopback(), Ok(()));
    let refused = settings.site("support").unwrap().all_loopback().unwrap_err();
    assert_eq!(refused, "site `support`: address 192.0.2.10 of node `a` is not a loopback address");
    let cases = [
        (
            "https://localhost:8444",
            "https://box.example.net",
            "site `vienna`: the URL of node `b` does not lead to a loopback address",
        ),
        (
            "servers = [\"127.0.1.53\"]",
            "servers = [\"192.0.2.1\"]",
            "site `vienna`: DNS server 192.0.2.1:53 has no loopback address",
        ),
    ];
    for (from, to, message) in cases {
        let settings = load_files(&[("changeover.toml", ""), ("sites.d/vienna.toml", &changed(BEYONDTRUST, from, to))]).unwrap();
        assert_eq!(settings.sites[0].all_loopback(), Err(message.to_owned()));
    }
}

/// R11: the key's defaults, and a rehearsal site that there is and that is another one.
#[test]
fn r11_a_rehearsal_site_is_another_site_of_the_configuration() {
    let load = |table: &str| {
        let site = changed(SITE, "[policy]", &format!("[policy.rehearsal]\n{table}\n[policy]"));
        load_files(&[("changeover.toml", ""), ("sites.d/support.toml", &site), ("sites.d/lab.toml", &lab())])
    };
    let rehearsal = load("site = \"lab\"").unwrap().site("support").unwrap().site.policy.rehearsal.clone().unwrap();
    assert_eq!((rehearsal.valid_for, rehearsal.roles.len()), (SignedDuration::from_hours(30 * 24), 0));
    let refused = [
        ("site = \"nowhere\"", ":26: `site` in `[policy.rehearsal]`: no site is named `nowhere`"),
        ("site = \"support\"", ":26: `site` in `[policy.rehearsal]`: a rehearsal takes place on another site"),
        ("valid_for = \"1d\"", ":25: missing key `site` in `[policy.rehearsal]`: a text"),
        ("site = \"lab\"\nvalid = \"1d\"", ":27: unknown key `valid` in `[policy.rehearsal]`"),
    ];
    for (table, message) in refused {
        let errors = load(table).unwrap_err();
        assert!(errors.contains(message), "{table}: {errors}");
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    assert!(load_files(&[]).unwrap_err().starts_with("changeover.toml: cannot be read: "));
    let found = load_files(&[("changeover.toml", "sites = \"nowhere\"")]).unwrap_err();
    assert!(found.starts_with("changeover.toml:1: `sites` at the top level: folder "), "{found}");
    let long = "#".repeat(1024 * 1024 + 1);
    assert_eq!(load_files(&[("changeover.toml", &long)]).unwrap_err(), "changeover.toml: is longer than 1048576 bytes");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("changeover.toml");
    fs::write(&file, b"[api]\n\xff").unwrap();
    assert!(load(&file, ACTIONS).unwrap_err().to_string().ends_with("changeover.toml:2: is not UTF-8 text"));
}

#[test]
fn files_and_programs_are_looked_at_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "whsec_x").unwrap();
    let text = format!(
        "[[alerts.webhook]]\nname = \"w\"\nurl = \"https://x\"\nsecret_file = \"{}\"\n[[alerts.webhook]]\nname = \"v\"\n\
         url = \"https://x\"\nsecret_file = \"/nowhere/secret\"\n[[alerts.program]]\nname = \"p\"\nprogram = [\"sh\"]\n\
         [[alerts.program]]\nname = \"q\"\nprogram = [\"no-such-program-here\"]\n[[alerts.program]]\nname = \"r\"\nprogram = [\"{0}\"]\n",
        secret.display()
    );
    let settings = load_files(&[("changeover.toml", &text)]).unwrap();
    let found: Vec<String> = changeover::config::check_files(&settings).iter().map(|problem| problem.message.clone()).collect();
    let expected = [
        "`secret_file` in `[[alerts.webhook]]`: /nowhere/secret cannot be read: No such file or directory (os error 2)"
            .to_owned(),
        "`program` in `[[alerts.program]]`: there is no program `no-such-program-here` in `PATH`".to_owned(),
        format!("`program` in `[[alerts.program]]`: {} is not a program that can be run", secret.display()),
    ];
    assert_eq!(found, expected);
    set_mode(&secret, 0o604);
    assert_eq!(changeover::config::warnings(&settings).len(), 1);
    set_mode(&secret, 0o640);
    assert!(changeover::config::warnings(&settings).is_empty());
}

#[test]
fn the_folder_of_the_socket_is_looked_at_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (here, shut) = (folder.path().display(), folder.path().join("shut"));
    fs::write(folder.path().join("file"), "").unwrap();
    fs::create_dir(&shut).unwrap();
    set_mode(&shut, 0o555);
    let shut_to_all_but_root = format!("this user may not make a socket in the folder {here}/shut");
    let shut_to_us = Some(shut_to_all_but_root).filter(|_| !rustix::process::geteuid().is_root());
    let hint = "; see that it is made at the daemon's start, as by `RuntimeDirectory=` of systemd";
    let (absent, later) = ("there is no folder /nowhere/sockets", format!("there is no folder /run/nowhere/here{hint}"));
    let cases = [
        (format!("{here}"), None, None),
        // The daemon makes its state folder, and what that lies in.
        ("/nowhere/else/state".to_owned(), None, None),
        ("/nowhere/else".to_owned(), None, None),
        ("/nowhere/sockets".to_owned(), Some(absent.to_owned()), None),
        (format!("{here}/file"), Some(format!("{here}/file is not a folder")), None),
        (format!("{here}/shut"), shut_to_us, None),
        ("/run/nowhere/here".to_owned(), None, Some(later)),
    ];
    for (place, error, warning) in cases {
        let text = format!("state = \"/nowhere/else/state\"\n[api]\nsocket = \"{place}/c.sock\"\n");
        let settings = load_files(&[("changeover.toml", &text)]).unwrap();
        let told = |problems: Vec<Problem>| -> Vec<_> { problems.into_iter().map(|found| (found.line, found.message)).collect() };
        let expected = |what: Option<String>| Vec::from_iter(what.map(|what| (Some(3), format!("`socket` in `[api]`: {what}"))));
        assert_eq!(told(changeover::config::check_files(&settings)), expected(error), "{place}");
        assert_eq!(told(changeover::config::warnings(&settings)), expected(warning), "{place}");
    }
}

/// Only `state` was set elsewhere.
#[test]
fn a_socket_that_nobody_named_needs_its_folder_too() {
    let settings = load_files(&[("changeover.toml", "state = \"/nowhere\"\n")]).unwrap();
    let usual = settings.api.socket.parent().unwrap().to_owned();
    let found: Vec<String> = changeover::config::check_files(&settings).iter().map(|problem| problem.message.clone()).collect();
    let expected = format!("`socket` in `[api]`: there is no folder {}", usual.display());
    assert_eq!(found, Vec::from_iter((!usual.exists()).then_some(expected)));
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
