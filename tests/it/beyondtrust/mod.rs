//! The BeyondTrust driver against a box that answers as it is told.

mod acts;
mod ends;
mod extraction;
mod login;
mod logins;
mod one_box;
mod reads;
mod server;
mod settings;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use changeover::domain::ids::NodeId;
use changeover::drivers::appliance::beyondtrust::{
    Accounts, BeyondTrust, Credentials, Editions, Limits, Peer, Product, Settings, Share,
};
use changeover::drivers::tls::TlsTrust;
use changeover::ports::{Clock, Intent};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use server::{A, FakeBox, SERVICE};

const B: &str = "9be03d5518c94f7fa6d1e27b40c8f322";

/// The machine's time; a wait for a limit (minutes away) ends at once or never, a shorter one in its time.
struct TestClock {
    limits_pass: bool,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        let left = Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default();
        if left < Duration::from_secs(30) {
            return Box::pin(tokio::time::sleep(left));
        }
        if self.limits_pass { Box::pin(tokio::time::sleep(Duration::from_millis(100))) } else { Box::pin(std::future::pending()) }
    }
}

fn settings(server: &FakeBox) -> Settings {
    Settings {
        site: "support".to_owned(),
        node: NodeId::A,
        url: format!("https://{}/", server.address).parse().unwrap(),
        address: server.address.ip(),
        service: SERVICE.to_owned(),
        identity: A.to_owned(),
        editions: Editions::Auto,
        credentials: Credentials::client("changeover-id", "s3cret-of-the-account".into()),
        second: None,
        accounts: Arc::new(Accounts::new(Share::default(), Arc::new(TestClock { limits_pass: false }))),
        backup_password: None,
        tls: TlsTrust::Ca(server.ca_pem.clone().into_bytes()),
        peer: Peer { url: "https://b.example.com/".parse().unwrap(), identity: B.to_owned(), console: None },
        product: Product::RemoteSupport,
        recordings: true,
        limits: Limits::default(),
        console: None,
    }
}

fn driver(server: &FakeBox) -> BeyondTrust {
    with(settings(server))
}

fn with(settings: Settings) -> BeyondTrust {
    BeyondTrust::new(settings, Arc::new(TestClock { limits_pass: false })).unwrap()
}

fn intent(step: &str) -> Intent {
    Intent {
        site: "support".to_owned(),
        run: "support-7".parse().unwrap(),
        step: step.to_owned(),
        attempt: 1,
        key: format!("support-7/{step}/1"),
        since: Timestamp::now(),
        limit: SignedDuration::from_mins(30),
    }
}
