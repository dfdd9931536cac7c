//! The parsers against written-down answers (`tests/fixtures/beyondtrust`), and against anything at all.

use jiff::Timestamp;
use proptest::prelude::*;

use super::answer::CallError;
use super::health::{self, AnswerError, Health};
use super::sessions::session_ids;
use super::v2::{self, Told};
use super::xml::{Node, XmlError};
use crate::domain::site::{AtWork, Role, SyncFact};

const A: &str = "4fa1c6e27d0b4b1e9a3c58d2e6f70a11";
const B: &str = "9be03d5518c94f7fa6d1e27b40c8f322";
const BUILD: &str = "37380-0f1e2d3c4b5a69788796a5b4c3d2e1f001122334";

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/beyondtrust/{name}.xml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn expected(identity: &str, version: &str, build: Option<&str>, role: Role) -> Health {
    Health {
        identity: identity.to_owned(),
        version: version.parse().unwrap(),
        build: build.map(str::to_owned),
        role,
        healthy: true,
        message: None,
        last_sync: None,
        shared_ips: Vec::new(),
    }
}

fn sync(at: &str, status: &str) -> Option<SyncFact> {
    Some(SyncFact { at: at.parse().unwrap(), ok: None, status: Some(status.to_owned()) })
}

#[test]
fn bg_52_health_is_read_in_every_generation() {
    let upper = A.to_uppercase();
    let cases = [
        ("health_standalone_2019", expected(A, "19.1.8", Some(BUILD), Role::Standalone)),
        (
            "health_primary",
            Health {
                last_sync: sync("2026-11-22T01:02:03Z", "success"),
                shared_ips: vec!["192.0.2.1".parse().unwrap()],
                ..expected(A, "24.1.1", Some(BUILD), Role::Primary)
            },
        ),
        ("health_backup", expected(B, "24.1.1", Some(BUILD), Role::Standby)),
        (
            "health_before_10_6",
            Health { last_sync: sync("2011-01-10T03:04:05Z", "ok"), ..expected(&upper, "10.5.22", None, Role::Primary) },
        ),
        ("health_prefixed", expected(A, "25.1.1", Some("41000-abc"), Role::Standalone)),
        (
            "health_unhealthy",
            Health {
                healthy: false,
                message: Some("The database does not answer.".to_owned()),
                last_sync: sync("2026-11-22T01:02:03Z", "Version mismatch between peers"),
                ..expected(A, "24.1.1", Some(BUILD), Role::Primary)
            },
        ),
    ];
    for (name, expected) in cases {
        assert_eq!(health::health(&fixture(name)), Ok(expected), "{name}");
    }
}

#[test]
fn errors_are_found_as_root_and_inside() {
    for (name, text) in
        [("error_root", "You do not have permission to use this command."), ("error_inside", "The command failed.")]
    {
        let error = AnswerError::Error(text.to_owned());
        assert_eq!(health::health(&fixture(name)), Err(error.clone()), "{name}");
        assert_eq!(health::people(&fixture(name)), Err(error), "{name}");
    }
    let denied: CallError = health::health(&fixture("error_root")).unwrap_err().into();
    assert!(matches!(denied, CallError::Denied(_)), "{denied:?}");
}

#[test]
fn users_sessions_and_clock_are_read() {
    for (name, users, sessions) in [("reps", 2, Some(3)), ("reps_none", 0, Some(0)), ("reps_without_count", 2, None)] {
        let people = health::people(&fixture(name)).unwrap();
        assert_eq!((people.users, people.sessions, people.at_work.len()), (users, sessions, users as usize), "{name}");
    }
    assert_eq!(health::clock(&fixture("api_info")), Ok(Timestamp::from_second(1_795_309_323).unwrap()));
    assert!(health::clock(b"<api_info><timestamp>soon</timestamp></api_info>").is_err());
    assert!(health::clock(b"<api_info/>").is_err());
}

#[test]
fn who_is_logged_in_is_named_with_the_time() {
    let document = br#"<logged_in_reps><rep id="3"><display_name>Anna&#10;B</display_name><logged_in_since ts="1795309323">x</logged_in_since>
        <support_session_count>2</support_session_count></rep><rep id="4"><support_session_count>0</support_session_count></rep></logged_in_reps>"#;
    let told: Vec<String> = health::people(document).unwrap().at_work.iter().map(AtWork::describe).collect();
    assert_eq!(told, ["Anna B since 2026-11-22T01:02:03Z", "somebody"]);
}

/// Absent, empty and `null` are alike; an address that can't be read is no answer at all.
#[test]
fn shared_addresses_are_read() {
    let health = |element: &str| {
        let document = format!(
            "<health_check><appliance id=\"{A}\">a</appliance><version>24.1.1</version><success>1</success><failover_role>none</failover_role>{element}</health_check>"
        );
        health::health(document.as_bytes()).map(|health| health.shared_ips.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let cases = [
        ("", vec![]),
        ("<enabled_shared_ips/>", vec![]),
        ("<enabled_shared_ips>null</enabled_shared_ips>", vec![]),
        ("<enabled_shared_ips><ip></ip></enabled_shared_ips>", vec![]),
        ("<enabled_shared_ips><ip>192.0.2.30</ip><ip>2001:db8::30</ip></enabled_shared_ips>", vec!["192.0.2.30", "2001:db8::30"]),
    ];
    for (element, expected) in cases {
        assert_eq!(health(element).unwrap(), expected, "{element}");
    }
    assert!(health("<enabled_shared_ips><ip>somewhere</ip></enabled_shared_ips>").is_err());
}

/// A good answer with one element replaced.
fn changed(element: &str, by: &str) -> Vec<u8> {
    let text = String::from_utf8(fixture("health_primary")).unwrap();
    let (before, rest) = text.split_once(&format!("<{element}")).unwrap();
    let (_, after) = rest.split_once(&format!("</{element}>")).unwrap();
    format!("{before}{by}{after}").into_bytes()
}

#[test]
fn odd_times_are_read_or_absent() {
    let second = "2026-11-22T01:02:03Z".parse::<Timestamp>().unwrap();
    for (element, at) in [
        (r#"<last_data_sync_time ts="1795309323"/>"#, Some(second)),
        (r#"<last_data_sync_time ts="1795309323">yesterday</last_data_sync_time>"#, Some(second)),
        (r#"<last_data_sync_time ts="x">2026-11-22T01:02:03+0000</last_data_sync_time>"#, Some(second)),
        (r#"<last_data_sync_time ts="0">2026-11-22T02:02:03+01:00</last_data_sync_time>"#, Some(second)),
        (r#"<last_data_sync_time ts="0">2026-11-22T02:02:03+0100</last_data_sync_time>"#, Some(second)),
        ("<last_data_sync_time>2026-11-22T01:02:03Z</last_data_sync_time>", Some(second)),
        ("<last_data_sync_time>2026-11-22T01:02:03.000+0000</last_data_sync_time>", Some(second)),
        (r#"<last_data_sync_time ts="-5"/>"#, None),
        (r#"<last_data_sync_time ts="99999999999999999999"/>"#, None),
        ("<last_data_sync_time>2026-11-22 01:02</last_data_sync_time>", None),
        ("<last_data_sync_time>2026-11-22T01:02:03</last_data_sync_time>", None),
        (r#"<last_data_sync_time ts="">null</last_data_sync_time>"#, None),
        ("", None),
    ] {
        let read = health::health(&changed("last_data_sync_time", element)).unwrap();
        assert_eq!(read.last_sync.map(|sync| sync.at), at, "{element}");
    }
}

#[test]
fn r13_what_must_not_be_guessed_makes_the_answer_unusable() {
    for (element, by) in [
        ("appliance", ""),
        ("appliance", "<appliance>a.example.com</appliance>"),
        ("appliance", r#"<appliance id="4fa1"/>"#),
        ("appliance", r#"<appliance id="4fa1c6e27d0b4b1e9a3c58d2e6f70aXX"/>"#),
        ("version", ""),
        ("version", "<version>unknown</version>"),
        ("version", "<version>(37380)</version>"),
        ("failover_role", "<failover_role/>"),
        ("failover_role", "<failover_role>Primary!</failover_role>"),
    ] {
        let read = health::health(&changed(element, by));
        assert!(matches!(read, Err(AnswerError::Unexpected { .. })), "{element} {by}: {read:?}");
    }
    assert!(!health::health(&changed("success", "")).unwrap().healthy, "health that is not stated is no health");
    for (text, build) in [("24.1.1", None), ("24.1.1 ()", None), ("24.1.1(5)", Some("5")), ("24.1.1  ( 5-a )", Some("5-a"))] {
        let read = health::health(&changed("version", &format!("<version>{text}</version>"))).unwrap();
        assert_eq!(read.build.as_deref(), build, "{text}");
    }
}

#[test]
fn what_is_not_the_vendors_xml_is_refused() {
    let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
    type Fits = fn(&XmlError) -> bool;
    let cases: [(&str, Fits); 12] = [
        ("", |e| matches!(e, XmlError::Malformed(_))),
        ("<html><body>Please wait</body>", |e| *e == XmlError::CutOff),
        ("<health_check><version>24.1", |e| *e == XmlError::CutOff),
        ("Invalid credentials", |e| matches!(e, XmlError::Malformed(_))),
        ("<a></b>", |e| matches!(e, XmlError::Malformed(_))),
        ("<a/><b/>", |e| matches!(e, XmlError::Malformed(_))),
        ("<a/>more", |e| matches!(e, XmlError::Malformed(_))),
        ("<a>&secret;</a>", |e| matches!(e, XmlError::Malformed(_))),
        ("<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>", |e| *e == XmlError::DocType),
        ("<health_check xmlns=\"http://www.beyondtrust.com.example.net/namespaces/API/command\"/>", |e| {
            matches!(e, XmlError::ForeignNamespace(_))
        }),
        ("<x:health_check/>", |e| matches!(e, XmlError::ForeignNamespace(_))),
        (&deep, |e| *e == XmlError::TooDeep),
    ];
    let long = format!("<a>{}</a>", "x".repeat(17 << 20));
    assert!(Node::parse(long.as_bytes()).unwrap_err().to_string().contains("larger than"));
    for (text, fits) in cases {
        let error = Node::parse(text.as_bytes()).unwrap_err();
        assert!(fits(&error), "{text}: {error:?}");
    }
}

#[test]
fn bg_51_session_ids_are_texts_of_any_age() {
    let cases: [(&str, &[&str]); 5] = [
        ("sessions", &["0123456789abcdef0123456789abcdef", "c69a8e10bea9428f816cfababe9815fe"]),
        ("sessions_before_10_6", &["1041", "1042"]),
        ("sessions_listing", &["c69a8e10bea9428f816cfababe9815fe"]),
        ("sessions_none", &[]),
        ("sessions_empty_error", &[]),
    ];
    for (name, ids) in cases {
        let found = session_ids(fixture(name).as_slice()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), ids, "{name}");
    }
}

#[test]
fn bg_50_reports_that_are_none_are_refused() {
    for (text, says) in [
        ("<error>The report could not be generated.</error>", "could not be generated"),
        ("<error>No permission found for sessions.</error>", "No permission"),
        ("<error/>", "error"),
        ("<session_list><error>Too many results</error></session_list>", "Too many results"),
        ("<session_list><session/></session_list>", "by the id ``"),
        ("<session_list><session lsid=\"a\"/>", "ends before"),
        ("<archive_list/>", "archive_list"),
        ("<!DOCTYPE html><html/>", "document type"),
        ("Invalid credentials", "no well-formed XML"),
        ("", "no element"),
    ] {
        let error = session_ids(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    assert!(session_ids(fixture("sessions_error").as_slice()).is_err());
}

/// `/health` of a primary with one field replaced, `None`: left out.
fn json_health(field: &str, value: Option<serde_json::Value>) -> Told {
    let mut json = serde_json::json!({
        "appliance_id": A, "appliance_hostname": "a", "version": "26.1.1", "build": BUILD, "failover_role": "primary",
        "cluster_role": "single", "enabled_shared_ips": null, "last_data_sync": "2026-11-22T01:02:03+00:00",
        "last_data_sync_status": "success", "a_field_of_tomorrow": { "deep": [1, 2] },
    });
    match value {
        Some(value) => json[field] = value,
        None => drop(json.as_object_mut().unwrap().remove(field)),
    }
    Told { well: true, body: json.to_string().into_bytes() }
}

#[test]
fn the_json_edition_says_what_the_xml_edition_says() {
    use serde_json::json;
    let whole =
        Health { last_sync: sync("2026-11-22T01:02:03Z", "success"), ..expected(A, "26.1.1", Some(BUILD), Role::Primary) };
    let no_sync = Health { last_sync: None, ..whole.clone() };
    let no_status = Health { last_sync: whole.last_sync.clone().map(|sync| SyncFact { status: None, ..sync }), ..whole.clone() };
    let cases = [
        ("new", Some(json!(1)), whole.clone()),
        ("enabled_shared_ips", None, whole.clone()),
        ("enabled_shared_ips", Some(json!([])), whole.clone()),
        ("last_data_sync", Some(json!("2026-11-22T01:02:03Z")), whole.clone()),
        ("last_data_sync", Some(json!("2026-11-22T01:02:03.000+0000")), whole.clone()),
        ("last_data_sync", Some(json!(1_795_309_323)), whole.clone()),
        ("last_data_sync", Some(json!(null)), no_sync.clone()),
        ("last_data_sync", Some(json!("")), no_sync.clone()),
        ("last_data_sync", None, no_sync),
        ("last_data_sync_status", Some(json!(null)), no_status.clone()),
        ("last_data_sync_status", Some(json!("")), no_status),
        ("failover_role", Some(json!("backup")), Health { role: Role::Standby, ..whole.clone() }),
        ("failover_role", Some(json!("none")), Health { role: Role::Standalone, ..whole.clone() }),
        ("build", Some(json!(null)), Health { build: None, ..whole.clone() }),
        ("version", Some(json!(format!("26.1.1 ({BUILD})"))), whole.clone()),
    ];
    for (field, value, expected) in cases {
        assert_eq!(v2::health(&json_health(field, value.clone())), Ok(expected), "{field} {value:?}");
    }
    let ill = Told { well: false, ..json_health("message", Some(json!("The database does not answer."))) };
    let expected = Health { healthy: false, message: Some("The database does not answer.".to_owned()), ..whole };
    assert_eq!(v2::health(&ill), Ok(expected));
}

#[test]
fn r13_what_must_not_be_guessed_makes_a_json_answer_unusable() {
    use serde_json::json;
    for (field, value) in [
        ("appliance_id", None),
        ("appliance_id", Some(json!(null))),
        ("appliance_id", Some(json!("4fa1"))),
        ("appliance_id", Some(json!(7))),
        ("version", None),
        ("version", Some(json!("soon"))),
        ("failover_role", Some(json!(null))),
        ("failover_role", Some(json!("master"))),
    ] {
        let read = v2::health(&json_health(field, value.clone()));
        assert!(matches!(read, Err(AnswerError::Unexpected { .. })), "{field} {value:?}: {read:?}");
    }
    let text = |body: &str| Told { well: true, body: body.as_bytes().to_vec() };
    assert_eq!(v2::health(&text(r#"{"message":"Not Found"}"#)), Err(AnswerError::Error("Not Found".to_owned())));
    assert!(matches!(v2::health(&text(r#"{"appliance_id":"#)), Err(AnswerError::Json(_))));
    assert!(matches!(v2::health(&text("[]")), Err(AnswerError::Unexpected { .. })));
}

#[test]
fn users_members_and_clock_are_read_from_json() {
    for (text, expected) in [
        ("[]", Some((0, Some(0)))),
        (r#"[{"id":1,"session_count":2},{"id":2,"session_count":1,"x":null}]"#, Some((2, Some(3)))),
        (r#"[{"id":1,"session_count":null}]"#, Some((1, None))),
        (r#"[{"id":1,"session_count":-1}]"#, Some((1, None))),
        (r#"[1]"#, None),
        (r#"{"message":"no"}"#, None),
    ] {
        let read = v2::people(text.as_bytes()).ok().map(|people| (people.users, people.sessions));
        assert_eq!(read, expected, "{text}");
    }
    let members = format!(r#"[{{"id":"{A}","name":"a"}},{{"id":"{B}"}}]"#);
    assert_eq!(v2::members(members.as_bytes()), Ok(vec![A.to_owned(), B.to_owned()]));
    assert!(v2::members(br#"[{"name":"a"}]"#).is_err());
    let second = Timestamp::from_second(1_795_309_323).unwrap();
    for time in ["2026-11-22T01:02:03+00:00", "2026-11-22T01:02:03Z"] {
        assert_eq!(v2::clock(format!(r#"{{"current_time":"{time}"}}"#).as_bytes()), Ok(second));
    }
    assert!(v2::clock(br#"{"current_time":"2026-11-22T01:02:03"}"#).is_err());
}

fn read_as_everything(document: &[u8]) {
    let _ = v2::health(&Told { well: true, body: document.to_vec() });
    let _ = v2::people(document);
    let _ = v2::members(document);
    let _ = v2::clock(document);
    let _ = health::health(document);
    let _ = health::people(document);
    let _ = health::clock(document);
    let _ = session_ids(document);
}

/// The kinds of answers, to be spoiled.
const KINDS: [&str; 7] =
    ["health_primary", "health_prefixed", "error_inside", "reps", "api_info", "sessions", "sessions_listing"];

proptest! {
    #[test]
    fn no_bytes_cause_a_panic(document in proptest::collection::vec(any::<u8>(), 0..2000)) {
        read_as_everything(&document);
    }

    #[test]
    fn no_spoiled_json_causes_a_panic_and_no_cut_one_is_taken(
        at in any::<prop::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..8),
        cut in any::<bool>(),
    ) {
        let mut document = json_health("new", Some(serde_json::json!(1))).body;
        let at = at.index(document.len() - 1);
        if cut {
            document.truncate(at);
            let told = Told { well: true, body: document.clone() };
            prop_assert!(v2::health(&told).is_err());
        } else {
            document.splice(at..(at + bytes.len()).min(document.len()), bytes);
        }
        read_as_everything(&document);
    }

    #[test]
    fn no_spoiled_answer_causes_a_panic_and_no_cut_one_is_taken(
        kind in 0..KINDS.len(),
        at in any::<prop::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..8),
        cut in any::<bool>(),
    ) {
        let mut document = fixture(KINDS[kind]);
        let at = at.index(document.len() - 20);
        if cut {
            document.truncate(at);
            prop_assert!(Node::parse(&document).is_err());
            prop_assert!(session_ids(document.as_slice()).is_err());
        } else {
            document.splice(at..(at + bytes.len()).min(document.len()), bytes);
        }
        read_as_everything(&document);
    }
}
