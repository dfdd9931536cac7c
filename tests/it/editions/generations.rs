//! Every call of the driver at a box of every generation.

use changeover::domain::ids::NodeId;
use changeover::domain::listing::Told;
use changeover::domain::site::Role;
use changeover::drivers::appliance::beyondtrust::{Credentials, Editions, Settings};
use changeover::ports::{ActAnswer, Appliance as _, NodeAct, ReadError, Reader as _};
use changeover::simulator::faults::{Fault, Planned};
use changeover::simulator::server::generation::{Generation, Login, Lsid};
use jiff::SignedDuration;

use super::{Bed, SECRET};

#[tokio::test]
async fn bg_52_a_reading_tells_what_the_box_is_in_every_generation() {
    for generation in Generation::ALL {
        let bed = Bed::at(generation).await;
        for (node, role) in [(NodeId::A, Role::Primary), (NodeId::B, Role::Standby)] {
            let read = bed.driver(node).observe().await.unwrap();
            let truth = bed.simulator.current().truth().nodes[node].clone();
            assert_eq!((&read.identity, read.role), (&bed.simulator.identities[node], role), "{generation}");
            assert_eq!((read.version.as_str(), read.build), (generation.example(), Some(truth.build)), "{generation}");
            assert_eq!((read.users, read.sessions), (Some(truth.users), Some(truth.open_sessions)), "{generation}");
            assert_eq!(
                read.last_sync.map(|sync| (sync.at, sync.status.unwrap())),
                truth.last_sync.map(|sync| (sync.at, sync.status))
            );
            assert_eq!((read.healthy, read.takes_clients), (true, Some(truth.takes_clients)), "{generation}");
            assert_eq!(read.clock_skew.map(|skew| skew.as_secs()), Some(0), "{generation}");
            assert!(read.may_be_old >= SignedDuration::from_secs(60), "{generation}");
        }
    }
}

/// Each edition alone says the same as both.
#[tokio::test]
async fn each_edition_can_be_asked_alone_where_it_is_there() {
    for generation in Generation::ALL {
        let bed = Bed::at(generation).await;
        let with = |editions| bed.driver_with(Settings { editions, ..bed.settings(NodeId::A) });
        let both = with(Editions::Auto).observe().await.unwrap();
        assert_eq!(with(Editions::Xml).observe().await.unwrap(), both, "{generation}");
        match with(Editions::V2).observe().await {
            Ok(json) => assert!(generation.has_v2() && json == both, "{generation}: {json:?}"),
            Err(error) => {
                assert!(!generation.has_v2(), "{generation}: {error}");
                assert!(error.to_string().contains("no JSON edition (v2)"), "{generation}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn an_unhealthy_box_keeps_its_facts_in_every_generation() {
    for generation in Generation::ALL {
        let bed = Bed::at(generation).await;
        bed.simulator.current().plan_fault(Planned::for_ever(Fault::Unhealthy).on(NodeId::A));
        for editions in [Editions::Auto, Editions::V2] {
            if editions == Editions::V2 && !generation.has_v2() {
                continue;
            }
            let read = bed.driver_with(Settings { editions, ..bed.settings(NodeId::A) }).observe().await.unwrap();
            assert_eq!(
                (read.healthy, read.role, read.version.as_str()),
                (false, Role::Primary, generation.example()),
                "{generation}"
            );
        }
    }
}

#[tokio::test]
async fn bg_51_records_backup_and_listing_are_had_in_every_generation() {
    for generation in Generation::ALL {
        let bed = Bed::at(generation).await;
        bed.pass(SignedDuration::from_hours(12));
        let (driver, folder) = (bed.driver(NodeId::A), tempfile::tempdir().unwrap());
        let since = "2026-11-22T00:00:00Z".parse().unwrap();
        let until = changeover::ports::Clock::now(&*bed.clock);
        let act = NodeAct::ExtractData { since, until, directory: folder.path().to_owned() };
        let extracted = driver.act(&bed.intent("window-1.extract_data.a"), &act).await;
        let ActAnswer::Accepted { files, records, .. } = extracted else { panic!("{generation}: {extracted:?}") };
        let truth = bed.simulator.current().truth();
        assert!(records.is_some_and(|records| records > 0) && !files.is_empty(), "{generation}");
        assert!(
            truth.sessions.records.iter().filter(|record| record.end.is_some()).all(|record| record.handed_out),
            "{generation}"
        );
        // The reports as received lie beside the manifest that names them.
        let received = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let received = received.filter(|path| path.extension().is_some_and(|extension| extension == "xml"));
        let text: String = received.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        let record = truth.sessions.records.iter().find(|record| record.end.is_some()).unwrap();
        let (shown, hidden) = match generation.lsid() {
            Lsid::Integer => (format!("lsid=\"{}\"", record.lseq), record.lsid.clone()),
            Lsid::Text => (format!("lsid=\"{}\"", record.lsid), "xmlns=\"\"".to_owned()),
        };
        assert!(text.contains(&shown) && !text.contains(&hidden), "{generation}: {shown}");

        let act = NodeAct::Backup { directory: folder.path().to_owned() };
        let saved = driver.act(&bed.intent("prepare.backup.a"), &act).await;
        assert!(matches!(&saved, ActAnswer::Accepted { files, .. } if files.len() == 1), "{generation}: {saved:?}");

        match (driver.settings().await.unwrap(), generation.login()) {
            (Told::Listing(_), Login::Token) => {}
            (Told::Nothing { why }, Login::Password) => assert!(why.contains("only an API account"), "{generation}: {why}"),
            (told, _) => panic!("{generation}: {told:?}"),
        }
    }
}

#[tokio::test]
async fn bg_02_sessions_are_ended_in_every_generation() {
    for generation in Generation::ALL {
        let bed = Bed::at(generation).await;
        let open = |bed: &Bed| bed.simulator.current().truth().nodes.a.open_sessions;
        while open(&bed) == 0 {
            bed.pass(SignedDuration::from_mins(5));
        }
        let answer = bed.driver(NodeId::A).act(&bed.intent("window-1.drain.a"), &NodeAct::EndSessions).await;
        assert_eq!(answer, ActAnswer::accepted(), "{generation}");
        assert_eq!(open(&bed), 0, "{generation}");
    }
}

/// Each product knows only its own reports: with the right one in the site file sessions are ended and extracted, with the other
/// one nothing is.
#[tokio::test]
async fn bg_02_each_product_answers_to_its_own_names_only() {
    use changeover::drivers::appliance::beyondtrust::Product as Told;
    use changeover::simulator::server::Product as Is;
    let [rs, pra] = [(Is::RemoteSupport, Told::RemoteSupport), (Is::PrivilegedRemoteAccess, Told::PrivilegedRemoteAccess)];
    for ((is, _), (_, product)) in [(rs, rs), (pra, pra), (rs, pra), (pra, rs)] {
        let bed = Bed::with("26.1.1", "27.1.1", |options| options.product = is).await;
        bed.pass(SignedDuration::from_hours(12));
        while bed.simulator.current().truth().nodes.a.open_sessions == 0 {
            bed.pass(SignedDuration::from_mins(5));
        }
        let driver = bed.driver_with(Settings { product, ..bed.settings(NodeId::A) });
        let folder = tempfile::tempdir().unwrap();
        let until = changeover::ports::Clock::now(&*bed.clock);
        let since = until - SignedDuration::from_hours(6);
        let extract = NodeAct::ExtractData { since, until, directory: folder.path().to_owned() };
        for (step, act) in [("window-1.extract_data.a", extract), ("window-1.drain.a", NodeAct::EndSessions)] {
            let answer = driver.act(&bed.intent(step), &act).await;
            let right = matches!(answer, ActAnswer::Accepted { .. });
            assert_eq!(right, is.code() == rs_or_pra(product), "{is:?}, told {product:?}: {answer:?}");
            assert!(right || matches!(answer, ActAnswer::Refused { .. }), "{answer:?}");
        }
        let open = bed.simulator.current().truth().nodes.a.open_sessions;
        assert_eq!(open == 0, is.code() == rs_or_pra(product), "{is:?}, told {product:?}");
    }
}

fn rs_or_pra(product: changeover::drivers::appliance::beyondtrust::Product) -> &'static str {
    use changeover::drivers::appliance::beyondtrust::Product;
    match product {
        Product::RemoteSupport => "rs",
        Product::PrivilegedRemoteAccess => "pra",
    }
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_sent_once_in_every_generation() {
    for generation in Generation::ALL {
        let bed = Bed::at(generation).await;
        let credentials = match generation.login() {
            Login::Password => Credentials::user("changeover", "wrong".into()),
            Login::Token => Credentials::client("changeover", "wrong".into()),
        };
        let driver = bed.driver_with(Settings { credentials, ..bed.settings(NodeId::A) });
        for _ in 0..3 {
            let error = driver.observe().await.unwrap_err();
            assert!(matches!(error, ReadError::Denied(_)), "{generation}: {error:?}");
            assert!(!error.to_string().contains("wrong"), "{generation}: {error}");
        }
        let calls = bed.simulator.calls();
        let of = |kind| calls.get(kind).copied().unwrap_or(0);
        assert_eq!(of("token") + of("read"), 1, "{generation}: {calls:?}");
    }
}

/// The old login stays for those who had it, across the release that brought the new one; a younger box never knew it.
#[tokio::test]
async fn the_old_login_is_kept_only_where_it_was_used() {
    let bed = Bed::with("15.2.3", "16.1.1", |_| {}).await;
    let old = bed.driver(NodeId::A);
    let login = |credentials| bed.driver_with(Settings { credentials, ..bed.settings(NodeId::A) });
    let new = login(Credentials::client("changeover", SECRET.into()));
    assert!(old.observe().await.is_ok() && new.observe().await.is_err(), "15");
    bed.simulator.current().update(NodeId::A, None).unwrap();
    bed.pass(SignedDuration::from_hours(1));
    let new = login(Credentials::client("changeover", SECRET.into()));
    assert_eq!(old.observe().await.unwrap(), new.observe().await.unwrap(), "16");

    let young = Bed::at(Generation::From16_1).await;
    let user = Settings { credentials: Credentials::user("changeover", SECRET.into()), ..young.settings(NodeId::A) };
    let error = young.driver_with(user).observe().await.unwrap_err().to_string();
    assert!(!error.contains(SECRET), "{error}");
}
