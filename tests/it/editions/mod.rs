//! The command API in every generation: the driver against the simulator over HTTPS, release by release and across updates.

mod crossing;
mod daemon;
mod generations;
mod property;

use std::sync::{Arc, Mutex, PoisonError};

use changeover::domain::ids::NodeId;
use changeover::drivers::appliance::beyondtrust::{
    Accounts, BeyondTrust, Credentials, Editions, Limits, Peer, Product, Settings, Share,
};
use changeover::drivers::tls::{TlsTrust, parse_pin};
use changeover::ports::{Clock, Intent};
use changeover::simulator::server::RateLimits;
use changeover::simulator::server::generation::{Generation, Login};
use changeover::simulator::{Simulator, SimulatorOptions};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

const SECRET: &str = "a-secret-of-the-tests";

/// Run time that a test moves by hand.
struct HandClock {
    now: Mutex<Timestamp>,
    moved: tokio::sync::Notify,
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

/// A simulated pair, and a driver for each node.
struct Bed {
    simulator: Simulator,
    clock: Arc<HandClock>,
}

impl Bed {
    async fn at(generation: Generation) -> Self {
        Self::with(generation.example(), "27.1.1", |_| {}).await
    }

    async fn with(from: &str, to: &str, change: impl FnOnce(&mut SimulatorOptions)) -> Self {
        let start = "2026-11-22T01:00:00Z".parse().unwrap();
        let clock = Arc::new(HandClock { now: Mutex::new(start), moved: tokio::sync::Notify::new() });
        let mut options = SimulatorOptions::new(clock.clone(), SECRET.into(), from.parse().unwrap(), to.parse().unwrap());
        options.health_cached = false;
        // Time stands still between a test's calls.
        options.rates = RateLimits { per_second: 1_000_000, per_hour: 1_000_000 };
        change(&mut options);
        Self { simulator: Simulator::start(options).await.unwrap(), clock }
    }

    fn pass(&self, time: SignedDuration) {
        *self.clock.now.lock().unwrap_or_else(PoisonError::into_inner) += time;
        self.clock.moved.notify_waiters();
    }

    fn generation(&self, node: NodeId) -> Generation {
        Generation::of(&self.simulator.current().node(node).version)
    }

    fn settings(&self, node: NodeId) -> Settings {
        let accounts = Accounts::new(Share { per_second: 1_000_000, per_hour: 1_000_000 }, self.clock.clone());
        let credentials = match self.generation(node).login() {
            Login::Password => Credentials::user("changeover", SECRET.into()),
            Login::Token => Credentials::client("changeover", SECRET.into()),
        };
        Settings {
            site: "support".to_owned(),
            node,
            url: self.simulator.url(node).parse().unwrap(),
            address: self.simulator.nodes[node].ip(),
            service: self.simulator.service.clone(),
            identity: self.simulator.identities[node].clone(),
            credentials,
            second: None,
            accounts: Arc::new(accounts),
            editions: Editions::Auto,
            tls: TlsTrust::Pins(vec![parse_pin(&self.simulator.pin).unwrap()]),
            peer: Peer {
                url: self.simulator.url(node.other()).parse().unwrap(),
                identity: self.simulator.identities[node.other()].clone(),
                console: None,
            },
            limits: Limits::default(),
            backup_password: None,
            product: Product::default(),
            recordings: true,
            console: None,
        }
    }

    fn driver(&self, node: NodeId) -> BeyondTrust {
        self.driver_with(self.settings(node))
    }

    fn driver_with(&self, settings: Settings) -> BeyondTrust {
        BeyondTrust::new(settings, self.clock.clone()).unwrap()
    }

    /// As the record of an act would have it.
    fn intent(&self, step: &str) -> Intent {
        Intent {
            site: "support".to_owned(),
            run: "support-7".parse().unwrap(),
            step: step.to_owned(),
            attempt: 1,
            key: format!("support-7/{step}/1"),
            since: self.clock.now(),
            limit: SignedDuration::from_hours(1),
        }
    }
}
