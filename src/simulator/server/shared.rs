//! What all doors of a simulator share: the world and its time, and what it keeps of each node beside the world.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::counts::Counts;
use super::generation::{Generation, Login};
use super::options::{OldUser, Resolver, SimulatorOptions};
use super::pages::kept::Pages;
use super::rates::{Limits, Rates};
use super::reporting::Product;
use super::tokens::{Account, Logins, Tokens};
use crate::domain::ids::{NodeId, PerNode};
use crate::ports::Clock;
use crate::simulator::faults::{Fault, Planned};
use crate::simulator::world::{World, lock};

/// How often the name's target is asked for while nothing else happens, machine time: a gap in the service is dated this exactly.
const NAME_POLL: Duration = Duration::from_millis(50);

/// What all doors share.
pub(super) struct Shared {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) resolver: Option<Resolver>,
    tokens: PerNode<Mutex<Tokens>>,
    pages: PerNode<Mutex<Pages>>,
    /// Where the nodes listen.
    pub(super) addresses: PerNode<SocketAddr>,
    pub(super) hosts: PerNode<String>,
    pub(super) service: String,
    pub(super) company: String,
    pub(super) counts: Counts,
    rates: Mutex<Rates>,
    pub(super) limits: Limits,
    pub(super) product: Product,
    pub(super) old_user: OldUser,
    /// By path: what is answered there instead, its type and body.
    instead: PerNode<Mutex<BTreeMap<String, (String, Bytes)>>>,
}

impl Shared {
    pub(super) fn new(options: &SimulatorOptions, hosts: PerNode<String>, addresses: PerNode<SocketAddr>) -> Self {
        let mut world = World::new(options.world.clone());
        if options.health_cached {
            for node in NodeId::BOTH {
                world.plan_fault(Planned::for_ever(Fault::HealthCached).on(node));
            }
        }
        let tokens = |node: NodeId| {
            let seed = options.world.seed.wrapping_mul(2).wrapping_add(u64::from(node == NodeId::B));
            Mutex::new(Tokens::new(accounts(options), options.token_lifetime, seed))
        };
        let pages = |node: NodeId| {
            let (username, password) = (options.username.clone(), options.password.clone());
            Mutex::new(Pages::new(username, password, options.languages[node], options.world.seed ^ node.index() as u64))
        };
        Self {
            world: Arc::new(Mutex::new(world)),
            clock: options.clock.clone(),
            resolver: options.leads_to.clone(),
            tokens: PerNode::new(tokens),
            pages: PerNode::new(pages),
            addresses,
            hosts,
            service: options.service.clone(),
            company: "Example Company".to_owned(),
            counts: Counts::default(),
            rates: Mutex::default(),
            limits: options.rates,
            product: options.product,
            old_user: old_user(options),
            instead: PerNode::default(),
        }
    }

    /// The world, brought up to now and told where the name leads.
    pub(super) fn current(&self) -> MutexGuard<'_, World> {
        // Asked before the world is locked: the zone may want to look at the world in turn.
        let leads_to = self.resolver.as_ref().map(|resolver| resolver());
        let now = self.clock.now();
        let mut world = lock(&self.world);
        world.advance(now);
        if let Some(leads_to) = leads_to {
            world.set_leads_to(leads_to);
        }
        world
    }

    pub(super) fn rates(&self) -> MutexGuard<'_, Rates> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has become of each account at a node.
    pub(super) fn logins(&self, node: NodeId) -> BTreeMap<String, Logins> {
        self.tokens(node).logins().into_iter().collect()
    }

    pub(super) fn tokens(&self, node: NodeId) -> MutexGuard<'_, Tokens> {
        self.tokens[node].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a path of a node answers instead, if anything.
    pub(super) fn instead_of(&self, node: NodeId, path: &str) -> Option<(String, Bytes)> {
        self.instead(node).get(path).cloned()
    }

    pub(super) fn instead(&self, node: NodeId) -> MutexGuard<'_, BTreeMap<String, (String, Bytes)>> {
        self.instead[node].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pages(&self, node: NodeId) -> MutexGuard<'_, Pages> {
        self.pages[node].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves the world on when its next event is due, and looks where the name leads.
pub(super) async fn drive(shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        let next: Option<Timestamp> = shared.current().next_event();
        let due = async {
            match next {
                Some(at) => shared.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let poll = async {
            match shared.resolver {
                Some(_) => tokio::time::sleep(NAME_POLL).await,
                None => std::future::pending().await,
            }
        };
        // An order that comes meanwhile may bring an earlier event; whoever calls next brings the world up to now anyway.
        tokio::select! {
            () = due => {}
            () = poll => {}
            () = stop.cancelled() => return,
        }
    }
}

fn accounts(options: &SimulatorOptions) -> Vec<Account> {
    let first = Account { client_id: options.client_id.clone(), secret: options.client_secret.clone() };
    let second = options.second_client.clone().map(|(client_id, secret)| Account { client_id, secret });
    std::iter::once(first).chain(second).collect()
}

/// One account for both logins: the client id is the user's name, the secret its password.
fn old_user(options: &SimulatorOptions) -> OldUser {
    let was_used = Generation::of(&options.world.from.version).login() == Login::Password;
    OldUser { name: options.client_id.clone(), password: options.client_secret.clone(), was_used }
}
