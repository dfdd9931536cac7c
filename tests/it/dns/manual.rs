//! The driver `manual`: tells a person what to do, and sees it done.

use changeover::domain::ids::NodeId::{A, B};
use changeover::drivers::traffic::manual::{Manual, Settings};
use changeover::ports::ActAnswer;

use super::lab::{Lab, RECORD, TTL, access, addresses, both_families, clock, found, four, set_ttl, settled, six, switch};

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

/// The times of answers too are set by a person, exactly told; what is so already asks nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_told_which_ttl_to_set() {
    let lab = Lab::ours().await;
    let settings = Settings {
        site: "support".into(),
        records: vec![RECORD.into()],
        servers: lab.followers(),
        resolvers: Vec::new(),
        leads: both_families(),
    };
    let manual = Manual::new(settings, clock()).unwrap();
    let (four_of, six_of) = (format!("{RECORD} A"), format!("{RECORD} AAAA"));
    let both = [(four_of.as_str(), 30), (six_of.as_str(), 30)];
    let answer = set_ttl(&manual, &both).await;
    let ActAnswer::ByOperator { instructions } = &answer else { panic!("{answer:?}") };
    let text = instructions.join("\n");
    for kind in ["A", "AAAA"] {
        let line = format!("Set the TTL of the {kind} record of `support.example.com` to 30 s; leave its value as it is.");
        assert!(text.contains(&line), "{text}");
    }
    assert!(text.contains(&lab.primary().to_string()), "{text}");
    lab.set(RECORD, &[four().a], 30);
    assert!(matches!(set_ttl(&manual, &both).await, ActAnswer::ByOperator { .. }), "one record has the old one");
    lab.set(RECORD, &[six().a], 30);
    assert_eq!(set_ttl(&manual, &both).await, ActAnswer::accepted());
    assert_eq!(access(&manual).await.0, "untold");
}
