//! How fast a package goes to a box: the console's upload against curl's, to the same server in the same run.
//!
//! `cargo bench --bench upload [-- MIB ...]`; needs `curl` and GNU `time`. The server is the simulator, over TLS on loopback, in this process;
//! each side is a process of its own, as its memory is measured too. Both sides take turns, so that a busy machine slows both.
//! Lengths are in MiB (default: 64 and 1024). Prints medians, ratios and peaks of resident memory.
//!
//! The console's time is that of the whole act: reading the GUID three times, logging in, four pages, hashing the package,
//! the durable traces, and the press of the button that installs it. curl's is taken twice: of the one request that brings the package,
//! and of a script's whole way there (five requests, each a process of its own: login, page, package, page, the press), which is the
//! like of ours. The longer the package, the less that differs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use changeover::domain::ids::NodeId;
use changeover::domain::journal::hex;
use changeover::domain::labels::Labels;
use changeover::drivers::appliance::beyondtrust::console::{Account, Settings as Console};
use changeover::drivers::appliance::beyondtrust::{
    Accounts, BeyondTrust, Credentials, Editions, Limits, Peer, Product, Settings, Share,
};
use changeover::drivers::clock::SystemClock;
use changeover::drivers::tls::TlsTrust;
use changeover::ports::{ActAnswer, Appliance as _, Intent, NodeAct};
use changeover::simulator::server::RateLimits;
use changeover::simulator::{Simulator, SimulatorOptions};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

/// Turns of each side for a package of 1 GiB; more for smaller ones.
const TURNS: usize = 5;
const SECRET: &str = "a secret";
const MIB: u64 = 1 << 20;

fn main() {
    // cargo passes `--bench`.
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    match args.first().map(String::as_str) {
        Some("--side") => runtime.block_on(side(&args[1..])),
        _ => {
            let lengths: Vec<u64> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
            let lengths = if lengths.is_empty() { vec![64, 1024] } else { lengths };
            runtime.block_on(compare(&lengths));
        }
    }
}

/// One turn of one side.
struct Turn {
    time: Duration,
    /// With all that is done around the one request.
    whole: Duration,
    peak_kib: u64,
}

async fn compare(lengths: &[u64]) {
    let (from, to) = ("24.1.1".parse().expect("a version"), "24.2.1".parse().expect("a version"));
    let mut options = SimulatorOptions::new(Arc::new(SystemClock), SECRET.into(), from, to);
    (options.world.primary, options.world.users, options.world.instant) = (None, 0, true);
    // Each turn is a process of its own with a budget of its own; with a small package they come faster than one would let them.
    options.rates = RateLimits { per_second: usize::MAX, per_hour: usize::MAX };
    let simulator = Simulator::start(options).await.expect("a simulator");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("ca.pem"), &simulator.certificate_pem).expect("the certificate");
    for &length in lengths {
        let package = folder.path().join(format!("package-{length}.nss"));
        let sha256 = write_package(&package, length * MIB);
        let turns = TURNS.max(usize::try_from(2048 / length.max(1)).unwrap_or(TURNS).min(15));
        let (mut own, mut curl) = (Vec::new(), Vec::new());
        for _ in 0..turns {
            own.push(own_turn(&simulator, folder.path(), &package, &sha256).await);
            assert_eq!(simulator.received(NodeId::B).map(|received| received.2), Some(sha256.clone()), "what arrived");
            curl.push(curl_turn(&simulator, folder.path(), &package).await);
            assert_eq!(simulator.received(NodeId::B).map(|received| received.2), Some(sha256.clone()), "what arrived");
        }
        print(length, &mut own, &mut curl);
        std::fs::remove_file(&package).expect("the package");
    }
}

fn print(length: u64, own: &mut [Turn], curl: &mut [Turn]) {
    let speed = |turns: &mut [Turn], time: fn(&Turn) -> Duration| {
        turns.sort_by_key(time);
        length as f64 / time(&turns[turns.len() / 2]).as_secs_f64()
    };
    let peak = |turns: &[Turn]| turns.iter().map(|turn| turn.peak_kib).max().unwrap_or_default();
    let (own_speed, request, script) =
        (speed(own, |turn| turn.whole), speed(curl, |turn| turn.time), speed(curl, |turn| turn.whole));
    println!("{length:>5} MiB, {} turns   console {own_speed:.0} MiB/s, peak {} KiB", own.len(), peak(own));
    println!("          curl's script {script:.0} MiB/s, ratio {:.2}", own_speed / script);
    println!(
        "          curl's one request {request:.0} MiB/s, peak {} KiB, ratio {:.2} (at least 1)",
        peak(curl),
        own_speed / request
    );
}

fn write_package(path: &Path, length: u64) -> String {
    use std::io::Write as _;
    let mut file = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(path).expect("the package"));
    let mut random = fastrand::Rng::with_seed(length);
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 20]);
    for _ in 0..length / MIB {
        random.fill(&mut piece);
        hash.update(&piece);
        file.write_all(&piece).expect("the package");
    }
    file.into_inner().expect("the package").sync_all().expect("the package");
    hex(&hash.finalize())
}

async fn output(mut command: Command) -> String {
    let output = tokio::task::spawn_blocking(move || command.output().expect("a process")).await.expect("a process");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn own_turn(simulator: &Simulator, folder: &Path, package: &Path, sha256: &str) -> Turn {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    let identity = &simulator.identities[NodeId::B];
    command.arg("--side").arg(simulator.url(NodeId::B)).arg(folder).arg(package).args([sha256, identity]);
    let said = output(command).await;
    let mut figures = said.split_whitespace().map(|figure| figure.parse().expect("a figure"));
    let mut next = || figures.next().expect("two figures");
    let time = Duration::from_micros(next());
    Turn { time, whole: time, peak_kib: next() }
}

/// The console's side: one update by the pages, in a process of its own.
async fn side(args: &[String]) {
    let [url, folder, package, sha256, identity] = args else { panic!("{args:?}") };
    let folder = PathBuf::from(folder);
    let credentials = Account::new("admin".to_owned(), SECRET.into());
    let url: url::Url = url.parse().expect("a URL");
    let settings = Settings {
        site: "bench".to_owned(),
        node: NodeId::B,
        address: url.host_str().and_then(|host| host.parse().ok()).expect("an address"),
        service: "support.example.com".to_owned(),
        identity: identity.clone(),
        editions: Editions::Auto,
        credentials: Credentials::client("changeover", SECRET.into()),
        second: None,
        accounts: Arc::new(Accounts::new(Share::default(), Arc::new(SystemClock))),
        tls: TlsTrust::Ca(std::fs::read(folder.join("ca.pem")).expect("the certificate")),
        peer: Peer { url: url.clone(), identity: identity.clone(), console: None },
        backup_password: None,
        product: Product::RemoteSupport,
        recordings: true,
        limits: Limits::default(),
        console: Some(Console {
            login: credentials.clone(),
            appliance: credentials,
            labels: Labels::default(),
            traces: tempfile::tempdir_in(&folder).expect("a folder").keep(),
        }),
        url,
    };
    let driver = BeyondTrust::new(settings, Arc::new(SystemClock)).expect("a driver");
    let act = NodeAct::Update { package: package.into(), sha256: sha256.clone(), target: "24.2.1".parse().expect("a version") };
    let step = "window-1.update.b".to_owned();
    let intent = Intent {
        site: "bench".to_owned(),
        run: "bench-1".parse().expect("a run"),
        key: step.clone(),
        step,
        attempt: 1,
        since: Timestamp::now(),
        limit: SignedDuration::from_hours(1),
    };
    let begun = Instant::now();
    let answer = driver.act(&intent, &act).await;
    let time = begun.elapsed();
    assert_eq!(answer, ActAnswer::accepted());
    println!("{} {}", time.as_micros(), peak_of_this_process());
}

/// The kernel's figure, in KiB.
fn peak_of_this_process() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("a figure")
}

/// curl's side: logs in by itself, then one multipart request.
async fn curl_turn(simulator: &Simulator, folder: &Path, package: &Path) -> Turn {
    let script = Instant::now();
    let jar = folder.join("jar");
    // The session of the turn before.
    let _ = std::fs::remove_file(&jar);
    let url = |path: &str| format!("{}{path}", simulator.url(NodeId::B));
    let curl = |args: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--fail", "--cacert"]).arg(folder.join("ca.pem"));
        command.arg("--cookie").arg(&jar).arg("--cookie-jar").arg(&jar).args(args);
        command
    };
    let page = output(curl(&[&url("/appliance")])).await;
    let fields = format!("form_token={}&login%5Busername%5D=admin&login%5Bpassword%5D=a+secret", token(&page));
    output(curl(&["--data", &fields, &url("/appliance")])).await;
    let page = output(curl(&[&url("/appliance/updates")])).await;
    let form = [format!("form_token={}", token(&page)), format!("update_file=@{}", package.display())];
    let time_and_peak = "%{time_total}";
    let mut command = Command::new("/usr/bin/env");
    command.args(["time", "-f", "%M", "curl"]).args(["--silent", "--show-error", "--fail", "--cacert"]);
    command.arg(folder.join("ca.pem")).arg("--cookie").arg(&jar).args(["--output", "/dev/null", "--write-out", time_and_peak]);
    command.args(["--form", &form[0], "--form", &form[1], &url("/appliance/updates")]);
    let begun = Instant::now();
    let ran = tokio::task::spawn_blocking(move || command.output()).await.expect("a process").expect("curl");
    let time = begun.elapsed();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let peak = String::from_utf8_lossy(&ran.stderr).trim().parse().unwrap_or_default();
    // The package waits now; it is installed, so that the next turn finds an empty page.
    let page = output(curl(&[&url("/appliance/updates")])).await;
    let fields = format!("form_token={}&act=install", token(&page));
    output(curl(&["--data", &fields, &url("/appliance/updates/install")])).await;
    let seconds = String::from_utf8_lossy(&ran.stdout).trim().parse().ok();
    Turn { time: seconds.map_or(time, Duration::from_secs_f64), whole: script.elapsed(), peak_kib: peak }
}

fn token(page: &str) -> String {
    let after = page.split_once("name=\"form_token\" value=\"").expect("a form").1;
    after.split('"').next().expect("a value").to_owned()
}
