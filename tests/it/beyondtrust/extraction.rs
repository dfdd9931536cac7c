//! Extraction against a box that answers as it is told: what is kept, what is refused, and what a later attempt takes over.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use changeover::drivers::appliance::beyondtrust::{Limits, Product, Settings};
use changeover::ports::{ActAnswer, Appliance as _, NodeAct, ProducedFile};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::acts::{check_hash, extract, names};
use super::server::{A, FakeBox, Reply, health};
use super::{driver, intent, settings, with};

const GUID: &str = "c69a8e10bea9428f816cfababe9815fe";
const OPEN: &str = "<session lsid=\"0123456789abcdef0123456789abcdef\"/>";

/// A closed session with these further elements.
fn closed(lsid: &str, more: &str) -> String {
    format!("<session lsid=\"{lsid}\"><start_time timestamp=\"1795305723\"/><end_time timestamp=\"1795309323\"/>{more}</session>")
}

/// Reports and their listing hold these closed sessions.
fn holds(server: &FakeBox, sessions: &str) {
    let listed = sessions.replace("<session ", "<session_summary ").replace("</session>", "</session_summary>");
    let listing = format!("<session_summary_list>{listed}</session_summary_list>");
    server.answer("SupportSessionListing:end_time", Reply::xml(listing));
    server.answer("SupportSession:end_time", Reply::xml(format!("<session_list>{sessions}</session_list>")));
}

fn accepted(answer: ActAnswer) -> (Vec<ProducedFile>, u64) {
    let ActAnswer::Accepted { files, records: Some(records), .. } = answer else { panic!("{answer:?}") };
    files.iter().for_each(check_hash);
    (files, records)
}

fn table(directory: &Path) -> Vec<csv::StringRecord> {
    let mut table = csv::Reader::from_path(directory.join("sessions.csv")).unwrap();
    table.records().map(|row| row.unwrap()).collect()
}

/// The manifest's lines; each file in it is as it was noted.
fn manifest(directory: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(directory.join("manifest.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for file in lines.iter().filter_map(|line| line.get("file")) {
        let path = directory.join(file["file"].as_str().unwrap());
        let (sha256, bytes) = (file["sha256"].as_str().unwrap().to_owned(), file["bytes"].as_u64().unwrap());
        check_hash(&ProducedFile { path, sha256, bytes });
    }
    lines
}

#[tokio::test]
async fn bg_50_sessions_are_extracted_once_each_and_every_answer_is_kept() {
    let server = FakeBox::start().await;
    let one = closed(GUID, "");
    holds(&server, &one);
    server.answer("SupportSession:start_time", Reply::xml(format!("<session_list>{one}{OPEN}</session_list>")));
    let directory = tempfile::tempdir().unwrap();
    let answer = driver(&server).act(&intent("window-1.extract_data.a"), &extract(directory.path())).await;
    let (files, records) = accepted(answer);
    assert_eq!(records, 2);
    let names: Vec<_> = files.iter().map(|file| file.path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["manifest.jsonl", "sessions.csv"]);
    let lines = manifest(directory.path());
    assert_eq!(lines.last().unwrap()["complete"]["sessions"], 2);
    let kept = lines.iter().filter(|line| line["file"]["of"]["kind"] == "report").count();
    let repeated = server.count("/api/reporting") - kept;
    assert!(kept >= 4 && repeated >= 3, "{kept} kept, {repeated} the same again");
    let rows = table(directory.path());
    let row = rows.iter().find(|row| &row[0] == GUID).unwrap();
    assert_eq!((rows.len(), &row[3], &row[4], &row[5]), (2, "2026-11-22T00:02:03Z", "2026-11-22T01:02:03Z", "3600"));
}

#[tokio::test]
async fn bg_50_no_sessions_are_zero_records_however_it_is_said() {
    let none = "<error>No sessions found for the given search criteria.</error>";
    for (listing, sessions) in [("<session_summary_list/>", "<session_list/>"), (none, none)] {
        let server = FakeBox::start().await;
        server.answer("SupportSessionListing:end_time", Reply::xml(listing));
        server.answer("SupportSession:end_time", Reply::xml(sessions));
        server.answer("SupportSession:start_time", Reply::xml(sessions));
        let directory = tempfile::tempdir().unwrap();
        let answer = driver(&server).act(&intent("window-1.extract_data.a"), &extract(directory.path())).await;
        assert_eq!(accepted(answer).1, 0);
        assert_eq!(table(directory.path()).len(), 0);
    }
}

#[tokio::test]
async fn bg_50_an_incomplete_extraction_is_refused_and_never_called_complete() {
    let listing = format!("<session_summary_list><session_summary lsid=\"{GUID}\"/></session_summary_list>");
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\n<session_list>".to_vec();
    for (key, reply, says) in [
        ("SupportSessionListing:end_time", Reply::xml(listing), "lists 1 closed sessions and its report has 0"),
        ("SupportSession:end_time", Reply::xml(format!("<session_list>{}</session_list>", closed(GUID, ""))), "lists 0 closed"),
        ("SupportSession:start_time", Reply::xml("<error>The report failed.</error>"), "The report failed."),
        ("SupportSession:end_time", Reply::xml("<session_list><session lsid=\"a\"/>"), "ends before its root"),
        ("SupportSession:end_time", Reply::Http(200, "text/plain", b"Invalid credentials".to_vec()), "XML"),
        ("SupportSession:start_time", Reply::Raw(cut), "Ambiguous"),
    ] {
        let server = FakeBox::start().await;
        server.answer(key, reply);
        let directory = tempfile::tempdir().unwrap();
        let answer = driver(&server).act(&intent("window-1.extract_data.a"), &extract(directory.path())).await;
        let fits = matches!(answer, ActAnswer::Refused { .. } | ActAnswer::Ambiguous { .. });
        assert!(fits && format!("{answer:?}").contains(says), "{says}: {answer:?}");
        assert!(manifest(directory.path()).iter().all(|line| line.get("complete").is_none()), "{says}");
        let left = names(directory.path());
        assert!(left.iter().all(|name| !name.contains(".part") && name != "sessions.csv"), "{says}: {left:?}");
    }
}

/// As [`extract`], over three weeks, into the folder of an attempt.
fn three_weeks(base: &Path, attempt: u32, until: Timestamp) -> NodeAct {
    let directory = base.join(format!("window-1.extract_data.a.{attempt}"));
    NodeAct::ExtractData { since: until - SignedDuration::from_hours(21 * 24), until, directory }
}

/// Only what was damaged, where all of the range is over: for two hours at the least, as clocks may differ by one.
#[tokio::test]
async fn bg_50_what_was_fetched_whole_is_not_fetched_again() {
    fetches_again(-3, 1..=1).await;
}

/// The newest slice, or two at a border between them, may still change: in each of two passes or more; the damaged one may be it.
#[tokio::test]
async fn bg_50_what_is_not_over_yet_is_fetched_again() {
    fetches_again(2, 2..=9).await;
}

async fn fetches_again(hours: i64, expected: RangeInclusive<usize>) {
    let (base, until) = (tempfile::tempdir().unwrap(), Timestamp::now() + SignedDuration::from_hours(hours));
    let folder = |attempt: u32| base.path().join(format!("window-1.extract_data.a.{attempt}"));
    let server = FakeBox::start().await;
    holds(&server, &closed(GUID, ""));
    server.answer("SupportSessionListing:end_time", Reply::Http(500, "text/plain", b"not now".to_vec()));
    let answer = driver(&server).act(&intent("window-1.extract_data.a"), &three_weeks(base.path(), 1, until)).await;
    assert!(matches!(answer, ActAnswer::Refused { .. }), "{answer:?}");
    let first = server.count("SupportSession&start_time");
    assert!(first >= 14, "{first}");
    // One file is damaged meanwhile, and a crash tore the last line.
    let damaged = names(&folder(1)).into_iter().find(|name| name.contains("start_time")).unwrap();
    std::fs::write(folder(1).join(&damaged), "<session_list />").unwrap();
    let mut torn = std::fs::read(folder(1).join("manifest.jsonl")).unwrap();
    torn.extend_from_slice(b"{\"file\":{\"file\":\"x");
    std::fs::write(folder(1).join("manifest.jsonl"), torn).unwrap();
    holds(&server, &closed(GUID, ""));
    let answer = driver(&server).act(&intent("window-1.extract_data.a"), &three_weeks(base.path(), 2, until)).await;
    assert_eq!(accepted(answer).1, 1);
    let again = server.count("SupportSession&start_time") - first;
    assert!(expected.contains(&again), "{again} of {first} again");
    manifest(&folder(2));
    // Another release of the same box may name its sessions otherwise: nothing is taken over.
    let newer = health(A, "primary").replace("24.1.1", "24.2.1");
    server.answer("check_health", Reply::xml(newer));
    let before = server.count("SupportSession&start_time");
    let answer = driver(&server).act(&intent("window-1.extract_data.a"), &three_weeks(base.path(), 3, until)).await;
    assert_eq!(accepted(answer).1, 1);
    assert!(server.count("SupportSession&start_time") - before >= first);
}

#[tokio::test]
async fn bg_50_an_open_session_is_asked_for_again_until_it_has_an_end() {
    let (base, until) = (tempfile::tempdir().unwrap(), Timestamp::now() - SignedDuration::from_hours(3));
    let server = FakeBox::start().await;
    server.answer("SupportSession:start_time", Reply::xml(format!("<session_list>{OPEN}</session_list>")));
    for attempt in [1, 2] {
        let before = server.count("SupportSession&start_time");
        let answer = driver(&server).act(&intent("window-1.extract_data.a"), &three_weeks(base.path(), attempt, until)).await;
        assert_eq!(accepted(answer).1, 1);
        assert!(server.count("SupportSession&start_time") - before >= 14, "attempt {attempt}");
    }
}

fn impatient(server: &FakeBox) -> Settings {
    let limits = Limits { recording_wait: Duration::ZERO, ..Limits::default() };
    Settings { limits, ..settings(server) }
}

const MEDIA: &str = "<session_recording_download_url>https://support.example.com/x</session_recording_download_url>\
     <command_shell_recordings><command_shell_recording instance=\"1\"><download_url>x</download_url></command_shell_recording>\
     </command_shell_recordings><session_chat_download_url>y</session_chat_download_url>";

#[tokio::test]
async fn bg_50_recordings_are_fetched_from_the_box_itself_and_those_not_ready_are_listed() {
    let server = FakeBox::start().await;
    holds(&server, &closed(GUID, MEDIA));
    server.answer("SupportSessionRecording:", Reply::Http(200, "video/x-flv", b"FLV\x01 pictures".to_vec()));
    server.answer("CommandShellRecording:", Reply::xml("<error>The recording is not yet available.</error>"));
    let directory = tempfile::tempdir().unwrap();
    let answer = with(impatient(&server)).act(&intent("window-1.extract_data.a"), &extract(directory.path())).await;
    let (files, records) = accepted(answer);
    assert_eq!((records, files.len()), (1, 3));
    let lacking = std::fs::read_to_string(directory.path().join("missing-recordings.csv")).unwrap();
    assert!(lacking.contains(GUID) && lacking.contains("command shell 1") && lacking.contains("not yet available"), "{lacking}");
    assert_eq!(server.count("CommandShellRecording"), 3, "asked for in three rounds");
    assert_eq!(server.count("CommandShellRecording&lsid=c69a8e10bea9428f816cfababe9815fe&instance=1"), 3);
    let rows = table(directory.path());
    let screen = format!("recordings/{GUID}-screen.recording");
    assert_eq!((&rows[0][9], &rows[0][10], &rows[0][11]), ("yes", screen.as_str(), "command shell 1"));
    let lines = manifest(directory.path());
    let complete = &lines.last().unwrap()["complete"];
    assert_eq!((&complete["recordings"], &complete["missing"]), (&Value::from(1), &Value::from(1)));
}

/// R9: a refusal costs the recording that it is about, and no other.
#[tokio::test]
async fn a_recording_that_is_refused_costs_no_other_recording() {
    let server = FakeBox::start().await;
    let lsid = |number: u32| format!("{number:032x}");
    holds(&server, &(0..5).map(|number| closed(&lsid(number), MEDIA)).collect::<String>());
    server.answer("SupportSessionRecording:", Reply::Http(200, "video/x-flv", b"FLV\x01 pictures".to_vec()));
    server.answer("CommandShellRecording:", Reply::xml("<error>You do not have permission to access this session.</error>"));
    let directory = tempfile::tempdir().unwrap();
    let answer = with(impatient(&server)).act(&intent("window-1.extract_data.a"), &extract(directory.path())).await;
    let ActAnswer::Accepted { missing, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(missing, 5);
    for number in 0..5 {
        assert!(directory.path().join(format!("recordings/{}-screen.recording", lsid(number))).exists(), "{number}");
        assert_eq!(server.count(&format!("CommandShellRecording&lsid={}", lsid(number))), 1, "{number}");
    }
    assert_eq!(server.tokens_given(), 1);
    let complete = manifest(directory.path()).last().unwrap()["complete"].clone();
    assert_eq!((&complete["recordings"], &complete["missing"]), (&Value::from(5), &Value::from(5)));
}

/// An account that is refused in the middle is not shown for every recording that is left.
#[tokio::test]
async fn an_account_that_is_refused_while_recordings_are_fetched_ends_the_attempt() {
    let server = FakeBox::start().await;
    holds(&server, &(0..50).map(|number| closed(&format!("{number:032x}"), MEDIA)).collect::<String>());
    server.answer_once("SupportSessionRecording:", Reply::RefuseFromNow { for_ever: true });
    let directory = tempfile::tempdir().unwrap();
    let answer = with(impatient(&server)).act(&intent("window-1.extract_data.a"), &extract(directory.path())).await;
    assert!(matches!(answer, ActAnswer::Refused { .. }), "{answer:?}");
    assert_eq!(server.count("Recording&lsid"), 1);
}

/// A token that died in the middle, with a restart of the box, costs no recording.
#[tokio::test]
async fn a_token_that_dies_while_recordings_are_fetched_costs_none() {
    let server = FakeBox::start().await;
    holds(&server, &(0..5).map(|number| closed(&format!("{number:032x}"), MEDIA)).collect::<String>());
    for key in ["SupportSessionRecording:", "CommandShellRecording:"] {
        server.answer(key, Reply::Http(200, "video/x-flv", b"FLV\x01 pictures".to_vec()));
    }
    server.answer_once("CommandShellRecording:", Reply::RefuseFromNow { for_ever: false });
    let directory = tempfile::tempdir().unwrap();
    let answer = with(impatient(&server)).act(&intent("window-1.extract_data.a"), &extract(directory.path())).await;
    assert!(matches!(answer, ActAnswer::Accepted { missing: 0, .. }), "{answer:?}");
    assert_eq!((server.tokens_given(), server.count("Recording&lsid")), (2, 11));
}

/// BG-01: the room that was needed is that of the whole folder, not of the table alone.
#[tokio::test]
async fn bg_01_an_extraction_tells_the_room_of_all_its_files() {
    let server = FakeBox::start().await;
    holds(&server, &closed(GUID, MEDIA));
    server.answer("SupportSessionRecording:", Reply::Http(200, "video/x-flv", vec![b'F'; 500_000]));
    server.answer("CommandShellRecording:", Reply::Http(200, "text/plain", b"$ ls".to_vec()));
    let directory = tempfile::tempdir().unwrap();
    let answer = with(impatient(&server)).act(&intent("window-1.extract_data.a"), &extract(directory.path())).await;
    let ActAnswer::Accepted { bytes: Some(bytes), missing: 0, .. } = answer else { panic!("{answer:?}") };
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    let listed = manifest(directory.path()).iter().filter_map(|line| line.get("file")?["bytes"].as_u64()).sum::<u64>();
    assert_eq!(bytes, listed + size(&directory.path().join("manifest.jsonl")));
    assert!(bytes > 500_000, "{bytes}");
}

/// An attempt that ended while it took files over, before it had a manifest: its files are there, and are good.
#[tokio::test]
async fn bg_50_an_attempt_that_died_while_it_took_files_over_takes_them_all_the_same() {
    let (base, until) = (tempfile::tempdir().unwrap(), Timestamp::now() - SignedDuration::from_hours(3));
    let folder = |attempt: u32| base.path().join(format!("window-1.extract_data.a.{attempt}"));
    let server = FakeBox::start().await;
    holds(&server, &closed(GUID, MEDIA));
    for key in ["SupportSessionRecording:", "CommandShellRecording:"] {
        server.answer(key, Reply::Http(200, "video/x-flv", b"FLV\x01 pictures".to_vec()));
    }
    let answer = driver(&server).act(&intent("window-1.extract_data.a"), &three_weeks(base.path(), 1, until)).await;
    assert_eq!(accepted(answer).1, 1);
    std::fs::create_dir_all(folder(2).join("recordings")).unwrap();
    for name in [format!("recordings/{GUID}-screen.recording"), format!("recordings/{GUID}-shell-1.recording")] {
        std::fs::hard_link(folder(1).join(&name), folder(2).join(&name)).unwrap();
    }
    // One was torn by the crash.
    let report = names(&folder(1)).into_iter().find(|name| name.contains("start_time")).unwrap();
    std::fs::write(folder(2).join(&report), "<session_list").unwrap();
    let before = server.count("Recording&lsid");
    let answer = driver(&server).act(&intent("window-1.extract_data.a"), &three_weeks(base.path(), 2, until)).await;
    assert_eq!(accepted(answer).1, 1);
    assert_eq!(server.count("Recording&lsid"), before, "none is fetched again");
    manifest(&folder(2));
}

/// Backups hold secrets, and reports what people said.
#[tokio::test]
async fn files_and_folders_are_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = FakeBox::start().await;
    holds(&server, &closed(GUID, MEDIA));
    server.answer("SupportSessionRecording:", Reply::Http(200, "video/x-flv", b"FLV\x01 pictures".to_vec()));
    let base = tempfile::tempdir().unwrap();
    let (extracts, backups) = (base.path().join("extracts/support-7/x.1"), base.path().join("backups/support-7/x.1"));
    with(impatient(&server)).act(&intent("window-1.extract_data.a"), &extract(&extracts)).await;
    driver(&server).act(&intent("window-1.backup.a"), &NodeAct::Backup { directory: backups.clone() }).await;
    let mut paths = vec![base.path().join("extracts"), base.path().join("backups")];
    let mut seen = 0;
    while let Some(path) = paths.pop() {
        let metadata = std::fs::metadata(&path).unwrap();
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, expected, "{}", path.display());
        seen += 1;
        if metadata.is_dir() {
            paths.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(names(&extracts).contains(&"missing-recordings.csv".to_owned()) && seen >= 14, "{seen}");
}

#[tokio::test]
async fn an_account_without_the_right_to_recordings_is_not_asked_with_again_and_again() {
    let server = FakeBox::start().await;
    let many: String = (0..20).map(|number| closed(&format!("{number:032x}"), MEDIA)).collect();
    holds(&server, &many);
    for key in ["SupportSessionRecording:", "CommandShellRecording:"] {
        server.answer(key, Reply::xml("<error>You do not have permission to access recordings.</error>"));
    }
    let directory = tempfile::tempdir().unwrap();
    let answer = with(impatient(&server)).act(&intent("window-1.extract_data.a"), &extract(directory.path())).await;
    assert_eq!(accepted(answer).1, 20);
    assert_eq!(std::fs::read_to_string(directory.path().join("missing-recordings.csv")).unwrap().lines().count(), 41);
    assert_eq!(server.count("Recording&lsid"), 20, "and then no more");
    assert_eq!(server.tokens_given(), 1, "no token for any of them: the box keeps thirty, for others too");
}

#[tokio::test]
async fn recordings_can_be_left_out_and_the_other_product_has_other_names() {
    let server = FakeBox::start().await;
    let report = format!("<session_list>{}</session_list>", closed(GUID, MEDIA));
    let listing = format!("<session_summary_list><session_summary lsid=\"{GUID}\"/></session_summary_list>");
    server.answer("AccessSession:start_time", Reply::xml(report.clone()));
    server.answer("AccessSession:end_time", Reply::xml(report));
    server.answer("AccessSessionListing:end_time", Reply::xml(listing));
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings { product: Product::PrivilegedRemoteAccess, recordings: false, ..settings(&server) };
    let answer = with(settings).act(&intent("window-1.extract_data.a"), &extract(directory.path())).await;
    assert_eq!(accepted(answer).1, 1);
    assert_eq!(server.count("Recording"), 0);
    assert_eq!(&table(directory.path())[0][11], "", "what was not asked for is not missing");
}

#[tokio::test]
async fn a_cell_that_could_be_a_formula_is_made_a_text() {
    let server = FakeBox::start().await;
    let evil = "<rep_list><representative><username>=HYPERLINK(\"http://x\",\"y\")</username></representative></rep_list>\
                <customer_list><customer><username>@sum, \"and\" more\nlines</username></customer></customer_list>";
    holds(&server, &[closed("-1041", evil), closed(GUID, "<session_type> +1</session_type>")].concat());
    let directory = tempfile::tempdir().unwrap();
    let answer = driver(&server).act(&intent("window-1.extract_data.a"), &extract(directory.path())).await;
    assert_eq!(accepted(answer).1, 2);
    let rows = table(directory.path());
    let cells: Vec<&str> = rows.iter().flatten().collect();
    assert!(cells.contains(&"'=HYPERLINK(\"http://x\",\"y\")"), "{cells:?}");
    assert!(cells.contains(&"'@sum, \"and\" more\nlines") && cells.contains(&"'-1041") && cells.contains(&"'+1"), "{cells:?}");
    assert!(!cells.iter().any(|cell| cell.starts_with(['=', '+', '-', '@'])), "{cells:?}");
}

/// A session's id is the box's text too.
#[tokio::test]
async fn an_id_that_could_be_a_formula_is_made_a_text_in_the_list_of_what_is_missing() {
    let server = FakeBox::start().await;
    holds(&server, &closed("=1041", MEDIA));
    let directory = tempfile::tempdir().unwrap();
    let answer = with(impatient(&server)).act(&intent("window-1.extract_data.a"), &extract(directory.path())).await;
    assert_eq!(accepted(answer).0.len(), 3);
    let text = std::fs::read_to_string(directory.path().join("missing-recordings.csv")).unwrap();
    assert!(text.lines().skip(1).all(|line| line.starts_with("'=1041,")) && text.lines().count() == 3, "{text}");
}

/// The most memory that this process ever had, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// `EXTRACT_MIB=1024 cargo nextest run --features test-kill --run-ignored only --no-capture large_report`
#[tokio::test]
#[ignore = "a report of a gigabyte takes minutes and as much disk; the page on testing has the command"]
async fn memory_stays_the_same_for_a_large_report() {
    let mib: u64 = std::env::var("EXTRACT_MIB").map_or(1024, |text| text.parse().unwrap());
    let bytes = 100 << 10;
    let count = (mib << 20) / bytes;
    let server = FakeBox::start().await;
    server.answer("SupportSession:end_time", Reply::Sessions("session_list", count, usize::try_from(bytes).unwrap()));
    server.answer("SupportSessionListing:end_time", Reply::Sessions("session_summary_list", count, 0));
    let directory = tempfile::tempdir().unwrap();
    let before = peak_mib();
    let answer = driver(&server).act(&intent("window-1.extract_data.a"), &extract(directory.path())).await;
    assert_eq!(accepted(answer).1, count);
    println!("{mib} MiB of report, {count} sessions: {before} MiB of memory before, at most {} MiB since", peak_mib());
    assert!(peak_mib() < before + 64, "{} MiB", peak_mib());
}
