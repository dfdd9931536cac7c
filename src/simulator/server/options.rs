//! How a simulator is set up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::pages::words::Language;
use super::rates::Limits;
use super::reporting::Product;
use super::tokens;
use crate::domain::ids::{NodeId, PerNode};
use crate::domain::version::Version;
use crate::ports::Clock;
use crate::simulator::world::WorldOptions;

/// Tells where the service's name leads now.
pub type Resolver = Arc<dyn Fn() -> Option<NodeId> + Send + Sync>;

/// How a simulator is set up.
#[derive(Clone)]
pub struct SimulatorOptions {
    pub addresses: PerNode<IpAddr>,
    /// The common port of both nodes; 0 picks one.
    pub port: u16,
    /// The control interface; port 0 picks one.
    pub control: SocketAddr,
    /// The name that users and clients use.
    pub service: String,
    /// Of the API account; releases before 16.1 take it as a user's name, and its secret as the password.
    pub client_id: String,
    pub client_secret: SecretString,
    /// The user of the pages, `/login` and `/appliance` alike.
    pub username: String,
    pub password: SecretString,
    /// The language of each node's pages.
    pub languages: PerNode<Language>,
    pub product: Product,
    /// A second API account at both nodes, by client id and secret.
    pub second_client: Option<(String, SecretString)>,
    /// What an account may call; beyond it the answer is 429.
    pub rates: Limits,
    /// Life of the API's tokens, machine time.
    pub token_lifetime: Duration,
    /// Health answers are up to 60 s old, as the vendor says.
    pub health_cached: bool,
    pub world: WorldOptions,
    pub clock: Arc<dyn Clock>,
    /// Where the service's name leads; without it the control interface says so, at first the primary.
    pub leads_to: Option<Resolver>,
}

impl SimulatorOptions {
    /// A linked pair on 127.0.1.1 and 127.0.1.2 for `support.example.com`, its history beginning now.
    pub fn new(clock: Arc<dyn Clock>, client_secret: SecretString, from: Version, to: Version) -> Self {
        Self {
            addresses: PerNode { a: IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1)), b: IpAddr::V4(Ipv4Addr::new(127, 0, 1, 2)) },
            port: 0,
            control: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            service: "support.example.com".to_owned(),
            client_id: "changeover".to_owned(),
            username: "admin".to_owned(),
            password: client_secret.clone(),
            languages: PerNode::default(),
            product: Product::default(),
            client_secret,
            second_client: None,
            rates: Limits::default(),
            token_lifetime: tokens::LIFETIME,
            health_cached: true,
            world: WorldOptions::new(clock.now(), from, to),
            clock,
            leads_to: None,
        }
    }
}

/// The user of the old login. What it may do is not limited here.
#[derive(Clone)]
pub struct OldUser {
    pub name: String,
    pub password: SecretString,
    /// It was there before 16.1; boxes that are set up later know no such login.
    pub was_used: bool,
}
