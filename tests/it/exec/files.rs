//! Files that programs make: backups and extracted data.

use std::fs;

use changeover::ports::{ActAnswer, Appliance as _, NodeAct};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Bench, kind, minute, second};

#[tokio::test]
async fn a_backup_counts_only_where_it_was_asked_for_and_as_it_was_described() {
    let bench = Bench::new();
    let directory = bench.path("backups");
    let content = b"settings";
    let (good, size) = (sha256(content), content.len());
    fs::write(bench.path("elsewhere"), content).unwrap();
    let make = "cd $D/backups; printf settings >b; ln -sf $D/elsewhere link; mkdir -p sub; printf settings >sub/b; rm -f pipe; mkfifo pipe";
    let cases = [
        ("b".to_owned(), good.clone(), size, "accepted"),
        (directory.join("b").display().to_string(), good.clone(), size, "accepted"),
        ("sub/b".to_owned(), good.clone(), size, "accepted"),
        ("sub/../b".to_owned(), good.clone(), size, "accepted"),
        ("../elsewhere".to_owned(), good.clone(), size, "ambiguous"),
        (bench.path("elsewhere").display().to_string(), good.clone(), size, "ambiguous"),
        ("link".to_owned(), good.clone(), size, "ambiguous"),
        ("none".to_owned(), good.clone(), size, "ambiguous"),
        ("sub".to_owned(), good.clone(), size, "ambiguous"),
        ("pipe".to_owned(), good.clone(), size, "ambiguous"),
        (String::new(), good.clone(), size, "ambiguous"),
        ("b".to_owned(), good.to_uppercase(), size, "ambiguous"),
        ("b".to_owned(), sha256(b"other"), size, "ambiguous"),
        ("b".to_owned(), good.clone(), size + 1, "ambiguous"),
    ];
    for (path, hash, bytes, expected) in cases {
        let reply = json!({ "path": path, "sha256": hash, "bytes": bytes });
        let node = bench.node(&format!("cat >/dev/null; {make}; echo '{reply}'"));
        let answer = node.act(&minute(), &NodeAct::Backup { directory: directory.clone() }).await;
        assert_eq!(kind(&answer), expected, "{reply}: {answer:?}");
        if let ActAnswer::Accepted { files, .. } = answer {
            assert_eq!((files.len(), files[0].sha256.as_str(), files[0].bytes), (1, good.as_str(), size as u64));
        }
    }
}

#[tokio::test]
async fn r9_extracted_files_are_hashed_and_all_of_them_must_be_there() {
    let bench = Bench::new();
    let act = NodeAct::ExtractData { since: second(1), until: second(2), directory: bench.path("out") };
    let make = "cat >/dev/null; cd $D/out; printf one >1; printf two >2";
    let cases = [
        (json!({ "files": ["1", "2"], "records": 41 }), "accepted"),
        (json!({ "files": [], "records": 0 }), "accepted"),
        (json!({ "files": [], "records": 41 }), "ambiguous"),
        (json!({ "files": ["1", "3"], "records": 41 }), "ambiguous"),
        (json!({ "files": ["1"] }), "ambiguous"),
        // Nothing that is asked again: the next answer would be as long.
        (json!({ "files": vec!["1"; 4_000], "records": 1 }), "refused"),
    ];
    for (reply, expected) in cases {
        fs::write(bench.path("reply"), reply.to_string()).unwrap();
        let answer = bench.node(&format!("{make}; cat $D/reply")).act(&minute(), &act).await;
        assert_eq!(kind(&answer), expected, "{answer:?}");
        if let ActAnswer::Accepted { files, records, .. } = answer {
            assert_eq!(records, reply["records"].as_u64());
            let hashes: Vec<_> = files.iter().map(|file| file.sha256.clone()).collect();
            let all = [sha256(b"one"), sha256(b"two")];
            assert_eq!(hashes, all[..files.len()]);
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
