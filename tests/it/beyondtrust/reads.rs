//! Reading: facts, tokens, trust, and everything that can be wrong with an answer.

use std::time::Duration;

use changeover::domain::site::Role;
use changeover::drivers::appliance::beyondtrust::{BeyondTrust, Credentials, Limits};
use changeover::drivers::tls::{TlsTrust, format_pin, parse_pin, pin_of};
use changeover::ports::{ReadError, Reader as _};
use jiff::SignedDuration;

use super::server::{A, FakeBox, Reply, SERVICE, health};
use super::{B, TestClock, driver, settings, with};

#[tokio::test]
async fn a_reading_has_every_fact_and_one_connection_a_call() {
    let server = FakeBox::start().await;
    let read = driver(&server).observe().await.unwrap();
    assert_eq!((read.identity.as_str(), read.version.as_str(), read.build.as_deref()), (A, "24.1.1", Some("41000-abc")));
    assert_eq!((read.role, read.healthy, read.updating), (Role::Primary, true, false));
    assert_eq!((read.users, read.sessions, read.takes_clients), (Some(2), Some(4), Some(true)));
    let sync = read.last_sync.unwrap();
    assert_eq!((sync.at.as_second(), sync.ok, sync.status.as_deref()), (1_795_309_323, None, Some("success")));
    assert!(read.clock_skew.unwrap().abs() < SignedDuration::from_secs(5), "{:?}", read.clock_skew);
    assert!(read.as_of.is_none() && read.may_be_old >= SignedDuration::from_secs(60));

    let asked = server.asked();
    // A token, the health twice, users, info, whether there is a JSON edition, the site page.
    assert_eq!(asked.len(), 7, "{asked:?}");
    assert_eq!(server.connections(), 7);
    assert!(asked.iter().all(|asked| asked.head.contains("connection: close")));
    assert_eq!(asked[0].body, "grant_type=client_credentials");
    assert!(asked[0].head.contains("authorization: Basic "), "{}", asked[0].head);
    let probe = asked.iter().find(|asked| asked.line == "GET /").unwrap();
    assert_eq!(probe.sni.as_deref(), Some(SERVICE));
    assert!(!probe.head.contains("authorization"), "a client has no token");
    assert!(!asked.iter().any(|asked| asked.line.contains("s3cret")));
}

#[tokio::test]
async fn a_failing_secondary_call_makes_its_facts_absent() {
    let broken =
        [Reply::Http(500, "text/plain", b"x".to_vec()), Reply::xml("<error>no permission</error>"), Reply::Raw(Vec::new())];
    for reply in broken {
        let server = FakeBox::start().await;
        server.answer("get_logged_in_reps", reply.clone());
        server.answer("get_api_info", reply);
        let read = driver(&server).observe().await.unwrap();
        assert_eq!((read.users, read.sessions, read.clock_skew), (None, None, None));
        assert_eq!((read.healthy, read.takes_clients), (true, Some(true)), "{read:?}");
        assert_eq!(server.tokens_given(), 1, "a missing right is no reason for a new token");
    }
}

/// Short only where a limit is to be met, so that a busy machine changes nothing.
fn limits_for(reply: &Reply) -> Limits {
    let call = if matches!(reply, Reply::Stall(_)) { Duration::from_secs(6) } else { Duration::from_secs(60) };
    Limits { call, ..Limits::default() }
}

#[tokio::test]
async fn r2_a_box_takes_clients_only_if_it_serves_the_page_for_the_services_name() {
    for (reply, takes) in [
        (Reply::Http(200, "text/html", Vec::new()), true),
        (Reply::Http(503, "text/html", Vec::new()), false),
        (Reply::Http(302, "text/html", Vec::new()), false),
        (Reply::Http(404, "text/html", Vec::new()), false),
        (Reply::Raw(Vec::new()), false),
        (Reply::Stall(Vec::new()), false),
    ] {
        let server = FakeBox::start().await;
        let limits = limits_for(&reply);
        server.answer("/", reply);
        let read = with(super::Settings { limits, ..settings(&server) }).observe().await.unwrap();
        assert_eq!(read.takes_clients, Some(takes));
    }
}

#[tokio::test]
async fn r2_a_certificate_without_the_services_name_takes_no_clients_also_when_pinned() {
    let server = FakeBox::start_with(&["other.example.com", "127.0.0.1"]).await;
    for tls in [TlsTrust::Ca(server.ca_pem.clone().into_bytes()), TlsTrust::Pins(vec![pin_of(&server.certificate).unwrap()])] {
        let read = with(super::Settings { tls, ..settings(&server) }).observe().await.unwrap();
        assert_eq!(read.takes_clients, Some(false));
    }
}

#[tokio::test]
async fn an_unhealthy_box_is_read_from_its_error_status() {
    let server = FakeBox::start().await;
    let body = health(A, "none").replace("<success>1<", "<success>0<");
    server.answer("check_health", Reply::Http(500, "text/xml", body.into_bytes()));
    let read = driver(&server).observe().await.unwrap();
    assert_eq!((read.healthy, read.role), (false, Role::Standalone));
}

#[tokio::test]
async fn r13_a_wrong_identity_is_read_and_not_judged() {
    let server = FakeBox::start().await;
    server.answer("check_health", Reply::xml(health(B, "primary")));
    assert_eq!(driver(&server).observe().await.unwrap().identity, B);
    server.answer("check_health", Reply::xml(health(&A.to_uppercase(), "primary")));
    assert_eq!(driver(&server).observe().await.unwrap().identity, A, "written as the site file has it");
}

#[tokio::test]
async fn r13_an_address_behind_which_the_box_changes_within_a_reading_gives_no_reading() {
    let server = FakeBox::start().await;
    server.answer_once("check_health", Reply::xml(health(B, "primary")));
    let error = driver(&server).observe().await.unwrap_err();
    assert!(matches!(error, ReadError::Transient(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(A) && text.contains(B) && text.contains("nothing of it is used (R13)"), "{text}");
    assert_eq!(driver(&server).observe().await.unwrap().identity, A);
}

fn v2(server: &FakeBox, members: &str, health: &str) {
    let json = |text: &str| Reply::Http(200, "application/json", text.as_bytes().to_vec());
    server.answer("/api/command/v2/info", json(r#"{"current_time":"2026-11-22T01:02:03+00:00"}"#));
    server.answer("/api/command/v2/appliance", json(members));
    server.answer("/api/command/v2/health", json(health));
}

fn json_health(identity: &str, version: &str, build: &str, role: &str) -> String {
    format!(
        r#"{{"appliance_id":"{identity}","version":"{version}","build":"{build}","failover_role":"{role}","last_data_sync":null}}"#
    )
}

#[tokio::test]
async fn r13_the_two_editions_must_tell_the_same_box_version_build_and_role() {
    let members = format!(r#"[{{"id":"{A}"}}]"#);
    let cases = [
        (json_health(&A.to_uppercase(), "24.1.1", "41000-abc", "primary"), None),
        (json_health(B, "24.1.1", "41000-abc", "primary"), Some(("GUID", B))),
        (json_health(A, "24.1.2", "41000-abc", "primary"), Some(("version", "24.1.2"))),
        (json_health(A, "24.1.1", "41000-abd", "primary"), Some(("build", "41000-abd"))),
        (json_health(A, "24.1.1", "41000-abc", "none"), Some(("role", "standalone"))),
    ];
    for (health, differs) in cases {
        let server = FakeBox::start().await;
        v2(&server, &members, &health);
        match (driver(&server).observe().await, differs) {
            (Ok(read), None) => assert!(read.identity == A && read.last_sync.is_some(), "{read:?}"),
            (Err(ReadError::Transient(text)), Some((fact, value))) => {
                assert!(
                    text.contains(&format!("expected one {fact}")) && text.contains(&format!("`{value}` by JSON v2")),
                    "{text}"
                );
            }
            (other, _) => panic!("{health}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_json_edition_that_lists_other_boxes_gives_no_reading() {
    let server = FakeBox::start().await;
    v2(&server, &format!(r#"[{{"id":"{B}"}}]"#), &json_health(A, "24.1.1", "41000-abc", "primary"));
    let text = driver(&server).observe().await.unwrap_err().to_string();
    assert!(text.contains("among the appliances that it lists") && text.contains(B), "{text}");
}

/// The XML edition goes on alone where the other is not there, not allowed, broken, or no such thing.
#[tokio::test]
async fn a_json_edition_that_does_not_answer_takes_nothing_from_the_other() {
    let good = json_health(A, "24.1.1", "41000-abc", "primary");
    let replies = [
        Reply::Http(404, "application/json", br#"{"message":"Not Found"}"#.to_vec()),
        Reply::Http(403, "application/json", br#"{"message":"no"}"#.to_vec()),
        Reply::Http(500, "application/json", br#"{"message":"broken"}"#.to_vec()),
        Reply::Http(200, "text/html", b"<html>Welcome</html>".to_vec()),
        Reply::Http(200, "application/json", b"{\"appliance_id\":".to_vec()),
        Reply::Raw(Vec::new()),
    ];
    for key in ["/api/command/v2/info", "/api/command/v2/appliance", "/api/command/v2/health"] {
        for reply in &replies {
            let server = FakeBox::start().await;
            v2(&server, &format!(r#"[{{"id":"{A}"}}]"#), &good);
            server.answer(key, reply.clone());
            let read = driver(&server).observe().await.unwrap_or_else(|error| panic!("{key}: {error}"));
            assert_eq!((read.identity.as_str(), read.version.as_str(), read.role), (A, "24.1.1", Role::Primary), "{key}");
        }
    }
}

#[tokio::test]
async fn a_password_goes_in_a_posted_form_and_nowhere_else() {
    let server = FakeBox::start().await;
    let credentials = Credentials::user("anna", "s3cret-of-the-user".into());
    // A box of today: it wants a token, and what is told of that does not show the password.
    let error = with(super::Settings { credentials, ..settings(&server) }).observe().await.unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
    let asked = server.asked();
    assert!(!asked.is_empty() && asked.iter().all(|asked| asked.line.starts_with("POST /api/command")), "{asked:?}");
    for asked in asked {
        assert!(!asked.line.contains("s3cret") && !asked.head.contains("s3cret") && !asked.head.contains("authorization"));
        assert_eq!(asked.body, "action=check_health&username=anna&password=s3cret-of-the-user");
    }
}

#[tokio::test]
async fn a_token_is_used_again_renewed_once_and_then_access_is_denied() {
    let server = FakeBox::start().await;
    let driver = driver(&server);
    driver.observe().await.unwrap();
    driver.observe().await.unwrap();
    assert_eq!(server.tokens_given(), 1);
    server.revoke_tokens();
    driver.observe().await.unwrap();
    assert_eq!(server.tokens_given(), 2);
    server.refuse_every_token();
    let before = server.count("check_health");
    let denied = driver.observe().await.unwrap_err();
    assert!(matches!(&denied, ReadError::Denied(text) if text.contains("node `a` of site `support`")), "{denied:?}");
    assert_eq!((server.tokens_given(), server.count("check_health") - before), (3, 2), "one new token, one more try");
}

#[tokio::test]
async fn a_token_near_its_end_is_renewed_before_it_is_refused() {
    let server = FakeBox::start().await;
    let token = br#"{"access_token":"token-9","token_type":"Bearer","expires_in":0}"#;
    server.answer("/oauth2/token", Reply::Http(200, "application/json", token.to_vec()));
    let driver = driver(&server);
    driver.observe().await.unwrap();
    let first = server.count("/oauth2/token");
    driver.observe().await.unwrap();
    assert!(server.count("/oauth2/token") > first);
}

#[tokio::test]
async fn refused_credentials_are_denied_without_being_shown_or_repeated() {
    let server = FakeBox::start().await;
    server.answer("/oauth2/token", Reply::Http(401, "application/json", b"{\"error\":\"invalid_client\"}".to_vec()));
    let denied = driver(&server).observe().await.unwrap_err();
    assert!(matches!(denied, ReadError::Denied(_)), "{denied:?}");
    let text = denied.to_string();
    assert!(text.contains("changeover-id") && !text.contains("s3cret"), "{text}");
    assert_eq!(server.asked().len(), 1, "one try, so that nobody is locked out");
    assert!(!format!("{:?}", settings(&server)).contains("s3cret"));
}

#[tokio::test]
async fn nothing_is_sent_to_a_box_that_is_not_trusted() {
    let server = FakeBox::start().await;
    let other = FakeBox::start().await;
    let right = pin_of(&server.certificate).unwrap();
    for tls in [TlsTrust::Pins(vec![[0; 32]]), TlsTrust::Ca(other.ca_pem.clone().into_bytes()), TlsTrust::System] {
        let error = with(super::Settings { tls: tls.clone(), ..settings(&server) }).observe().await.unwrap_err();
        assert!(matches!(error, ReadError::Transient(_)), "{tls:?}: {error:?}");
        if matches!(tls, TlsTrust::Pins(_)) {
            assert!(error.to_string().contains(&format_pin(&right)), "{error}");
        }
    }
    assert_eq!(server.asked().len(), 0, "not one byte of a request");
    let pins = vec![[0; 32], parse_pin(&format_pin(&right)).unwrap()];
    with(super::Settings { tls: TlsTrust::Pins(pins), ..settings(&server) }).observe().await.unwrap();
    assert_eq!(server.refused_handshakes(), 3);
}

#[tokio::test]
async fn an_answer_that_is_none_is_can_t_tell() {
    let redirect = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n<health_check>";
    let cut_chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n<health_check>";
    let slow = "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n<health_check>";
    let cases: [(Reply, &str); 13] = [
        (Reply::xml("<error>The command failed.</error>"), "The command failed."),
        (Reply::xml("<health_check><error>Try later.</error></health_check>"), "Try later."),
        (Reply::Http(200, "text/html", b"<html><p>Updating</p></html>".to_vec()), "html"),
        (Reply::Http(200, "text/plain", b"soon back".to_vec()), "no well-formed XML"),
        (Reply::Http(404, "text/html", b"gone".to_vec()), "404"),
        (Reply::Http(429, "text/plain", Vec::new()), "429"),
        (Reply::Http(503, "text/html", b"<html>Restarting</html>".to_vec()), "503"),
        (Reply::Raw(redirect.into()), "redirects are not followed"),
        (Reply::Raw(cut.into()), "node `a`"),
        (Reply::Raw(cut_chunk.into()), "node `a`"),
        (Reply::Raw(b"\x00\x01\x02 nonsense\r\n\r\n".to_vec()), "node `a`"),
        (Reply::Stall(slow.into()), "no whole answer within"),
        (Reply::Flood(vec![b' '; 1 << 20]), "larger than"),
    ];
    for (reply, says) in cases {
        let server = FakeBox::start().await;
        let limits = limits_for(&reply);
        server.answer("check_health", reply);
        let error = with(super::Settings { limits, ..settings(&server) }).observe().await.unwrap_err();
        assert!(matches!(error, ReadError::Transient(_)) && error.to_string().contains(says), "{says}: {error:?}");
        assert_eq!(server.count("/elsewhere") + server.count("get_"), 0, "{says}: nothing else is asked then");
    }
}

#[tokio::test]
async fn refusals_in_disguise_are_denied() {
    for reply in [
        Reply::Http(200, "text/html", b"Invalid credentials\n".to_vec()),
        Reply::Http(200, "application/json", br#"{"error":"access_denied","message":"m"}"#.to_vec()),
        Reply::xml("<error>Your account lacks the permission for this.</error>"),
        Reply::Http(403, "text/html", Vec::new()),
    ] {
        let server = FakeBox::start().await;
        server.answer("check_health", reply);
        let error = driver(&server).observe().await.unwrap_err();
        assert!(matches!(error, ReadError::Denied(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_silent_address_is_can_t_tell() {
    let server = FakeBox::start().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("https://{free}/").parse().unwrap();
    let error = with(super::Settings { url, ..settings(&server) }).observe().await.unwrap_err();
    assert!(matches!(error, ReadError::Transient(_)), "{error:?}");
}

#[tokio::test]
async fn settings_that_make_no_driver_are_refused_without_showing_secrets() {
    let server = FakeBox::start().await;
    let urls =
        ["http://a.example.com/", "https://user:pw@a.example.com/", "https://a.example.com/login", "https://a.example.com/?x"];
    for url in urls {
        let wrong = super::Settings { url: url.parse().unwrap(), ..settings(&server) };
        let error = BeyondTrust::new(wrong, std::sync::Arc::new(TestClock { limits_pass: false })).err().unwrap().to_string();
        assert!(error.contains("`url`") && !error.contains("pw"), "{error}");
    }
    for (identity, tls) in [("box-a", TlsTrust::System), (A, TlsTrust::Pins(Vec::new()))] {
        let wrong = super::Settings { identity: identity.to_owned(), tls, ..settings(&server) };
        assert!(BeyondTrust::new(wrong, std::sync::Arc::new(TestClock { limits_pass: false })).is_err(), "{identity}");
    }
}
