//! Configuration: what loads, what is refused and with which words, and that the shipped files and the reference don't drift.

use std::fs;
use std::path::{Path, PathBuf};

use changeover::config::{
    ConfigErrors, Hands, HookTarget, Leads, LogFormat, NodeDriver, Problem, Settings, TlsTrust, TrafficDriver, TsigAlgorithm,
    keys, load, reference, show,
};
use changeover::domain::ids::PerNode;
use changeover::domain::labels::Label;
use changeover::domain::site::Policy;
use jiff::SignedDuration;
use proptest::prelude::*;

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

/// One place of a good site file changed, and what is then said, word by word.
const BAD_SITES: &[(&str, &str, &str)] = &[
    ("ttl =", "tll =", "sites.d/support.toml:19: unknown key `tll` in `[traffic]`; did you mean `ttl`?"),
    ("[policy]", "[polcy]", "sites.d/support.toml:25: unknown table `[polcy]`; did you mean `policy`?"),
    ("[policy]", "[policy]\ncolour = 1", "sites.d/support.toml:26: unknown key `colour` in `[policy]`"),
    (
        "zone =",
        "min_soak = \"1h\"\nzone =",
        "sites.d/support.toml:18: unknown key `min_soak` in `[traffic]`; it belongs in `[policy]`",
    ),
    ("[nodes.b]", "[nodes.c]\n[nodes.b]", "sites.d/support.toml:9: unknown table `[nodes.c]`"),
    (
        "[policy]",
        "[policy]\nprocedure = \"x\"",
        "sites.d/support.toml:26: unknown key `procedure` in `[policy]`; it belongs at the top level, above the first table",
    ),
    (
        "identity = \"appliance-a\"",
        "identity = \"appliance-a\"\nurl = \"https://a\"",
        "sites.d/support.toml:8: key `url` in `[nodes.a]` belongs to driver `beyondtrust`; the driver here is `exec`",
    ),
    (
        "tsig_secret_file = \"../secrets/tsig.b64\"",
        "tsig_secret = \"aHVudGVyMg==\"\ntsig_secret_file = \"x\"",
        "sites.d/support.toml:21: `tsig_secret` in `[traffic]` would keep a secret in this file, and secrets are given only by path: \
         write it into a file of its own and name that in `tsig_secret_file`",
    ),
    (
        "ttl =",
        "password = \"hunter2\"\nttl =",
        "sites.d/support.toml:19: `password` in `[traffic]` would keep a secret in this file, and secrets are given only by path: \
         write it into a file of its own and name that in `tsig_secret_file`",
    ),
    (
        "[policy]",
        "[policy]\ntoken = \"hunter2\"",
        "sites.d/support.toml:26: `token` in `[policy]` would keep a secret in this file, and secrets are given only by path: \
         none is needed here",
    ),
    (
        "ttl = \"60s\"",
        "ttl = 60",
        "sites.d/support.toml:19: `ttl` in `[traffic]` is an integer; expected a duration such as \"10min\"",
    ),
    ("ttl = \"60s\"", "ttl = \"1.5s\"", "sites.d/support.toml:19: `ttl` in `[traffic]`: `1.5s` is not a whole number of seconds"),
    (
        "\"1w\"",
        "\"10 apples\"",
        "sites.d/support.toml:26: `max_unprotected` in `[policy]`: `10 apples` is not a duration; expected a number with a unit, \
         as in `90s`, `10min`, `4h`, `2d` or `1w`",
    ),
    ("\"1w\"", "\"-1h\"", "sites.d/support.toml:26: `max_unprotected` in `[policy]`: `-1h` is not longer than zero"),
    ("\"1w\"", "\"9999d\"", "sites.d/support.toml:26: `max_unprotected` in `[policy]`: `9999d` is more than 366 days"),
    (
        "max_unprotected = \"1w\"",
        "sync_ok_statuses = []",
        "sites.d/support.toml:26: `sync_ok_statuses` in `[policy]` is empty; expected a list of texts",
    ),
    (
        "update = \"1h\"",
        "updat = \"1h\"",
        "sites.d/support.toml:28: `updat` in `[policy.expected]` is not an action; did you mean `update`?",
    ),
    (
        "update = \"1h\"",
        "update = 1",
        "sites.d/support.toml:28: `update` in `[policy.expected]` is an integer; expected a duration such as \"10min\"",
    ),
    (
        "update = \"3h\"",
        "update = \"30min\"",
        "sites.d/support.toml:30: `update` in `[policy.limits]` is shorter than the expected duration (line 28)",
    ),
    ("\"192.0.2.10\"", "\"192.0.2.300\"", "sites.d/support.toml:8: `address` in `[nodes.a]`: `192.0.2.300` is not an IP address"),
    ("\"192.0.2.10\"", "\"0.0.0.0\"", "sites.d/support.toml:8: `address` in `[nodes.a]`: `0.0.0.0` is no node's address"),
    (
        "\"192.0.2.10\"",
        "\"support.example.com\"",
        "sites.d/support.toml:8: `address` in `[nodes.a]`: `support.example.com` is not an IP address; a name could lead to the other node",
    ),
    ("\"192.0.2.20\"", "\"192.0.2.10\"", "sites.d/support.toml:13: node `b` has the address 192.0.2.10 of node `a` (line 8)"),
    (
        "\"192.0.2.20\"",
        "\"2001:db8::20\"",
        "sites.d/support.toml:13: node `b` has 2001:db8::20 and node `a` 192.0.2.10 (line 8); one record cannot hold either",
    ),
    (
        "\"appliance-b\"",
        "\"Appliance-A\"",
        "sites.d/support.toml:12: identity `Appliance-A` already belongs to node `a` of site `support` (sites.d/support.toml:7)",
    ),
    ("identity = \"appliance-a\"\n", "", "sites.d/support.toml:4: missing key `identity` in `[nodes.a]`: a text"),
    ("\"appliance-a\"", "\"\"", "sites.d/support.toml:7: `identity` in `[nodes.a]`: must not be empty"),
    (
        "\"appliance-a\"",
        "\"a\\nb\"",
        "sites.d/support.toml:7: `identity` in `[nodes.a]`: must be one line without control characters",
    ),
    (
        "program = [\"/opt/pair/ctl\", \"a\"]\n",
        "",
        "sites.d/support.toml:4: missing key `program` in `[nodes.a]`: a list with a program and its arguments such as [\"/opt/pair/ctl\", \"a\"]",
    ),
    (
        "[\"/opt/pair/ctl\", \"a\"]",
        "\"/opt/pair/ctl a\"",
        "sites.d/support.toml:6: `program` in `[nodes.a]` is a text; expected a list with a program and its arguments such as [\"/opt/pair/ctl\", \"a\"]",
    ),
    (
        "driver = \"exec\"\nprogram = [\"/opt",
        "driver = \"exce\"\nprogram = [\"/opt",
        "sites.d/support.toml:5: `driver` in `[nodes.a]`: `exce` is not one of \"exec\", \"beyondtrust\"; did you mean `exec`?",
    ),
    (
        "name = \"support\"",
        "name = \"suport\"",
        "sites.d/support.toml:1: `name` at the top level: `suport` is not the file's name; expected `support`",
    ),
    ("name = \"support\"\n", "", "sites.d/support.toml:1: missing key `name` at the top level: a text"),
    (
        "\"Support.example.com.\"",
        "\"192.0.2.1\"",
        "sites.d/support.toml:2: `service` at the top level: `192.0.2.1` is an address; expected a host name",
    ),
    (
        "zone = \"example.com\"",
        "zone = \"example.org\"",
        "sites.d/support.toml:18: record `support.example.com` is not in zone `example.org` (line 18)",
    ),
    (
        "\"192.0.2.53:53\",",
        "\"192.0.2.53:99999\",",
        "sites.d/support.toml:17: `servers` in `[traffic]`: `192.0.2.53:99999` is not an IP address with an optional port, as in `192.0.2.53:53` or `[2001:db8::53]:53`",
    ),
    (
        "ttl =",
        "records = [\"www.example.com\", \"Support.example.com\"]\nttl =",
        "sites.d/support.toml:19: `records` in `[traffic]` names `support.example.com`, which is moved already",
    ),
    (
        "ttl =",
        "records = [\"www.example.net\"]\nttl =",
        "sites.d/support.toml:19: record `www.example.net` is not in zone `example.com` (line 18)",
    ),
    (
        "ttl =",
        "addresses = { a = [\"192.0.2.10\", \"2001:db8::10\"], b = \"192.0.2.20\" }\nttl =",
        "sites.d/support.toml:19: `addresses` in `[traffic]`: expected for both nodes one IPv4 address, one IPv6 address, or one of each",
    ),
    (
        "ttl =",
        "addresses = { a = \"192.0.2.10\", b = \"192.0.2.10\" }\nttl =",
        "sites.d/support.toml:19: `addresses` in `[traffic]`: both nodes have 192.0.2.10",
    ),
    (
        "ttl =",
        "addresses = { a = \"192.0.2.10\", b = \"b.example.com\" }\nttl =",
        "sites.d/support.toml:19: `addresses` in `[traffic]`: `b.example.com` is not an IP address; a name could lead to the other node",
    ),
    (
        "ttl =",
        "addresses = { a = \"192.0.2.10\", c = \"192.0.2.20\" }\nttl =",
        "sites.d/support.toml:19: `addresses` in `[traffic]` is not what was expected: addresses of both nodes such as { a = [\"192.0.2.10\", \"2001:db8::10\"], b = [\"192.0.2.20\", \"2001:db8::20\"] }",
    ),
    (
        "ttl =",
        "targets = \"a.example.com\"\nttl =",
        "sites.d/support.toml:19: `targets` in `[traffic]` is a text; expected names of both nodes such as { a = \"a.example.com\", b = \"b.example.com\" }",
    ),
    (
        "ttl =",
        "targets = { a = \"a.example.com\" }\nttl =",
        "sites.d/support.toml:19: `targets` in `[traffic]`: expected one name for each node, and not the same",
    ),
    (
        "ttl =",
        "targets = { a = \"a.example.com\", b = \"support.example.com\" }\nttl =",
        "sites.d/support.toml:14: record `support.example.com` can't be an alias: it is the zone's own name or a node's",
    ),
    (
        "ttl =",
        "targets = { a = \"a.example.com\", b = \"b.example.com\" }\naddresses = { a = \"192.0.2.10\", b = \"192.0.2.20\" }\nttl =",
        "sites.d/support.toml:19: `addresses` and `targets` in `[traffic]` exclude each other: a name has addresses, or is an alias",
    ),
    (
        "ttl =",
        "resolvers = [\"192.0.2.1\", \"192.0.2.1:53\"]\nttl =",
        "sites.d/support.toml:19: `resolvers` in `[traffic]` names 192.0.2.1:53 twice",
    ),
    (
        "driver = \"exec\"\nprogram = [\"nat\"]",
        "driver = \"manual\"",
        "sites.d/support.toml:22: missing key `servers` in `[traffic]`: a list of IP addresses with optional ports such as [\"192.0.2.53:53\"]",
    ),
    ("\"[2001:db8::54]:5353\"", "\"192.0.2.53\"", "sites.d/support.toml:17: `servers` in `[traffic]` names 192.0.2.53:53 twice"),
    (
        "2026-11-26",
        "2026-11-22",
        "sites.d/support.toml:33: `second` in `[windows]` begins at 2026-11-22T01:00:00Z, before the first window ends at 2026-11-22T05:00:00Z",
    ),
    (
        "2026-11-22T02:00",
        "2026-03-29T02:30",
        "sites.d/support.toml:32: `first` in `[windows]`: `2026-03-29T02:30[Europe/Berlin]` does not exist, the clocks are put forward over it; \
         write `2026-03-29T01:30:00+01:00` or `2026-03-29T03:30:00+02:00`",
    ),
    (
        "\"2026-11-22T02:00[Europe/Berlin] +4h\"",
        "2026-11-22T02:00:00Z",
        "sites.d/support.toml:32: `first` in `[windows]` is a date or time without quotes; expected a window such as \"2026-11-22T02:00[Europe/Berlin] +4h\" or \"next\"",
    ),
    ("[[traffic]]\ndriver = \"rfc", "[traffic]\ndriver = \"rfc", "sites.d/support.toml:22: not TOML: duplicate key"),
    (
        "name = \"support\"",
        "name = support",
        "sites.d/support.toml:1: not TOML: string values must be quoted, expected literal string",
    ),
    ("[nodes.b]", "[x]", "sites.d/support.toml:4: missing table `[nodes.b]`\nsites.d/support.toml:9: unknown table `[x]`"),
    (
        "[nodes.a]",
        "[nodes.a.b]",
        "sites.d/support.toml:4: missing key `address` in `[nodes.a]`: an IP address such as \"192.0.2.10\"\nsites.d/support.toml:4: missing key `driver` in `[nodes.a]`: one of \"exec\", \"beyondtrust\"\nsites.d/support.toml:4: missing key `identity` in `[nodes.a]`: a text\nsites.d/support.toml:4: unknown table `[nodes.a.b]`",
    ),
    (
        "[[traffic]]\ndriver = \"exec\"",
        "[[traffic]]",
        "sites.d/support.toml:22: missing key `driver` in `[traffic]`: one of \"rfc2136\", \"exec\", \"manual\", \"shared-ip\"",
    ),
    (
        "driver = \"exec\"\nprogram = [\"nat\"]",
        "driver = \"shared-ip\"\naddress = \"192.0.2.20\"",
        "sites.d/support.toml:22: the shared address 192.0.2.20 is the own address of node `b`; give the one that both boxes have",
    ),
    (
        "driver = \"exec\"\nprogram = [\"nat\"]",
        "driver = \"shared-ip\"\naddress = \"192.0.2.30\"\n[[traffic]]\ndriver = \"shared-ip\"\naddress = \"192.0.2.30\"",
        "sites.d/support.toml:25: shared address 192.0.2.30 is already moved by the entry in line 22",
    ),
    (
        "driver = \"exec\"\nprogram = [\"nat\"]",
        "driver = \"rfc2136\"\nprimary = \"192.0.2.53:53\"\nservers = [\"192.0.2.53\"]\nzone = \"com\"\ntsig_name = \"changeover.\"\ntsig_secret_file = \"x\"\ntsig_algorithm = \"hmac-sha512\"",
        "sites.d/support.toml:22: record `support.example.com` at 192.0.2.53:53 with key `changeover` is already moved by the entry in line 14",
    ),
    (
        "ttl =",
        "tsig_algorithm = \"hmac-md5\"\nttl =",
        "sites.d/support.toml:19: `tsig_algorithm` in `[traffic]`: `hmac-md5` is not one of \"hmac-sha256\", \"hmac-sha384\", \"hmac-sha512\"",
    ),
    (
        "primary =",
        "primry =",
        "sites.d/support.toml:14: missing key `primary` in `[traffic]`: an IP address with an optional port such as \"192.0.2.53:53\"\nsites.d/support.toml:16: unknown key `primry` in `[traffic]`; did you mean `primary`?",
    ),
    (
        "[policy]",
        "policy = 3\n[x]",
        "sites.d/support.toml:25: unknown key `policy` in `[traffic]`; it is a table of its own, `[policy]`\nsites.d/support.toml:26: unknown table `[x]`",
    ),
    (
        "name = \"support\"",
        "name = \"support\"\ntraffic = [1]",
        "sites.d/support.toml:15: not TOML: duplicate key\nsites.d/support.toml:23: not TOML: duplicate key",
    ),
    (
        "name = \"support\"",
        "name = \"support\"\n= 3\nfoo",
        "sites.d/support.toml:2: not TOML: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`\nsites.d/support.toml:3: not TOML: key with no value, expected `=`",
    ),
    ("\"1w\"", "\"1w", "sites.d/support.toml:26: not TOML: invalid basic string, expected `\"`"),
];

/// The same for the BeyondTrust driver.
const BAD_BEYONDTRUST: &[(&str, &str, &str)] = &[
    (
        "https://localhost:8444",
        "https://vienna.example.net",
        "sites.d/vienna.toml:15: the URL of node `b` leads through the service's name `vienna.example.net`, to whichever node serves; \
         give the node's own name or address",
    ),
    (
        "https://localhost:8444",
        "https://127.0.1.1:8443/",
        "sites.d/vienna.toml:15: node `b` has the URL of node `a`\nsites.d/vienna.toml:15: the URL of node `b` leads to the address of node `a`",
    ),
    (
        "https://localhost:8444",
        "http://localhost:8444",
        "sites.d/vienna.toml:15: `url` in `[nodes.b]`: has the scheme `http`; expected `https`",
    ),
    (
        "https://localhost:8444",
        "https://me:hunter2@box",
        "sites.d/vienna.toml:15: `url` in `[nodes.b]`: holds a user name or password; secrets are given only by path",
    ),
    (
        "https://localhost:8444",
        "https://box/login",
        "sites.d/vienna.toml:15: `url` in `[nodes.b]`: has a path or query; expected `https://` and a host, with a port where it is not 443",
    ),
    ("hands = \"operator\"", "hands = \"console\"", "sites.d/vienna.toml:11: missing table `[nodes.b.console]`"),
    (
        "hands = \"operator\"",
        "hands = \"console\"\nconsole = { username = \"u\", password = \"hunter2\", appliance_username = \"x\", labels = { sync = \"S\" } }",
        "sites.d/vienna.toml:19: `password` in `[nodes.b.console]` would keep a secret in this file, and secrets are given only by path: \
         write it into a file of its own and name that in `password_file`\n\
         sites.d/vienna.toml:19: missing key `password_file` in `[nodes.b.console]`: a path of a file\n\
         sites.d/vienna.toml:19: unknown key `sync` in `[nodes.b.console.labels]`",
    ),
    (
        "hands = \"operator\"",
        "hands = \"console\"\nconsole = { username = \"u\", password_file = \"p\", appliance_username = \"x\" }",
        "sites.d/vienna.toml:19: `appliance_username` and `appliance_password_file` in `[nodes.b.console]` belong together",
    ),
    (
        "hands = \"operator\"",
        "hands = \"operator\"\nconsole = { username = \"u\", password_file = \"p\" }",
        "sites.d/vienna.toml:19: `[nodes.b.console]` is used only with `driver = \"beyondtrust\"` and `hands = \"console\"`; take it out, or set both",
    ),
    (
        "hands = \"operator\"",
        "hands = \"consol\"",
        "sites.d/vienna.toml:18: `hands` in `[nodes.b]`: `consol` is not one of \"operator\", \"console\"; did you mean `console`?",
    ),
    (
        "hands = \"operator\"",
        "client_secret = \"hunter2\"",
        "sites.d/vienna.toml:18: `client_secret` in `[nodes.b]` would keep a secret in this file, and secrets are given only by path: write it into a file of its own and name that in `client_secret_file`",
    ),
    (
        "hands = \"operator\"",
        "secret = \"hunter2\"",
        "sites.d/vienna.toml:18: `secret` in `[nodes.b]` would keep a secret in this file, and secrets are given only by path: write it into a file of its own and name that in `client_secret_file`",
    ),
    (
        "tls = { ca_file = \"../ca.pem\" }",
        "",
        "sites.d/vienna.toml:11: missing key `tls` in `[nodes.b]`: \"system\", { ca_file = \"…\" } or { pins = [\"sha256/…\"] }",
    ),
    (
        "{ ca_file = \"../ca.pem\" }",
        "\"none\"",
        "sites.d/vienna.toml:19: `tls` in `[nodes.b]`: `none` is not \"system\", { ca_file = \"…\" } or { pins = [\"sha256/…\"] }",
    ),
    (
        "{ ca_file = \"../ca.pem\" }",
        "{ ca_file = \"x\", pins = [] }",
        "sites.d/vienna.toml:19: `tls` in `[nodes.b]` holds `ca_file`, `pins`; expected exactly one of `ca_file`, `pins`",
    ),
    (
        "{ ca_file = \"../ca.pem\" }",
        "{ pins = [] }",
        "sites.d/vienna.toml:19: `pins` of `tls` in `[nodes.b]` is an empty list; expected \"system\", { ca_file = \"…\" } or { pins = [\"sha256/…\"] }",
    ),
    (
        "AAAAAAAAAA=\"]",
        "AAAAAAAAA==\"]",
        "sites.d/vienna.toml:10: `tls` in `[nodes.a]`: `sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==` holds 31 bytes; a SHA-256 has 32",
    ),
    (
        "client_id = \"5d2c8f\"\nclient_secret_file = \"/secrets/vienna.secret\"\nhands",
        "hands",
        "sites.d/vienna.toml:11: missing key `client_id` in `[nodes.b]`: a text\nsites.d/vienna.toml:11: missing key `client_secret_file` in `[nodes.b]`: a path of a file",
    ),
    (
        "client_id = \"5d2c8f\"\nclient_secret_file = \"/secrets/vienna.secret\"\nhands",
        "username = \"anna\"\nhands",
        "sites.d/vienna.toml:11: missing key `password_file` in `[nodes.b]`: a path of a file",
    ),
    (
        "client_id = \"5d2c8f\"\nclient_secret_file = \"/secrets/vienna.secret\"\nhands",
        "client_id = \"5d2c8f\"\nclient_secret_file = \"/secrets/vienna.secret\"\nusername = \"anna\"\nhands",
        "sites.d/vienna.toml:18: `username` in `[nodes.b]` stands beside `client_id`; expected an API account, or a user's name and password",
    ),
    (
        "client_id = \"5d2c8f\"\nclient_secret_file = \"/secrets/vienna.secret\"\nhands",
        "api = \"v3\"\nclient_id = \"5d2c8f\"\nclient_secret_file = \"/secrets/vienna.secret\"\nhands",
        "sites.d/vienna.toml:16: `api` in `[nodes.b]`: `v3` is not one of \"auto\", \"xml\", \"v2\"; did you mean `v2`?",
    ),
    (
        "service = \"vienna.example.net\"",
        "service = \"vienna.example.net\"\nprocedure = 7",
        "sites.d/vienna.toml:3: `procedure` at the top level is an integer; expected a text",
    ),
];

/// The same for the main file.
const BAD_MAIN: &[(&str, &str, &str)] = &[
    (
        "[api]",
        "[api]\nsocket = \"/var/run/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"",
        "changeover.toml:3: `socket` in `[api]`: /var/run/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789 has 109 bytes; a socket's path has at most 107",
    ),
    ("state =", "stat =", "changeover.toml:1: unknown key `stat` at the top level; did you mean `state`?"),
    ("[api]", "socket = \"x\"\n[api]", "changeover.toml:2: unknown key `socket` at the top level; it belongs in `[api]`"),
    ("127.0.0.1:8470", "0.0.0.0:8470", "changeover.toml:3: `listen` in `[api]`: `0.0.0.0:8470` is not a loopback address"),
    ("\"json\"", "\"xml\"", "changeover.toml:5: `format` in `[log]`: `xml` is not one of \"human\", \"json\""),
    (
        "https://ops",
        "http://ops",
        "changeover.toml:9: `url` in `[alerts.webhook]`: is `http` to another machine; expected `https`, as only a loopback address is reached unencrypted",
    ),
    ("https://ops", "htps://ops", "changeover.toml:9: `url` in `[alerts.webhook]`: has the scheme `htps`; expected `https`"),
    (
        "secret_file =",
        "secret =",
        "changeover.toml:7: missing key `secret_file` in `[alerts.webhook]`: a path of a file\nchangeover.toml:10: `secret` in `[alerts.webhook]` would keep a secret in this file, and secrets are given only by path: write it into a file of its own and name that in `secret_file`",
    ),
    ("\"held\"", "\"hold\"", "changeover.toml:11: `events` in `[alerts.webhook]`: `hold` is not an alert; did you mean `held`?"),
    ("\"pager\"", "\"ops\"", "changeover.toml:13: hook name `ops` is already used in line 8; hook names are unique"),
    ("\"vault\"", "\"ops\"", "changeover.toml:17: hook name `ops` is already used in line 8; hook names are unique"),
    ("[[alerts.program]]", "[[alerts.email]]", "changeover.toml:12: unknown key `email` in `[alerts]`"),
    (
        "[[exports.program]]",
        "[exports.program]",
        "changeover.toml:16: `exports.program` is a table; expected the table `[[exports.program]]`",
    ),
    ("timeout = \"3s\"", "timeout = \"0s\"", "changeover.toml:15: `timeout` in `[alerts.program]`: `0s` is not longer than zero"),
];

fn check_table(name: &str, text: &str, table: &[(&str, &str, &str)]) {
    let mut wrong = Vec::new();
    for (from, to, expected) in table {
        let text = changed(text, from, to);
        let files = if name == "changeover.toml" {
            vec![(name, text.as_str())]
        } else {
            vec![("changeover.toml", ""), (name, text.as_str())]
        };
        let found = load_files(&files).expect_err(expected);
        if found != *expected {
            wrong.push(format!("{from} -> {to}\n  expected {expected}\n  found    {found}"));
        }
        assert!(!found.contains("hunter2") && !found.contains("aHVudGVyMg"), "{found}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_bad_site_file_is_refused_with_file_line_and_what_to_do() {
    check_table("sites.d/support.toml", SITE, BAD_SITES);
}

#[test]
fn a_bad_beyondtrust_node_is_refused() {
    check_table("sites.d/vienna.toml", BEYONDTRUST, BAD_BEYONDTRUST);
}

#[test]
fn a_bad_main_file_is_refused() {
    check_table("changeover.toml", MAIN, BAD_MAIN);
}

#[test]
fn all_problems_of_all_files_are_reported_at_once() {
    let main = changed(MAIN, "\"json\"", "\"xml\"");
    let site = changed(&changed(SITE, "ttl =", "tll ="), "192.0.2.20", "x y");
    let vienna = changed(BEYONDTRUST, "service =", "service ");
    let found =
        load_files(&[("changeover.toml", &main), ("sites.d/support.toml", &site), ("sites.d/vienna.toml", &vienna)]).unwrap_err();
    let places: Vec<&str> = found.lines().map(|line| line.split(": ").next().unwrap()).collect();
    let expected = ["changeover.toml:5", "sites.d/support.toml:13", "sites.d/support.toml:19", "sites.d/vienna.toml:2"];
    assert_eq!(places, expected, "{found}");
}

#[test]
fn r12_an_identity_a_service_and_a_record_belong_to_one_site() {
    let other = changed(SITE, "name = \"support\"", "name = \"other\"");
    let found =
        load_files(&[("changeover.toml", ""), ("sites.d/other.toml", &other), ("sites.d/support.toml", SITE)]).unwrap_err();
    let expected = "\
sites.d/support.toml:2: service `support.example.com` already belongs to site `other` (sites.d/other.toml:2)
sites.d/support.toml:7: identity `appliance-a` already belongs to node `a` of site `other` (sites.d/other.toml:7)
sites.d/support.toml:12: identity `appliance-b` already belongs to node `b` of site `other` (sites.d/other.toml:12)
sites.d/support.toml:14: record `support.example.com` at 192.0.2.53:53 with key `changeover` is already moved by site `other` (sites.d/other.toml:14)";
    assert_eq!(found, expected);
}

#[test]
fn no_site_is_called_like_a_run_of_another() {
    let named = |name: &str, text: &str| changed(text, "name = \"vienna\"", &format!("name = \"{name}\""));
    let eu = changed(SITE, "name = \"support\"", "name = \"eu\"");
    let files = [("changeover.toml", ""), ("sites.d/eu.toml", eu.as_str()), ("sites.d/eu-1.toml", &named("eu-1", BEYONDTRUST))];
    let found = load_files(&files).unwrap_err();
    assert_eq!(found, "sites.d/eu-1.toml:1: site name `eu-1` reads like run 1 of site `eu`; choose another");
    assert!(load_files(&[files[0], files[2]]).is_ok());
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

/// A site beside the shipped one, on which a rehearsal may take place.
fn lab() -> String {
    changed(BEYONDTRUST, "name = \"vienna\"", "name = \"lab\"")
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

#[derive(Clone, Debug)]
enum Slip {
    Delete(usize),
    Insert(usize, char),
    DropLine(usize),
    DoubleLine(usize),
    SwapLines(usize),
    Cut(usize),
}

fn slips() -> impl Strategy<Value = Vec<Slip>> {
    let place = 0..4096_usize;
    let one = prop_oneof![
        place.clone().prop_map(Slip::Delete),
        (
            place.clone(),
            prop_oneof![Just('"'), Just('['), Just('{'), Just('='), Just('\n'), Just('.'), Just('\''), Just('\\'), any::<char>()]
        )
            .prop_map(|(at, c)| Slip::Insert(at, c)),
        place.clone().prop_map(Slip::DropLine),
        place.clone().prop_map(Slip::DoubleLine),
        place.clone().prop_map(Slip::SwapLines),
        place.prop_map(Slip::Cut),
    ];
    prop::collection::vec(one, 1..4)
}

fn slipped(text: &str, slips: &[Slip]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for slip in slips {
        let mut lines: Vec<String> = chars.iter().collect::<String>().split('\n').map(str::to_owned).collect();
        let (letters, rows) = (chars.len().max(1), lines.len());
        match *slip {
            Slip::Delete(at) if !chars.is_empty() => drop(chars.remove(at % letters)),
            Slip::Insert(at, c) => chars.insert(at % letters.min(chars.len() + 1), c),
            Slip::Cut(at) => chars.truncate(at % letters),
            Slip::DropLine(at) => drop(lines.remove(at % rows)),
            Slip::DoubleLine(at) => lines.insert(at % rows, lines[at % rows].clone()),
            Slip::SwapLines(at) => lines.swap(at % rows, (at * 7 + 1) % rows),
            Slip::Delete(_) => {}
        }
        if matches!(slip, Slip::DropLine(_) | Slip::DoubleLine(_) | Slip::SwapLines(_)) {
            chars = lines.join("\n").chars().collect();
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_slip_panics_or_shows_a_secret(main in slips(), site in slips(), vienna in slips()) {
        let secret = "client_secret = \"hunter2\"\nclient_secret_file = \"/hunter-file\"\n";
        let vienna = slipped(&changed(BEYONDTRUST, "client_secret_file = \"/secrets/vienna.secret\"\n", secret), &vienna);
        let (main, site) = (slipped(MAIN, &main), slipped(SITE, &site));
        let files = [("changeover.toml", main.as_str()), ("sites.d/support.toml", &site), ("sites.d/vienna.toml", &vienna)];
        if let Err(found) = load_files(&files) {
            prop_assert!(!found.contains("hunter2"), "{found}\nin\n{vienna}");
            prop_assert!(!found.is_empty());
        }
    }
}
