//! The driver `manual`: tells a person what to do, and sees it done.

use changeover::domain::ids::NodeId::{A, B};
use changeover::drivers::traffic::manual::{Manual, Settings};
use changeover::ports::ActAnswer;

use super::lab::{Lab, RECORD, TTL, addresses, clock, found, four, settled, switch};

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_told_and_the_change_is_seen() {
    for lab in [Lab::ours().await, Lab::bind(true)] {
        let servers = lab.followers();
        let settings = Settings {
            site: "support".into(),
            records: vec![RECORD.into()],
            servers: servers.clone(),
            resolvers: Vec::new(),
            leads: addresses(four()),
        };
        let manual = Manual::new(settings, clock()).unwrap();
        settled(&manual, A).await;
        let answer = switch(&manual, A, B).await;
        let ActAnswer::ByOperator { instructions } = &answer else { panic!("{answer:?}") };
        let text = instructions.join("\n");
        let words = [RECORD.to_owned(), four().a.to_string(), four().b.to_string()];
        let servers = servers.iter().map(ToString::to_string);
        words.into_iter().chain(servers).for_each(|word| assert!(text.contains(&word), "`{word}` is not in:\n{text}"));
        assert_eq!(found(&manual).await[0].0, Some(A), "nothing may have been changed");
        lab.set(RECORD, &[four().b], TTL);
        settled(&manual, B).await;
    }
}
