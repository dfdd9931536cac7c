//! The control interface and the hands that use it: orders as at the console, faults, users, where the name leads.

use changeover::domain::ids::NodeId;
use changeover::simulator::operator::HandsError;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Bed, has};

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
