//! The vendor's interface of a node: tokens, health, commands, backups, reports.

use std::time::Duration;

use changeover::domain::ids::NodeId;
use changeover::ports::Clock as _;
use changeover::simulator::faults::{Fault, Planned};
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Bed, SECRET, has, start};

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
async fn r13_the_wrong_box_and_the_silent_box() {
    let bed = Bed::with("24.1.1", |options| options.health_cached = false).await;
    bed.fault(Planned::for_ever(Fault::WrongBox).on(NodeId::A));
    has(&bed.health(NodeId::A).await, &[&bed.simulator.identities.b]);
    bed.fault(Planned { times: Some(0), ..Planned::for_ever(Fault::WrongBox) });
    has(&bed.health(NodeId::A).await, &[&bed.simulator.identities.a]);
    bed.fault(Planned::for_ever(Fault::NodeSilent).on(NodeId::A));
    assert!(bed.client.get(bed.url(NodeId::A, "/")).send().await.is_err());
}
