//! Hands at the console: the driver at the simulated pages, whole runs of the daemon, and crashes in the middle.

mod acts;
mod daemon;
mod update;

use std::path::PathBuf;
use std::sync::Arc;

use changeover::domain::ids::NodeId;
use changeover::domain::journal::hex;
use changeover::domain::labels::Labels;
use changeover::domain::version::Version;
use changeover::drivers::appliance::beyondtrust::console::{Account, Settings as ConsoleSettings};
use changeover::drivers::appliance::beyondtrust::{
    Accounts, BeyondTrust, Credentials, Editions, Limits, Peer, Product, Settings, Share,
};
use changeover::drivers::clock::SystemClock;
use changeover::drivers::tls::{TlsTrust, parse_pin};
use changeover::ports::{ActAnswer, Appliance as _, Intent, NodeAct};
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::server::Language;
use changeover::simulator::server::generation::{Generation, Login};
use changeover::simulator::{Simulator, SimulatorOptions};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

const PASSWORD: &str = "a password of nobody";

/// A simulated pair and the drivers of both nodes.
pub struct Pages {
    pub simulator: Simulator,
    folder: tempfile::TempDir,
    login: Login,
    pub password: &'static str,
    pub labels: Labels,
}

impl Pages {
    pub async fn linked() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn unlinked() -> Self {
        Self::with(|options| options.world.primary = None).await
    }

    pub async fn with(change: impl FnOnce(&mut SimulatorOptions)) -> Self {
        Self::between("24.1.1", "24.2.1", change).await
    }

    pub async fn between(from: &str, to: &str, change: impl FnOnce(&mut SimulatorOptions)) -> Self {
        let (from, to): (Version, Version) = (from.parse().unwrap(), to.parse().unwrap());
        let login = Generation::of(&from).login();
        let mut options = SimulatorOptions::new(Arc::new(SystemClock), "a secret".into(), from, to);
        options.password = PASSWORD.into();
        change(&mut options);
        let simulator = Simulator::start(options).await.unwrap();
        Self { simulator, folder: tempfile::tempdir().unwrap(), login, password: PASSWORD, labels: Labels::default() }
    }

    pub fn german(options: &mut SimulatorOptions) {
        options.languages.a = Language::German;
        options.languages.b = Language::German;
    }

    fn settings(&self, node: NodeId) -> Settings {
        let credentials = Account::new("admin".to_owned(), self.password.into());
        let console = ConsoleSettings {
            login: credentials.clone(),
            appliance: credentials,
            labels: self.labels.clone(),
            traces: self.folder.path().join("console"),
        };
        let url = |node| self.simulator.url(node).parse().unwrap();
        Settings {
            site: "support".to_owned(),
            node,
            url: url(node),
            address: self.simulator.nodes[node].ip(),
            service: self.simulator.service.clone(),
            identity: self.simulator.identities[node].clone(),
            editions: Editions::Auto,
            credentials: match self.login {
                Login::Password => Credentials::user("changeover", "a secret".into()),
                Login::Token => Credentials::client("changeover", "a secret".into()),
            },
            second: None,
            accounts: Arc::new(Accounts::new(Share::default(), Arc::new(SystemClock))),
            tls: TlsTrust::Pins(vec![parse_pin(&self.simulator.pin).unwrap()]),
            peer: Peer { url: url(node.other()), identity: self.simulator.identities[node.other()].clone(), console: None },
            limits: Limits::default(),
            backup_password: None,
            product: Product::default(),
            recordings: true,
            console: Some(console),
        }
    }

    pub fn driver(&self, node: NodeId) -> BeyondTrust {
        let mut settings = self.settings(node);
        settings.peer.console = Some(Box::new(self.settings(node.other())));
        BeyondTrust::new(settings, Arc::new(SystemClock)).unwrap()
    }

    pub async fn act(&self, node: NodeId, act: &NodeAct) -> ActAnswer {
        self.driver(node).act(&intent(node, act, 1), act).await
    }

    /// As [`Pages::act`], in another run.
    pub async fn other_run(&self, node: NodeId, act: &NodeAct) -> ActAnswer {
        let intent = Intent { run: "support-8".parse().unwrap(), ..intent(node, act, 1) };
        self.driver(node).act(&intent, act).await
    }

    /// A package of this length, none of whose pieces is like another.
    pub fn package(&self, bytes: usize) -> NodeAct {
        let package = self.folder.path().join("base.nss");
        let content: Vec<u8> = (0..bytes).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect();
        std::fs::write(&package, &content).unwrap();
        let sha256 = hex(&Sha256::digest(&content));
        NodeAct::Update { package, sha256, target: "24.2.1".parse().unwrap() }
    }

    pub fn plan(&self, fault: Fault, node: NodeId, verb: &str) {
        self.simulator.current().plan_fault(Planned::for_ever(fault).on(node).act(verb));
    }

    /// The end of a silence.
    pub fn answers_again(&self, node: NodeId) {
        self.simulator.current().plan_fault(Planned { times: Some(0), ..Planned::for_ever(Fault::NodeSilent).on(node) });
    }

    pub fn presses(&self, node: NodeId, verb: &str) -> u64 {
        self.simulator.presses(node).get(verb).copied().unwrap_or_default()
    }

    /// How often an act took effect in the world, by the world's word for it.
    pub fn taken(&self, what: &str) -> usize {
        self.simulator.current().truth().acts.iter().filter(|act| act.what == what).count()
    }

    pub fn trace(&self, node: NodeId, act: &NodeAct) -> PathBuf {
        let intent = intent(node, act, 1);
        self.folder.path().join(format!("console/{}/{}.json", intent.run, intent.step))
    }
}

pub fn intent(node: NodeId, act: &NodeAct, attempt: u32) -> Intent {
    let step = format!("window-1.{}.{node}", act.verb());
    Intent {
        site: "support".to_owned(),
        run: "support-7".parse().unwrap(),
        key: format!("support-7/{step}/{attempt}"),
        step,
        attempt,
        since: Timestamp::now(),
        limit: SignedDuration::from_mins(30),
    }
}
