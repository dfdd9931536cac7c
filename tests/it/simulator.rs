//! The simulator over HTTPS and its control interface, as clients meet it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use changeover::domain::ids::NodeId;
use changeover::domain::site::Role;
use changeover::ports::Clock;
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::operator::{Hands, HandsError};
use changeover::simulator::server::RateLimits;
use changeover::simulator::server::generation::{Generation, Login};
use changeover::simulator::{Simulator, SimulatorOptions};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

const SECRET: &str = "a-secret-of-the-tests";

/// Run time that a test moves by hand.
struct HandClock {
    now: Mutex<Timestamp>,
    moved: tokio::sync::Notify,
}

impl HandClock {
    fn new() -> Arc<Self> {
        Arc::new(Self { now: Mutex::new(start()), moved: tokio::sync::Notify::new() })
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
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
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
async fn a_token_is_needed_and_only_the_account_gets_one() {
    let bed = Bed::new().await;
    let (status, answer) = bed.ask_token(NodeId::A, SECRET).await;
    assert_eq!((status, &answer["token_type"], &answer["expires_in"]), (StatusCode::OK, &json!("Bearer"), &json!(3600)));
    assert_eq!(bed.ask_token(NodeId::A, "wrong").await.0, StatusCode::UNAUTHORIZED);
    bed.fault(Planned::once(Fault::LoginRefused).on(NodeId::B));
    assert_eq!(bed.ask_token(NodeId::B, SECRET).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(bed.ask_token(NodeId::B, SECRET).await.0, StatusCode::OK, "the fault was asked for once");
    for path in ["/api/command?action=check_health", "/api/backup", "/api/reporting?generate_report=SupportSession"] {
        // Tokens are per box.
        let request = bed.client.get(bed.url(NodeId::B, path)).bearer_auth(answer["access_token"].as_str().unwrap());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"], "access_denied", "{path}");
    }
}

#[tokio::test]
async fn tokens_expire() {
    let bed = Bed::with("24.1.1", |options| options.token_lifetime = Duration::ZERO).await;
    assert_eq!(bed.call(NodeId::A, "/api/backup").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn health_says_who_what_and_on_the_primary_when_synced() {
    let bed = Bed::new().await;
    let (primary, standby) = (bed.health(NodeId::A).await, bed.health(NodeId::B).await);
    let (identity, build) = (&bed.simulator.identities.a, bed.simulator.current().node(NodeId::A).build.clone());
    let at = start() - SignedDuration::from_mins(2);
    has(
        &primary,
        &[
            "<health_check xmlns=\"https://www.beyondtrust.com/namespaces/API/command\">",
            &format!("<appliance id=\"{identity}\">a.support.example.com</appliance>"),
            &format!("<version>24.1.1 ({build})</version>"),
            "<success>1</success>",
            "<failover_role>primary</failover_role>",
            &format!("<last_data_sync_time ts=\"{}\">2026-11-22T00:58:00.000+0000</last_data_sync_time>", at.as_second()),
            "<last_data_sync_status>success</last_data_sync_status>",
        ],
    );
    has(&standby, &[&bed.simulator.identities.b, "<failover_role>backup</failover_role>"]);
    assert!(!standby.contains("last_data_sync"), "{standby}");
}

#[tokio::test]
async fn bg_52_the_namespace_follows_the_version() {
    let cases = [
        ("10.5", "<health_check><appliance"),
        ("10.6", "<health_check xmlns=\"http://www.bomgar.com/namespaces/API/command\">"),
        ("16.1", "<health_check xmlns=\"http://www.bomgar.com/namespaces/API/command\">"),
        ("20.1", "<health_check xmlns=\"https://www.beyondtrust.com/namespaces/API/command\">"),
        ("26.1", "<health_check xmlns=\"http://www.beyondtrust.com/sra/namespaces/API/command\">"),
    ];
    for (version, expected) in cases {
        has(&Bed::with(version, |_| {}).await.health_of_any_age(NodeId::A).await, &[expected]);
    }
}

#[tokio::test]
async fn health_answers_are_up_to_a_minute_old_by_door() {
    let bed = Bed::new().await;
    has(&bed.health(NodeId::A).await, &[">primary<"]);
    bed.simulator.current().break_failover(NodeId::A).unwrap();
    bed.clock.pass(SignedDuration::from_secs(59));
    has(&bed.health(NodeId::A).await, &[">primary<"]);
    // The other node was not asked before, so nothing is kept for it.
    has(&bed.health(NodeId::B).await, &["<failover_role>none<"]);
    bed.clock.pass(SignedDuration::from_secs(1));
    has(&bed.health(NodeId::A).await, &["<failover_role>none<"]);
}

#[tokio::test]
async fn the_cache_can_be_off() {
    let bed = Bed::with("24.1.1", |options| options.health_cached = false).await;
    has(&bed.health(NodeId::A).await, &[">primary<"]);
    bed.simulator.current().break_failover(NodeId::A).unwrap();
    bed.clock.pass(SignedDuration::from_secs(10));
    has(&bed.health(NodeId::A).await, &["<failover_role>none<"]);
}

#[tokio::test]
async fn an_unhealthy_node_answers_500_with_its_facts() {
    let bed = Bed::new().await;
    assert_eq!(bed.plain(NodeId::B, "/check_health").await, (StatusCode::OK, "1".to_owned()));
    bed.fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::B));
    bed.pass(1);
    assert_eq!(bed.plain(NodeId::B, "/check_health").await, (StatusCode::INTERNAL_SERVER_ERROR, "0".to_owned()));
    let (status, body) = bed.call(NodeId::B, "/api/command?action=check_health").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    has(&body, &["<success>0</success><error_message>", "<failover_role>backup<"]);
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
async fn commands_answer_in_the_vendors_words() {
    let bed = Bed::new().await;
    while bed.simulator.current().facts(NodeId::A).unwrap().sessions == 0 {
        bed.pass(1);
    }
    let lsid = bed.truth().await["sessions"]["records"][0]["lsid"].as_str().unwrap().to_owned();
    let now = bed.clock.now().as_second();
    let (a, b) = (&bed.simulator.identities.a, &bed.simulator.identities.b);
    let terminate = format!("terminate_session&lsid={lsid}");
    let cases = [
        ("get_api_info", format!("<timestamp>{now}</timestamp>")),
        ("get_api_info", "<permission name=\"perm_command\">full_access</permission>".to_owned()),
        (
            "get_appliances",
            format!("<appliance_list xmlns=\"https://www.beyondtrust.com/namespaces/API/command\"><appliance id=\"{a}\">"),
        ),
        ("get_appliances", format!("<appliance id=\"{b}\"><name>b.support.example.com</name>")),
        ("get_logged_in_reps", "<rep id=\"3\"><display_name>user3</display_name>".to_owned()),
        ("get_logged_in_reps", "<support_session_count>1</support_session_count>".to_owned()),
        ("get_connected_client_list&type=all&summary_only=1", "<count type=\"representative\">3</count>".to_owned()),
        (
            "get_connected_client_list&type=support_customer",
            format!("<appliance id=\"{a}\"><count type=\"support_customer\">1</count></app"),
        ),
        (terminate.as_str(), ">Successfully terminated</success>".to_owned()),
        (terminate.as_str(), "<error xmlns".to_owned()),
        ("dance", ">Invalid action.</error>".to_owned()),
        ("", ">Invalid action.</error>".to_owned()),
    ];
    for (action, expected) in cases {
        let (status, body) = bed.call(NodeId::A, &format!("/api/command?action={action}")).await;
        assert_eq!(status, StatusCode::OK, "{action}");
        has(&body, &[&expected]);
    }
}

#[tokio::test]
async fn a_command_may_come_as_a_form() {
    let bed = Bed::new().await;
    let request = bed.client.post(bed.url(NodeId::A, "/api/command")).bearer_auth(bed.token(NodeId::A).await);
    let answer = request.form(&[("action", "get_api_info")]).send().await.unwrap().text().await.unwrap();
    has(&answer, &["<api_information"]);
}

#[tokio::test]
async fn roles_are_swapped_by_api_after_a_sync() {
    let bed = Bed::with("24.1.1", |options| options.health_cached = false).await;
    let path = "/api/command?action=set_failover_role&role=primary&data_sync_first=1";
    has(&bed.call(NodeId::A, path).await.1, &["<error", "already has the requested role"]);
    has(&bed.call(NodeId::B, path).await.1, &["<success", "Successfully started data sync."]);
    bed.pass(1);
    has(&bed.health(NodeId::B).await, &[">primary<"]);
    has(&bed.health(NodeId::A).await, &[">backup<"]);
    has(&bed.call(NodeId::A, "/api/command?action=set_failover_role&role=king").await.1, &["<error", "Invalid role."]);
    has(&bed.call(NodeId::A, "/api/command?action=set_failover_role&role=primary").await.1, &[">Successfully changed role<"]);
}

#[tokio::test]
async fn bg_01_the_backup_is_a_file_or_what_the_fault_says() {
    let bed = Bed::new().await;
    for (fault, check) in [
        (None, (|body: &[u8]| body.len() > 10 * 1024 && body.starts_with(b"NSB\0")) as fn(&[u8]) -> bool),
        (Some(Fault::BackupErrorText), |body| body.starts_with(b"Error:")),
        (Some(Fault::BackupEmpty), <[u8]>::is_empty),
    ] {
        if let Some(fault) = fault {
            bed.fault(Planned::once(fault));
        }
        let request = bed.client.get(bed.url(NodeId::A, "/api/backup")).bearer_auth(bed.token(NodeId::A).await);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{fault:?}");
        let body = answer.bytes().await.unwrap();
        assert!(check(&body), "{fault:?}: {} bytes", body.len());
    }
}

#[tokio::test]
async fn sessions_are_reported_by_start_end_and_id() {
    let bed = Bed::new().await;
    let report = async |query: &str| bed.call(NodeId::A, &format!("/api/reporting?generate_report={query}")).await;
    let from = start().as_second();
    let all = format!("SupportSession&start_time={from}&duration=0");
    let (status, empty) = report(&all).await;
    assert_eq!(status, StatusCode::OK);
    has(&empty, &["<error xmlns=\"https://www.beyondtrust.com/namespaces/API/reporting\">No sessions found"]);
    bed.pass(180);
    let truth = bed.truth().await;
    let records = truth["sessions"]["records"].as_array().unwrap();
    let body = report(&all).await.1;
    assert_eq!(body.matches("<session lsid=").count(), records.len());
    let first = &records[0];
    let begun: Timestamp = first["start"].as_str().unwrap().parse().unwrap();
    has(
        &body,
        &[
            "<session_list xmlns=\"https://www.beyondtrust.com/namespaces/API/reporting\"><session lsid=",
            first["lsid"].as_str().unwrap(),
            &format!("<lseq>{}</lseq><start_time timestamp=\"{}\">", first["lseq"], begun.as_second()),
        ],
    );
    let closed = records.iter().filter(|record| !record["end"].is_null()).count();
    let ended = report(&format!("SupportSessionListing&end_time={from}&duration=86400")).await.1;
    assert_eq!(ended.matches("<session_summary lsid=").count(), closed);
    let one = report(&format!("SupportSession&lsid={}", first["lsid"].as_str().unwrap())).await.1;
    assert_eq!(one.matches("<session lsid=").count(), 1);
    for bad in ["SupportSession", "SupportSession&start_time=x&duration=0", "Weather&start_time=1&duration=0"] {
        has(&report(bad).await.1, &["<error "]);
    }
    bed.fault(Planned::once(Fault::ExtractError));
    has(&report(&all).await.1, &["<error ", "could not be generated"]);
    assert!(bed.truth().await["sessions"]["records"][0]["handed_out"].as_bool().unwrap());
}

#[tokio::test]
async fn bg_02_an_updating_node_closes_connections_and_comes_back_new() {
    let bed = Bed::new().await;
    bed.hands().act("break_failover", NodeId::A, None).await.unwrap();
    bed.pass(1);
    let before = bed.token(NodeId::B).await;
    bed.hands().act("update", NodeId::B, Some(&"24.3.0+777".parse().unwrap())).await.unwrap();
    let silent = bed.client.get(bed.url(NodeId::B, "/check_health")).send().await;
    assert!(silent.is_err(), "{silent:?}");
    assert_eq!(bed.control("/sim/v1/b/update", "").await.0, StatusCode::SERVICE_UNAVAILABLE);
    has(&bed.health(NodeId::A).await, &["<failover_role>none<"]);
    bed.pass(41);
    let request = bed.client.get(bed.url(NodeId::B, "/api/backup")).bearer_auth(before);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "tokens do not survive");
    has(&bed.health(NodeId::B).await, &["<version>24.3.0 (777)</version>"]);
    let truth = bed.truth().await;
    assert_eq!((truth["nodes"]["b"]["updates"].as_array().unwrap().len(), &truth["broken_promises"]), (1, &json!([])));
}

#[tokio::test]
async fn r13_the_wrong_box_and_the_silent_box() {
    let bed = Bed::with("24.1.1", |options| options.health_cached = false).await;
    bed.fault(Planned::for_ever(Fault::WrongBox).on(NodeId::A));
    has(&bed.health(NodeId::A).await, &[&bed.simulator.identities.b]);
    bed.fault(Planned { times: Some(0), ..Planned::for_ever(Fault::WrongBox) });
    has(&bed.health(NodeId::A).await, &[&bed.simulator.identities.a]);
    bed.fault(Planned::for_ever(Fault::NodeSilent).on(NodeId::A));
    assert!(bed.client.get(bed.url(NodeId::A, "/")).send().await.is_err());
}

#[tokio::test]
async fn the_hands_lead_a_pair_through_an_update() {
    let bed = Bed::with("24.1.1", |options| options.health_cached = false).await;
    let hands = bed.hands();
    let order = [
        ("force_sync", NodeId::B, 1),
        ("break_failover", NodeId::A, 1),
        ("update", NodeId::B, 41),
        ("drain", NodeId::A, 20),
        ("quiesce", NodeId::A, 0),
        ("reopen", NodeId::A, 1),
        ("update", NodeId::A, 41),
        ("establish_failover", NodeId::A, 3),
    ];
    for (verb, node, minutes) in order {
        hands.act(verb, node, None).await.unwrap_or_else(|error| panic!("{verb}: {error}"));
        bed.pass(minutes);
    }
    let truth = bed.truth().await;
    let acts: Vec<&str> = truth["acts"].as_array().unwrap().iter().map(|act| act["what"].as_str().unwrap()).collect();
    assert_eq!(acts, ["sync-now", "break", "update", "drain", "close", "open", "update", "establish"]);
    for node in ["a", "b"] {
        assert_eq!(truth["nodes"][node]["version"], "24.2.1");
    }
    assert_eq!((&truth["linked"], &truth["nodes"]["a"]["role"]), (&json!(true), &json!("primary")));
    let refused = hands.act("establish_failover", NodeId::B, None).await;
    assert!(matches!(refused, Err(HandsError::Refused { status: 409, .. })), "{refused:?}");
    assert!(matches!(hands.act("dance", NodeId::A, None).await, Err(HandsError::UnknownVerb(_))));
}

#[tokio::test]
async fn hands_say_when_nobody_is_there() {
    let bed = Bed::new().await;
    let hands = bed.hands();
    bed.simulator.shutdown().await;
    assert!(matches!(hands.act("drain", NodeId::A, None).await, Err(HandsError::NotReached { .. })));
}

#[tokio::test]
async fn the_control_interface_refuses_nonsense() {
    let bed = Bed::new().await;
    let cases = [
        ("/sim/v1/a/dance", "", StatusCode::NOT_FOUND),
        ("/sim/v1/c/update", "", StatusCode::NOT_FOUND),
        ("/sim/v2/a/update", "", StatusCode::NOT_FOUND),
        ("/sim/v1/a/establish", "", StatusCode::CONFLICT),
        ("/sim/v1/a/update", "{", StatusCode::BAD_REQUEST),
        ("/sim/v1/a/update", "{\"version\":\"new\"}", StatusCode::BAD_REQUEST),
        ("/sim/v1/faults", "{\"fault\":\"sync-sulks\"}", StatusCode::BAD_REQUEST),
        ("/sim/v1/users", "{\"count\":-1}", StatusCode::BAD_REQUEST),
        ("/sim/v1/users", "{\"count\":100000}", StatusCode::BAD_REQUEST),
    ];
    for (path, body, expected) in cases {
        let (status, answer) = bed.control(path, body).await;
        assert_eq!(status, expected, "{path} {body}: {answer}");
        assert!(answer["message"].is_string(), "{path}");
    }
    let large = "x".repeat(65 * 1024);
    let url = format!("http://{}/sim/v1/users", bed.simulator.control);
    assert_eq!(bed.client.post(url).body(large).send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn faults_and_users_are_set_over_the_control_interface() {
    let bed = Bed::new().await;
    let fault = json!({"fault": "sync-fails", "node": "b", "times": 1});
    assert_eq!(bed.control("/sim/v1/faults", &fault.to_string()).await.0, StatusCode::ACCEPTED);
    assert_eq!(bed.control("/sim/v1/users", "{\"count\":5}").await.0, StatusCode::ACCEPTED);
    assert_eq!(bed.control("/sim/v1/b/sync-now", "").await.0, StatusCode::ACCEPTED);
    bed.pass(2);
    has(&bed.health(NodeId::A).await, &["<last_data_sync_status>failed: "]);
    assert_eq!(bed.truth().await["nodes"]["a"]["users"], 5);
    let known: Value =
        bed.client.get(format!("http://{}/sim/v1/faults", bed.simulator.control)).send().await.unwrap().json().await.unwrap();
    assert!(known["known"].as_array().unwrap().iter().any(|row| row["name"] == "sync-fails" && row["sentence"].is_string()));
}

#[tokio::test]
async fn users_follow_the_name() {
    let bed = Bed::new().await;
    bed.simulator.current().break_failover(NodeId::A).unwrap();
    bed.pass(5);
    assert_eq!(bed.control("/sim/v1/leads-to", "{\"node\":\"b\"}").await.0, StatusCode::ACCEPTED);
    bed.pass(20);
    assert_eq!(bed.truth().await["nodes"]["b"]["users"], 3);
}

/// A shared address is on the wire once it is enabled, the users are where it is, and nothing keeps it from being on both.
#[tokio::test]
async fn a_shared_address_is_enabled_and_disabled() {
    let bed = Bed::with("24.1.1", |options| options.health_cached = false).await;
    let put = async |node: &str, enabled: bool| {
        let body = format!("{{\"address\":\"192.0.2.30\",\"enabled\":{enabled}}}");
        assert_eq!(bed.control(&format!("/sim/v1/{node}/shared-ip"), &body).await.0, StatusCode::ACCEPTED, "{node} {enabled}");
    };
    let shown = "<enabled_shared_ips><ip>192.0.2.30</ip></enabled_shared_ips>";
    assert!(!bed.health(NodeId::A).await.contains("enabled_shared_ips"));
    put("a", true).await;
    put("b", true).await;
    assert!(bed.health(NodeId::A).await.contains(shown) && bed.health(NodeId::B).await.contains(shown));
    put("a", false).await;
    assert!(!bed.health(NodeId::A).await.contains("enabled_shared_ips"));
    assert_eq!(bed.truth().await["leads_to"], "b");
    assert_eq!(bed.control("/sim/v1/a/shared-ip", "{\"address\":\"here\"}").await.0, StatusCode::BAD_REQUEST);
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
    let world = bed.simulator.world.clone();
    let mut last = String::new();
    for _ in 0..200 {
        let now = world.lock().unwrap().now();
        if now == bed.clock.now() {
            return;
        }
        last = format!("the world is at {now}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("within 2 s the world did not come to {}: {last}", bed.clock.now());
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
