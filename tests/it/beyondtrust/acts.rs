//! Acts: backup and extraction over the interfaces, everything else by a person.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use changeover::domain::ids::NodeId;
use changeover::drivers::appliance::beyondtrust::{BeyondTrust, Limits};
use changeover::ports::{ActAnswer, Appliance as _, NodeAct, ProducedFile, Reader as _, Recall};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::server::{A, FakeBox, Reply, health};
use super::{B, TestClock, driver, intent, settings, with};

pub fn backup(directory: &Path) -> NodeAct {
    NodeAct::Backup { directory: directory.to_owned() }
}

pub fn extract(directory: &Path) -> NodeAct {
    let until = Timestamp::now();
    NodeAct::ExtractData { since: until - jiff::SignedDuration::from_hours(30), until, directory: directory.to_owned() }
}

pub fn names(directory: &Path) -> Vec<String> {
    std::fs::read_dir(directory)
        .map_or(Vec::new(), |entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
}

pub fn check_hash(file: &ProducedFile) {
    let content = std::fs::read(&file.path).unwrap();
    let hex = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!((content.len() as u64, &hex), (file.bytes, &file.sha256), "{}", file.path.display());
}

#[tokio::test]
async fn bg_01_a_backup_is_kept_whole_and_hashed() {
    let server = FakeBox::start().await;
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("support");
    let answer = driver(&server).act(&intent("window-1.backup.a"), &backup(&place)).await;
    let ActAnswer::Accepted { files, records: None, bytes: None, missing: 0 } = answer else { panic!("{answer:?}") };
    let [file] = files.as_slice() else { panic!("{files:?}") };
    check_hash(file);
    assert_eq!(file.bytes, 300_000);
    let name = file.path.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("support-a-support-7-") && name.ends_with("Z.nsb"), "{name}");
    assert_eq!(names(&place), [name]);
    assert_eq!(server.count("POST /api/backup"), 1);
}

#[tokio::test]
async fn bg_01_what_is_no_whole_backup_is_not_kept() {
    let refused = |answer: &ActAnswer| matches!(answer, ActAnswer::Refused { .. });
    let transient = |answer: &ActAnswer| matches!(answer, ActAnswer::Transient { .. });
    let ambiguous = |answer: &ActAnswer| matches!(answer, ActAnswer::Ambiguous { .. });
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\n\x01\x02\x03".to_vec();
    type Fits = fn(&ActAnswer) -> bool;
    let cases: [(Reply, Fits, &str); 9] = [
        (Reply::Http(200, "text/html", b"Invalid credentials".to_vec()), refused, "Invalid credentials"),
        (Reply::Http(200, "text/html", b"<html><body>Log in</body></html>".to_vec()), refused, "an HTML page"),
        (Reply::xml("<error>Backup failed</error>"), refused, "Backup failed"),
        (Reply::Http(200, "application/octet-stream", Vec::new()), refused, "nothing"),
        (Reply::Http(200, "application/octet-stream", vec![0; 100]), refused, "100 bytes"),
        (Reply::Http(500, "text/plain", b"disk full".to_vec()), refused, "disk full"),
        (Reply::Http(503, "text/plain", Vec::new()), transient, "503"),
        (Reply::Raw(cut.clone()), ambiguous, "backup: node `a`"),
        (Reply::Stall(cut), ambiguous, "no further piece"),
    ];
    for (reply, fits, says) in cases {
        let server = FakeBox::start().await;
        // Short only where it is to be met, so that a busy machine changes nothing.
        let mut limits = Limits::default();
        if matches!(reply, Reply::Stall(_)) {
            limits.stall = Duration::from_secs(2);
        }
        server.answer("/api/backup", reply);
        let directory = tempfile::tempdir().unwrap();
        let driver = with(super::Settings { limits, ..settings(&server) });
        let answer = driver.act(&intent("window-1.backup.a"), &backup(directory.path())).await;
        assert!(fits(&answer) && format!("{answer:?}").contains(says), "{says}: {answer:?}");
        assert_eq!(names(directory.path()), Vec::<String>::new(), "{says}");
    }
}

#[tokio::test]
async fn a_backup_larger_than_the_limit_is_refused_and_removed() {
    let server = FakeBox::start().await;
    server.answer("/api/backup", Reply::Flood(vec![1; 1 << 16]));
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { max_backup_bytes: 1 << 20, ..Limits::default() };
    let driver = with(super::Settings { limits, ..settings(&server) });
    let answer = driver.act(&intent("window-1.backup.a"), &backup(directory.path())).await;
    assert!(matches!(&answer, ActAnswer::Refused { message } if message.contains("larger than")), "{answer:?}");
    assert_eq!(names(directory.path()), Vec::<String>::new());
}

#[tokio::test]
async fn an_act_that_outlasts_its_limit_is_ambiguous_and_leaves_nothing() {
    let server = FakeBox::start().await;
    server.answer("/api/backup", Reply::Stall(b"HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\n\x01".to_vec()));
    let directory = tempfile::tempdir().unwrap();
    let driver = BeyondTrust::new(settings(&server), Arc::new(TestClock { limits_pass: true })).unwrap();
    let answer = driver.act(&intent("window-1.backup.a"), &backup(directory.path())).await;
    assert!(matches!(answer, ActAnswer::Ambiguous { .. }), "{answer:?}");
    assert_eq!(names(directory.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_refused() {
    let server = FakeBox::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let answer = driver(&server).act(&intent("window-1.backup.a"), &backup(&file.path().join("x"))).await;
    assert!(matches!(&answer, ActAnswer::Refused { message } if message.contains("can't be written here")), "{answer:?}");
}

#[tokio::test]
async fn r13_another_box_is_asked_for_nothing() {
    let server = FakeBox::start().await;
    server.answer("check_health", Reply::xml(health(B, "primary")));
    let directory = tempfile::tempdir().unwrap();
    for act in [backup(directory.path()), extract(directory.path())] {
        let answer = driver(&server).act(&intent("window-1.backup.a"), &act).await;
        let named = matches!(&answer, ActAnswer::Refused { message } if message.contains(A) && message.contains(B));
        assert!(named, "{answer:?}");
    }
    assert_eq!(server.count("/api/backup") + server.count("/api/reporting"), 0);
}

#[tokio::test]
async fn a_token_lost_halfway_through_an_extraction_is_renewed() {
    let server = FakeBox::start().await;
    let driver = driver(&server);
    driver.observe().await.unwrap();
    server.revoke_tokens();
    let directory = tempfile::tempdir().unwrap();
    let answer = driver.act(&intent("window-1.extract_data.a"), &extract(directory.path())).await;
    assert!(matches!(answer, ActAnswer::Accepted { .. }), "{answer:?}");
    assert_eq!(server.tokens_given(), 2);
}

fn by_hand() -> Vec<(NodeAct, Vec<&'static str>)> {
    let (a, b) = (NodeId::A, NodeId::B);
    let package = PathBuf::from("/srv/packages/site-24.2.1.nss");
    let target = "24.2.1+42000".parse().unwrap();
    let deadline = "2026-11-22T03:00:00Z".parse().unwrap();
    vec![
        (NodeAct::ForceSync { from: b, to: a }, vec!["/login > Management > Failover", "`Sync Now`", "node `b` (the primary)"]),
        (NodeAct::BreakFailover, vec!["/login > Management > Failover", "`Break Failover Relationship(s)`", "half broken"]),
        (
            NodeAct::Update { package, sha256: "ab12".to_owned(), target },
            vec!["/appliance > Updates", "site-24.2.1.nss", "ab12", "restart", "support", "24.2.1+42000"],
        ),
        (
            NodeAct::EstablishFailover { primary: a, standby: b },
            vec!["/login > Management > Failover", "are replaced", "b.example.com, TLS port 443", "inter-appliance key"],
        ),
        (NodeAct::Drain { deadline }, vec!["2 users", "4 sessions", "Nothing is ended for them", "2026-11-22T03:00:00Z"]),
        (NodeAct::Quiesce, vec!["Close", "support.example.com", "2 users", "`changeover confirm support-7 node_closed`"]),
        (NodeAct::Reopen, vec!["again", "support.example.com", "backup", "`changeover confirm support-7 node_open`"]),
    ]
}

#[tokio::test]
async fn bg_11_acts_without_an_interface_are_told_to_a_person() {
    let server = FakeBox::start().await;
    let driver = driver(&server);
    for (act, words) in by_hand() {
        let answer = driver.act(&intent("window-1.update.a"), &act).await;
        let ActAnswer::ByOperator { instructions } = answer else { panic!("{act:?}: {answer:?}") };
        let text = instructions.join("\n");
        let url = settings(&server).url;
        let facts = [url.as_str().trim_end_matches('/'), A, "DO NOT ", "Done when: "];
        for word in words.into_iter().chain(facts) {
            assert!(text.contains(word), "{}: `{word}` is missing in\n{text}", act.verb());
        }
        // Whoever shows them numbers them.
        for line in &instructions {
            assert!(!line.starts_with(|first: char| first.is_ascii_digit()) && !line.contains('\n'), "{line}");
        }
    }
    let writes = server.asked().iter().filter(|asked| asked.line.starts_with("POST") && !asked.line.contains("token")).count();
    assert_eq!(writes, 0, "nothing was done for the person");
}

#[tokio::test]
async fn instructions_are_given_for_a_box_that_does_not_answer() {
    let server = FakeBox::start().await;
    server.answer("get_logged_in_reps", Reply::Stall(Vec::new()));
    let limits = Limits { call: Duration::from_millis(500), ..Limits::default() };
    let settings = super::Settings { limits, ..settings(&server) };
    let driver = BeyondTrust::new(settings, Arc::new(TestClock { limits_pass: true })).unwrap();
    let answer = driver.act(&intent("window-1.quiesce.a"), &NodeAct::Quiesce).await;
    let told = matches!(&answer, ActAnswer::ByOperator { instructions } if instructions[0].contains("an unknown number"));
    assert!(told, "{answer:?}");
}

#[tokio::test]
async fn after_a_restart_only_readings_may_have_been_sent() {
    let server = FakeBox::start().await;
    let driver = driver(&server);
    for (step, recall) in [
        ("window-1.backup.a", Recall::MayBeSent),
        ("window-1.extract_data.a.2", Recall::MayBeSent),
        ("window-1.update.a", Recall::NeverSent),
        ("window-1.break_failover", Recall::NeverSent),
    ] {
        assert_eq!(driver.recall(&intent(step)).await, recall, "{step}");
    }
    assert_eq!(server.connections(), 0);
}
