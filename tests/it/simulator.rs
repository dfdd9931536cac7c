//! The simulator over HTTPS and its control interface, as clients meet it.

mod control;
mod vendor;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use changeover::domain::ids::NodeId;
use changeover::domain::site::Role;
use changeover::ports::Clock;
use changeover::simulator::faults::Planned;
use changeover::simulator::operator::Hands;
use changeover::simulator::server::RateLimits;
use changeover::simulator::server::generation::{Generation, Login};
use changeover::simulator::{Simulator, SimulatorOptions};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, StatusCode};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};

const SECRET: &str = "a-secret-of-the-tests";

/// Run time that a test moves by hand.
struct HandClock {
    now: Mutex<Timestamp>,
    moved: tokio::sync::Notify,
    /// Told whenever somebody begins to wait.
    awaited: tokio::sync::Notify,
}

impl HandClock {
    fn new() -> Arc<Self> {
        Arc::new(Self { now: Mutex::new(start()), moved: tokio::sync::Notify::new(), awaited: tokio::sync::Notify::new() })
    }

    fn pass(&self, time: SignedDuration) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) += time;
        self.moved.notify_waiters();
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let moved = self.moved.notified();
                if self.now() >= at {
                    return;
                }
                self.awaited.notify_one();
                moved.await;
            }
        })
    }
}

fn start() -> Timestamp {
    "2026-11-22T01:00:00Z".parse().unwrap()
}

struct Bed {
    simulator: Simulator,
    clock: Arc<HandClock>,
    client: Client,
}

impl Bed {
    async fn new() -> Self {
        Self::with("24.1.1", |_| {}).await
    }

    async fn with(from: &str, change: impl FnOnce(&mut SimulatorOptions)) -> Self {
        // Another test of this process may have been first.
        let _ = default_provider().install_default();
        let clock = HandClock::new();
        let mut options =
            SimulatorOptions::new(clock.clone(), SECRET.to_owned().into(), from.parse().unwrap(), "24.2.1".parse().unwrap());
        // Time stands still between a test's calls.
        options.rates = RateLimits { per_second: 1_000_000, per_hour: 1_000_000 };
        change(&mut options);
        let simulator = Simulator::start(options).await.unwrap();
        let root = reqwest::Certificate::from_pem(simulator.certificate_pem.as_bytes()).unwrap();
        let client = Client::builder().tls_certs_only([root]).no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        Self { simulator, clock, client }
    }

    fn url(&self, node: NodeId, path: &str) -> String {
        format!("{}{path}", self.simulator.url(node))
    }

    async fn token(&self, node: NodeId) -> String {
        let answer = self.ask_token(node, SECRET).await;
        assert_eq!(answer.0, StatusCode::OK, "{}", answer.1);
        answer.1["access_token"].as_str().unwrap().to_owned()
    }

    async fn ask_token(&self, node: NodeId, secret: &str) -> (StatusCode, Value) {
        let form = [("grant_type", "client_credentials")];
        let request = self.client.post(self.url(node, "/oauth2/token")).basic_auth("changeover", Some(secret)).form(&form);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Calls with a fresh token; status and text.
    async fn call(&self, node: NodeId, path: &str) -> (StatusCode, String) {
        let token = self.token(node).await;
        let answer = self.client.get(self.url(node, path)).bearer_auth(token).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn health(&self, node: NodeId) -> String {
        self.call(node, "/api/command?action=check_health").await.1
    }

    /// With the password or with a token, as the box's release has it.
    async fn health_of_any_age(&self, node: NodeId) -> String {
        let version = self.simulator.current().node(node).version.clone();
        match Generation::of(&version).login() {
            Login::Password => self.old(node, "/api/command.ns", "check_health", SECRET).await.1,
            Login::Token => self.health(node).await,
        }
    }

    /// A call of the old kind: user name and password beside the action.
    async fn old(&self, node: NodeId, path: &str, action: &str, password: &str) -> (StatusCode, String) {
        let form = [("action", action), ("username", "changeover"), ("password", password)];
        let answer = self.client.post(self.url(node, path)).form(&form).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn plain(&self, node: NodeId, path: &str) -> (StatusCode, String) {
        let answer = self.client.get(self.url(node, path)).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn control(&self, path: &str, body: &str) -> (StatusCode, Value) {
        let url = format!("http://{}{path}", self.simulator.control);
        let answer = self.client.post(url).body(body.to_owned()).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn truth(&self) -> Value {
        let url = format!("http://{}/sim/v1/truth", self.simulator.control);
        self.client.get(url).send().await.unwrap().json().await.unwrap()
    }

    fn fault(&self, planned: Planned) {
        self.simulator.current().plan_fault(planned);
    }

    fn pass(&self, minutes: i64) {
        self.clock.pass(SignedDuration::from_mins(minutes));
    }

    fn hands(&self) -> Hands {
        Hands::new(self.simulator.control)
    }
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in {text}");
    }
}

/// RFC 8446, section 9.1: everybody has this curve, and a machine that keeps to FIPS has none but its kind.
#[tokio::test]
async fn a_client_with_nist_s_curve_alone_is_served_by_both_versions_of_tls() {
    let bed = Bed::new().await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(bed.simulator.certificate_pem.as_bytes()).unwrap()).unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let provider = CryptoProvider { kx_groups: vec![kx_group::SECP256R1], ..default_provider() };
        let tls = ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[version]).unwrap();
        let tls = tls.with_root_certificates(roots.clone()).with_no_client_auth();
        let client = Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap();
        let answer = client.get(bed.url(NodeId::A, "/check_health")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{version:?}");
    }
}

#[tokio::test]
async fn both_nodes_share_one_port_and_one_certificate() {
    let bed = Bed::new().await;
    let simulator = &bed.simulator;
    assert_eq!(simulator.nodes.a.port(), simulator.nodes.b.port());
    assert_ne!(simulator.nodes.a.ip(), simulator.nodes.b.ip());
    assert!(simulator.pin.starts_with("sha256/") && simulator.pin.len() == 7 + 44, "{}", simulator.pin);
    // By address (the other tests), by the nodes' names and by the service's name.
    let root = reqwest::Certificate::from_pem(simulator.certificate_pem.as_bytes()).unwrap();
    let mut builder = Client::builder().tls_certs_only([root]).no_proxy();
    let names = [("a.support.example.com", simulator.nodes.a), ("support.example.com", simulator.nodes.b)];
    for (name, address) in names {
        builder = builder.resolve(name, address);
    }
    let client = builder.build().unwrap();
    for (name, _) in names {
        let url = format!("https://{name}:{}/check_health", simulator.port);
        assert_eq!(client.get(url).send().await.unwrap().status(), StatusCode::OK, "{name}");
    }
}

#[tokio::test]
async fn only_a_node_that_takes_clients_shows_the_site() {
    let bed = Bed::new().await;
    let (status, page) = bed.plain(NodeId::A, "/").await;
    assert_eq!(status, StatusCode::OK);
    has(&page, &["<title>support.example.com</title>"]);
    assert_eq!(bed.plain(NodeId::B, "/").await.0, StatusCode::SERVICE_UNAVAILABLE, "a standby");
    assert_eq!(bed.control("/sim/v1/a/close", "").await.0, StatusCode::ACCEPTED);
    assert_eq!(bed.plain(NodeId::A, "/").await.0, StatusCode::SERVICE_UNAVAILABLE, "closed");
    assert_eq!(bed.control("/sim/v1/a/open", "").await.0, StatusCode::ACCEPTED);
    assert_eq!(bed.plain(NodeId::A, "/").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_resolver_tells_where_the_name_leads() {
    let target = Arc::new(Mutex::new(Some(NodeId::A)));
    let shared = target.clone();
    let bed = Bed::with("24.1.1", |options| options.leads_to = Some(Arc::new(move || *shared.lock().unwrap()))).await;
    assert_eq!(bed.truth().await["serving"], "a");
    assert_eq!(bed.control("/sim/v1/leads-to", "{\"node\":\"b\"}").await.0, StatusCode::CONFLICT);
    *target.lock().unwrap() = None;
    let truth = bed.truth().await;
    assert_eq!((&truth["leads_to"], &truth["serving"]), (&Value::Null, &Value::Null));
    bed.pass(3);
    *target.lock().unwrap() = Some(NodeId::A);
    assert_eq!(bed.truth().await["longest_gap_ms"], 180_000);
}

#[tokio::test]
async fn a_moved_name_can_be_told_at_once() {
    let target = Arc::new(Mutex::new(None));
    let shared = target.clone();
    let bed = Bed::with("24.1.1", |options| options.leads_to = Some(Arc::new(move || *shared.lock().unwrap()))).await;
    bed.simulator.name_watcher()();
    bed.pass(2);
    *target.lock().unwrap() = Some(NodeId::A);
    bed.simulator.name_watcher()();
    bed.pass(2);
    assert_eq!(bed.truth().await["longest_gap_ms"], 120_000);
}

#[tokio::test]
async fn the_description_tells_clients_all_they_need_and_no_secret() {
    let bed = Bed::new().await;
    let description = changeover::simulator::server::describe(&bed.simulator, "changeover");
    for pointer in
        ["/nodes/a/url", "/nodes/b/identity", "/port", "/service", "/control", "/client_id", "/pin", "/certificate_pem"]
    {
        assert!(description.pointer(pointer).is_some(), "{pointer}");
    }
    assert!(!description.to_string().contains(SECRET));
}

#[tokio::test]
async fn the_world_moves_without_being_asked() {
    let bed = Bed::new().await;
    bed.pass(60);
    let at = || bed.simulator.world.lock().unwrap().now();
    // The world waits for its next event again once it has moved.
    let moved = async {
        while at() != bed.clock.now() {
            bed.clock.awaited.notified().await;
        }
    };
    let moved = tokio::time::timeout(Duration::from_secs(10), moved).await;
    assert!(moved.is_ok(), "within 10 s the world did not come to {}: it is at {}", bed.clock.now(), at());
}

#[tokio::test]
async fn limits_hold_and_other_paths_are_refused() {
    let bed = Bed::new().await;
    for (path, expected) in [("/nowhere", StatusCode::NOT_FOUND), ("/oauth2/token", StatusCode::METHOD_NOT_ALLOWED)] {
        assert_eq!(bed.plain(NodeId::A, path).await.0, expected, "{path}");
    }
    let form = bed.client.post(bed.url(NodeId::A, "/oauth2/token")).form(&[("grant_type", "x".repeat(70_000))]);
    assert_eq!(form.send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    let header = bed.client.get(bed.url(NodeId::A, "/")).header("x-long", "x".repeat(40_000));
    let refused = header.send().await.map(|answer| answer.status().as_u16());
    assert!(refused.as_ref().map_or(true, |status| *status == 431), "{refused:?}");
    assert_eq!(bed.plain(NodeId::A, "/").await.0, StatusCode::OK, "and it still serves");
}

#[tokio::test]
async fn only_loopback_is_served() {
    let clock = HandClock::new();
    let mut options =
        SimulatorOptions::new(clock, SECRET.to_owned().into(), "24.1.1".parse().unwrap(), "24.2.1".parse().unwrap());
    options.addresses.b = "192.0.2.1".parse().unwrap();
    let refused = Simulator::start(options).await.err().map(|error| error.to_string());
    assert_eq!(refused.as_deref(), Some("192.0.2.1 is not a loopback address; the simulator listens on loopback only"));
}

#[tokio::test]
async fn roles_in_the_truth_are_ours_and_on_the_wire_the_vendors() {
    let bed = Bed::new().await;
    assert_eq!(bed.truth().await["nodes"]["b"]["role"], json!(Role::Standby));
    has(&bed.health(NodeId::B).await, &["<failover_role>backup</failover_role>"]);
}
