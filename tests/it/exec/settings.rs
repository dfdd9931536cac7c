//! The verb `settings`: what a program may tell, and that none must know it.

use changeover::domain::listing::Told;
use changeover::ports::{ReadError, Reader as _};

use super::Bench;

const LIST: &str = r#"{"items":[{"kind":"user","id":7,"name":"anna","digest":"d"},{"kind":"job","id":"x","name":"export","digest":"e","enabled":true}]}"#;

#[tokio::test]
async fn r9_a_program_lists_settings_or_says_that_it_does_not() {
    let bench = Bench::new();
    let told = async |body: &str| bench.node(body).settings().await;
    let good = format!("[ \"$1\" = settings ] || exit 1; cat >$D/given; echo '{LIST}'");
    let Ok(Told::Listing(listing)) = told(&good).await else { panic!("a listing") };
    assert_eq!((listing.items.len(), listing.enabled_jobs()), (2, vec!["export"]));
    assert_eq!(listing.item("user", "7").map(|item| item.name.as_str()), Some("anna"));
    let given: serde_json::Value = serde_json::from_slice(&std::fs::read(bench.path("given")).unwrap()).unwrap();
    assert_eq!(given, serde_json::json!({ "site": "support", "node": "a", "expect_identity": "appliance-a" }));
    for untold in ["exit 64", "echo no >&2; exit 10"] {
        assert!(matches!(told(untold).await, Ok(Told::Nothing { .. })), "{untold}");
    }
    let twice = r#"{"items":[{"kind":"user","id":1,"name":"a","digest":"d"},{"kind":"user","id":1,"name":"b","digest":"d"}]}"#;
    for later in ["exit 11", "exit 1", "echo '{}'", "echo '[]'", "echo no", "kill -9 $$", &format!("echo '{twice}'")] {
        assert!(matches!(told(later).await, Err(ReadError::Transient(_))), "{later}");
    }
}
