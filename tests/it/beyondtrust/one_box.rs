//! R13: a backup and an extraction are of one box from the first call to the last.

use changeover::ports::{ActAnswer, Appliance as _};

use super::acts::{backup, extract, names};
use super::server::{A, FakeBox, Reply, health};
use super::{B, driver, intent};

/// The box's health, and after one answer another.
async fn then(second: String) -> FakeBox {
    let server = FakeBox::start().await;
    server.answer("check_health", Reply::xml(second));
    server.answer_once("check_health", Reply::xml(health(A, "primary")));
    server
}

fn refused(answer: &ActAnswer, says: &str) -> bool {
    matches!(answer, ActAnswer::Refused { message } if message.contains(says) && message.contains("R13"))
}

#[tokio::test]
async fn r13_a_backup_is_not_kept_if_another_box_answers_after_it() {
    let (server, folder) = (then(health(B, "primary")).await, tempfile::tempdir().unwrap());
    let answer = driver(&server).act(&intent("window-1.backup.a"), &backup(folder.path())).await;
    assert!(refused(&answer, B), "{answer:?}");
    assert_eq!((server.count("/api/backup"), names(folder.path())), (1, Vec::new()));
}

/// Nor is an extraction taken, by this attempt or by the next, whose box or software was not the same throughout.
#[tokio::test]
async fn r13_an_extraction_is_disowned_if_another_box_or_version_answers_after_it() {
    for (second, says) in [
        (health(B, "primary"), B),
        (health(A, "primary").replace("24.1.1", "24.2.1"), "found 24.1.1 (41000-abc) and then 24.2.1"),
        (health(A, "primary").replace("41000-abc", "41001-abc"), "and then 24.1.1 (41001-abc)"),
    ] {
        let (server, folder) = (then(second).await, tempfile::tempdir().unwrap());
        let answer = driver(&server).act(&intent("window-1.extract_data.a"), &extract(folder.path())).await;
        assert!(refused(&answer, says), "{says}: {answer:?}");
        let left = names(folder.path());
        assert!(left.iter().any(|name| name.ends_with(".xml")), "{says}: what was answered stays as evidence: {left:?}");
        assert!(left.contains(&"manifest.jsonl.void".to_owned()), "{says}: {left:?}");
        assert!(!left.contains(&"manifest.jsonl".to_owned()) && !left.contains(&"sessions.csv".to_owned()), "{says}: {left:?}");
    }
}
