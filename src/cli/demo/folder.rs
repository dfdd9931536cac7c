//! A folder in which a daemon finds all that it needs for a simulated pair: configuration, secrets, a package.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;

use crate::cli::Failure;
use crate::domain::ids::NodeId;
use crate::domain::journal::hex;
use crate::simulator::Simulator;
use crate::simulator::server::generation::{Generation, Login};

use super::pair::{CLIENT_ID, CONSOLE_USER, KEY_ALGORITHM, KEY_NAME, SERVICE, SITE, ZONE};
use super::secrets::{Secrets, random};

/// The folder; removed when it is dropped, unless it is to be kept.
pub struct Folder {
    path: PathBuf,
    remove: bool,
    /// Held as long as the folder is used: its files are of one simulated pair.
    _lock: File,
}

/// What the daemon's configuration is written for.
pub struct Setting<'a> {
    pub simulator: &'a Simulator,
    pub zone: SocketAddr,
    pub procedure: &'a str,
    /// `operator` or `console`.
    pub hands: &'a str,
    /// Where alerts go, if anywhere.
    pub hook: Option<SocketAddr>,
    /// The `[policy]` tables of the site file.
    pub policy: &'a str,
    pub from: &'a str,
    pub to: &'a str,
}

impl Folder {
    /// A new one in the system's folder for temporary files.
    pub fn temporary(keep: bool) -> Result<Self, Failure> {
        let name = format!("changeover-{}", &hex(&random()?)[..8]);
        Self::at(std::env::temp_dir().join(name), keep)
    }

    /// This one, made if it isn't there, for its owner only. One that another simulator uses is refused: its files would lead elsewhere.
    pub fn at(path: PathBuf, keep: bool) -> Result<Self, Failure> {
        make(&path)?;
        let path = path.canonicalize().map_err(|error| failed(&path, &error))?;
        let lock = locked(&path)?;
        Ok(Self { path, remove: !keep, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn config(&self) -> PathBuf {
        self.path.join("config/changeover.toml")
    }

    pub fn socket(&self) -> PathBuf {
        self.path.join("state/changeover.sock")
    }

    pub fn log(&self) -> PathBuf {
        self.path.join("daemon.log")
    }

    pub fn package(&self, to: &str) -> PathBuf {
        self.path.join(format!("support-{to}.nss"))
    }

    pub fn secret(&self, name: &str) -> PathBuf {
        self.path.join("secrets").join(name)
    }

    /// The file of node `a` alone.
    pub fn single(&self) -> PathBuf {
        self.path.join("config/single/appliance.toml")
    }

    /// Writes the file of node `a` as an appliance without a pair.
    pub fn write_single(&self, simulator: &Simulator) -> Result<(), Failure> {
        make(&self.path.join("config/single"))?;
        let node = node_table(simulator, NodeId::A, "console", "node");
        let text = format!(
            "# A simulated appliance without a pair.\nservice = \"{SERVICE}\"\n\n{node}\n[backup]\nfolder = \"../../backups\"\n"
        );
        write(&self.single(), &text)
    }

    /// Writes everything; what an earlier simulator left in the folder is replaced.
    pub fn write(&self, secrets: &Secrets, setting: &Setting<'_>) -> Result<(), Failure> {
        for folder in ["config/sites.d", "secrets"] {
            make(&self.path.join(folder))?;
        }
        let Secrets { client, console, tsig, hook } = secrets;
        write(&self.secret("client"), client.expose_secret())?;
        write(&self.secret("console"), console.expose_secret())?;
        write(&self.secret("tsig.b64"), tsig.expose_secret())?;
        if setting.hook.is_some() {
            write(&self.secret("hook.whsec"), hook.expose_secret())?;
        }
        let Setting { from, to, .. } = setting;
        write(&self.package(to), &format!("a package that updates simulated appliances from {from} to {to}\n"))?;
        write(&self.config(), &main_file(setting))?;
        write(&self.path.join(format!("config/sites.d/{SITE}.toml")), &site_file(setting))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.remove {
            // What can't be removed lies in the system's folder for temporary files.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn make(path: &Path) -> Result<(), Failure> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| failed(path, &error))
}

/// The kernel lets go of it when the process ends, however it ends.
fn locked(folder: &Path) -> Result<File, Failure> {
    use rustix::fs::{FlockOperation, flock};
    let path = folder.join("lock");
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = opened.map_err(|error| failed(&path, &error))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Failure::new("in_use", format!("`{}` is in use", folder.display()))
            .because("another simulator serves with what it wrote there")
            .state("nothing was written")
            .hint("name another folder, or end that one first")),
        Err(error) => Err(failed(&path, &error.into())),
    }
}

/// Every file is for its owner only: some hold secrets, and none concerns anybody else.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    opened.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new("folder", format!("`{}` could not be written", path.display()))
        .because(error.to_string())
        .hint("set TMPDIR to a folder that you may write to")
}

fn main_file(setting: &Setting<'_>) -> String {
    let head = "# Written for a simulated pair.\nstate = \"../state\"\nsites = \"sites.d\"\n";
    let hook = setting.hook.map(|hook| {
        format!("\n[[alerts.webhook]]\nname = \"demo\"\nurl = \"http://{hook}/\"\nsecret_file = \"../secrets/hook.whsec\"\n")
    });
    format!("{head}{}", hook.unwrap_or_default())
}

fn site_file(setting: &Setting<'_>) -> String {
    let Setting { simulator, zone, procedure, hands, policy, .. } = setting;
    let [a, b] = NodeId::BOTH.map(|node| node_table(simulator, node, hands, &format!("nodes.{node}")));
    format!(
        r#"# A simulated pair: both nodes, the zone and the secrets live on this machine only.
name = "{SITE}"
service = "{SERVICE}"
procedure = "{procedure}"

{a}
{b}
[[traffic]]
driver = "rfc2136"
primary = "{zone}"
servers = ["{zone}"]
zone = "{ZONE}"
ttl = "60s"
tsig_name = "{KEY_NAME}"
tsig_algorithm = "{KEY_ALGORITHM}"
tsig_secret_file = "../../secrets/tsig.b64"
{policy}"#
    )
}

/// `header` is where the table stands: `nodes.a`.
fn node_table(simulator: &Simulator, node: NodeId, hands: &str, header: &str) -> String {
    let (url, address) = (simulator.url(node), simulator.nodes[node].ip());
    let (identity, pin) = (&simulator.identities[node], &simulator.pin);
    let (name_key, secret_key) = match Generation::of(&simulator.current().node(node).version).login() {
        Login::Token => ("client_id", "client_secret_file"),
        Login::Password => ("username", "password_file"),
    };
    let console = format!("[{header}.console]\nusername = \"{CONSOLE_USER}\"\npassword_file = \"../../secrets/console\"\n");
    let console = if hands == "console" { console } else { String::new() };
    format!(
        r#"[{header}]
driver = "beyondtrust"
url = "{url}"
address = "{address}"
identity = "{identity}"
{name_key} = "{CLIENT_ID}"
{secret_key} = "../../secrets/client"
hands = "{hands}"
# A second here is up to hours there: hundreds of downloads would fill the window.
recordings = false
tls = {{ pins = ["{pin}"] }}
{console}"#
    )
}
