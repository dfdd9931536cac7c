//! The shared addresses of a box, by both editions of its interface: they agree, or none of it is used.

use changeover::drivers::appliance::beyondtrust::{Editions, Settings};
use changeover::ports::Reader as _;

use super::server::{A, FakeBox, Reply, health};
use super::{driver, settings, with};

const XML: &str = "<enabled_shared_ips><ip>192.0.2.30</ip><ip>2001:db8::30</ip></enabled_shared_ips></health_check>";

/// A box with both editions; `json` stands for the list in the JSON edition.
async fn box_with(json: &str) -> FakeBox {
    let server = FakeBox::start().await;
    server.answer("check_health", Reply::xml(health(A, "primary").replace("</health_check>", XML)));
    let reply = |body: String| Reply::Http(200, "application/json", body.into_bytes());
    server.answer("/api/command/v2/info", reply("{\"current_time\":\"2026-11-22T01:00:00+00:00\"}".to_owned()));
    server.answer("/api/command/v2/appliance", reply(format!("[{{\"id\":\"{A}\"}}]")));
    server.answer("/api/command/v2/user", reply("[]".to_owned()));
    let body = format!(
        "{{\"appliance_id\":\"{A}\",\"version\":\"24.1.1\",\"build\":\"41000-abc\",\"failover_role\":\"primary\",\
         \"enabled_shared_ips\":{json}}}"
    );
    server.answer("/api/command/v2/health", reply(body));
    server
}

#[tokio::test]
async fn bg_52_shared_addresses_must_be_the_same_in_both_editions() {
    for same in ["[\"2001:db8::30\",\"192.0.2.30\"]", "[\"192.0.2.30\",\"2001:db8:0::30\",\"192.0.2.30\"]"] {
        let server = box_with(same).await;
        let told = driver(&server).shared_ips().await.unwrap().unwrap();
        assert_eq!(told.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.0.2.30", "2001:db8::30"], "{same}");
        assert_eq!(driver(&server).observe().await.unwrap().shared_ips, Some(told), "{same}");
    }
    for other in ["null", "[]", "\"\"", "[\"192.0.2.30\"]", "[\"192.0.2.30\",\"2001:db8::31\"]"] {
        let server = box_with(other).await;
        let driver = driver(&server);
        for error in [driver.shared_ips().await.unwrap_err().to_string(), driver.observe().await.unwrap_err().to_string()] {
            assert!(
                error.contains("expected one list of shared addresses, found `192.0.2.30, 2001:db8::30` by XML"),
                "{other}: {error}"
            );
        }
    }
}

/// What is no list may hold the address that must be on one node only.
#[tokio::test]
async fn what_is_no_list_of_addresses_is_unusable() {
    let only = |server: &FakeBox| with(Settings { editions: Editions::V2, ..settings(server) });
    for odd in ["{}", "{\"ip\":\"192.0.2.30\"}", "\"192.0.2.30\"", "7", "true", "[7]", "[null]", "[\"somewhere\"]"] {
        let server = box_with(odd).await;
        let error = only(&server).shared_ips().await.unwrap_err().to_string();
        assert!(error.contains("enabled_shared_ips"), "{odd}: {error}");
    }
    for none in ["null", "[]", "\"\"", "\" \""] {
        let server = box_with(none).await;
        assert_eq!(only(&server).shared_ips().await.unwrap(), Some(Vec::new()), "{none}");
    }
}
