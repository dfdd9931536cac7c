//! The program behind the nodes of `restart`: notes when it was called and for what, then answers as the pair of the tests.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// The mode in which this program is the one behind a node: `FOLDER NODE VERB`.
pub const NAME: &str = "program";
const PAIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/pair");

/// One call of the program.
pub struct Noted {
    pub verb: String,
    /// Since the epoch.
    pub at: Duration,
}

pub fn run(args: &[&str]) {
    let [folder, .., verb] = args else { panic!("expected a folder, a node and a verb") };
    note(folder.as_ref(), verb);
    // An update takes as long as the bench wants.
    while *verb == "update" && !Path::new(folder).join("go").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = Command::new(PAIR).args(args).stdin(Stdio::inherit()).output().expect("the pair");
    let text = String::from_utf8(output.stdout).expect("JSON");
    print!("{}", text.replace("\"box-", &format!("\"{}-", identity(folder.as_ref()))));
    std::process::exit(output.status.code().unwrap_or(1));
}

/// What the boxes of the pair in this folder are called: no two sites may have one box.
pub fn identity(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn note(folder: &Path, verb: &str) {
    let line = format!("{} {verb}\n", now().as_nanos());
    let file = File::options().create(true).append(true).open(folder.join("calls"));
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("noted");
}

/// The calls for the site in this folder so far.
pub fn calls(folder: &Path) -> Vec<Noted> {
    let text = std::fs::read_to_string(folder.join("calls")).unwrap_or_default();
    let noted = |line: &str| {
        let (at, verb) = line.split_once(' ')?;
        Some(Noted { verb: verb.to_owned(), at: Duration::from_nanos(at.parse().ok()?) })
    };
    text.lines().filter_map(noted).collect()
}

pub fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970")
}
