//! Traffic driver `rfc2136`: moves a service's records by one signed DNS update, and reads every authoritative server back.
//!
//! The one thing to know: the update carries the values it expects to replace, so the server itself does the
//! compare-and-swap, of all records or none, and sending the same update twice does no harm. `ask` reads, `authorities` finds
//! whom to ask, `record` is what an answer holds, `judge` says what it means, `update` makes and checks the messages of a
//! change, `exchange` carries them, `switch` puts them together, `access` tries the permission; the driver `manual` shares the
//! reading.
//! Imports: ports and domain only.

mod access;
pub(super) mod ask;
mod authorities;
mod exchange;
mod families;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub(super) mod judge;
pub(super) mod record;
mod settings;
mod switch;
mod update;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, join_all, join4};
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, TSigner};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretBox};

use crate::domain::ids::NodeId;
use crate::domain::site::{MovedRecord, ResolverAnswer, TrafficAnswer, TrafficLook};
use crate::ports::{Access, ActAnswer, Clock, Intent, ReadError, Recall, Traffic, TrafficReader, TtlChange};

use ask::Server;
use authorities::{Authorities, Found};
use judge::{Entry, is_behind};
use record::Reading;
pub use settings::{Leads, Settings, SettingsError};
pub(super) use settings::{entry, resolvers, servers};
use switch::Goal;

/// The records that one entry moves, all of one zone.
pub struct Rfc2136 {
    entry: Entry,
    zone: Name,
    primary: Server,
    authorities: Authorities,
    resolvers: Vec<Server>,
    ttl: u32,
    key: Key,
    signed_ahead: SignedDuration,
    clock: Arc<dyn Clock>,
    /// The highest serial seen on the primary; `None` before the first look and after an update whose end is unknown.
    floor: Mutex<Option<u32>>,
}

/// The TSIG key. The secret is handed to a signer for the time of one update only, because hickory's signer keeps it in plain
/// memory.
struct Key {
    name: Name,
    algorithm: TsigAlgorithm,
    secret: SecretBox<Vec<u8>>,
}

impl Key {
    fn signer(&self) -> Result<TSigner, String> {
        TSigner::new(self.secret.expose_secret().clone(), self.algorithm.clone(), self.name.clone(), FUDGE_SECS)
            .map_err(|error| format!("the TSIG key `{}` can't be used: {error}", self.name))
    }
}

impl Rfc2136 {
    /// The driver for one `[[traffic]]` entry. Sends nothing.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, SettingsError> {
        settings::build(settings, clock)
    }

    async fn look_now(&self) -> TrafficLook {
        let resolvers = read_resolvers(&self.entry, &self.resolvers);
        let (soa, readings, resolvers, adds_type) =
            join4(self.primary.soa(&self.zone), self.read_servers(), resolvers, self.adds_type()).await;
        let soa = soa.ok();
        let floor = self.floor_of(soa.map(|soa| soa.serial));
        let answers = readings.into_iter().flat_map(|told| self.answers(told, floor)).collect();
        let (negative_ttl, adds_type) = (soa.map(|soa| soa.negative_ttl), Some(adds_type));
        TrafficLook { resolvers, negative_ttl, adds_type, ..TrafficLook::new(self.clock.now(), answers) }
    }

    async fn read_servers(&self) -> Vec<Told> {
        match &self.authorities {
            Authorities::Listed(servers) => join_all(servers.iter().map(|server| self.read(server))).await,
            Authorities::ByNs => match authorities::by_ns(&self.primary, &self.zone).await {
                Err(why) => vec![Told::Nothing { server: self.primary.address.to_string(), why }],
                Ok(found) => join_all(found.iter().map(|found| self.read_found(found))).await,
            },
        }
    }

    async fn read_found(&self, found: &Found) -> Told {
        match found {
            Found::Server(server) => self.read(server).await,
            Found::Lost { name, why } => Told::Nothing { server: name.clone(), why: format!("its address was not found: {why}") },
        }
    }

    async fn read(&self, server: &Server) -> Told {
        Told::Read(server.address, server.read(&self.entry.sets, &self.zone).await)
    }

    fn answers(&self, told: Told, floor: Option<u32>) -> Vec<TrafficAnswer> {
        match told {
            Told::Read(server, reading) => self.entry.answers(server, &reading, floor),
            Told::Nothing { server, why } => self.entry.unread(&server, &why),
        }
    }

    /// What this look's servers must have reached: the highest serial that the primary had shown *before* this look (after a
    /// switch, the one read after the update); at the first look, what it shows now. In a zone that others change every
    /// second, a floor that moves within the look would leave the secondaries behind for ever.
    fn floor_of(&self, seen: Option<u32>) -> Option<u32> {
        let mut floor = self.floor.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *floor;
        *floor = match (before, seen) {
            (Some(old), Some(new)) if is_behind(new, old) => Some(old),
            (old, new) => new.or(old),
        };
        before.or(seen)
    }

    /// Sets the floor and gives back the one before.
    fn set_floor(&self, serial: Option<u32>) -> Option<u32> {
        std::mem::replace(&mut *self.floor.lock().unwrap_or_else(PoisonError::into_inner), serial)
    }
}

/// What one authoritative server told.
enum Told {
    Read(SocketAddr, Reading),
    Nothing { server: String, why: String },
}

/// What the recursive resolvers tell, all asked at once.
pub(super) async fn read_resolvers(entry: &Entry, resolvers: &[Server]) -> Vec<ResolverAnswer> {
    let asked = resolvers.iter().map(|server| async { (server.address, server.values(&entry.sets).await) });
    join_all(asked).await.iter().flat_map(|(server, values)| entry.resolver_answers(*server, values)).collect()
}

impl TrafficReader for Rfc2136 {
    /// # Repeat
    /// Safe; only queries are sent. Takes at most 10 s, when a server is silent; up to 40 s where the servers are found by NS and
    /// the primary or the system's resolver is silent too.
    ///
    /// # Errors
    /// None: a server that doesn't answer is an answer without a target.
    fn look(&self) -> BoxFuture<'_, Result<TrafficLook, ReadError>> {
        Box::pin(async { Ok(self.look_now().await) })
    }

    /// 30 s: at most 6 s pass between the intent and the connection (the reading before), 5 s for the connection and 10 s for
    /// the answer; 9 s more for a server that takes up late what already lies in its socket.
    fn settling_time(&self) -> SignedDuration {
        SignedDuration::from_secs(30)
    }

    fn records(&self) -> Vec<MovedRecord> {
        self.entry.records()
    }

    fn name(&self) -> String {
        format!("rfc2136 {} at {}", self.entry.shown(), self.primary.address)
    }

    /// The first of the entry's addresses; none where it holds names.
    fn address(&self, node: NodeId) -> Option<IpAddr> {
        self.entry.address_of(node)
    }
}

impl Traffic for Rfc2136 {
    fn switch<'a>(&'a self, intent: &'a Intent, from: NodeId, to: NodeId) -> BoxFuture<'a, ActAnswer> {
        Box::pin(self.change_now(intent, Goal::Lead { from, to }))
    }

    fn set_ttl<'a>(&'a self, intent: &'a Intent, change: &'a TtlChange) -> BoxFuture<'a, ActAnswer> {
        Box::pin(self.change_now(intent, Goal::Ttl(change)))
    }

    fn prove_access(&self) -> BoxFuture<'_, Access> {
        Box::pin(self.prove_access_now())
    }

    /// Always [`Recall::MayBeSent`]: nothing of an update outlives this process on our side, and as each update names the
    /// values it replaces, a repeat changes nothing that the first one did.
    fn recall<'a>(&'a self, _intent: &'a Intent) -> BoxFuture<'a, Recall> {
        Box::pin(async { Recall::MayBeSent })
    }
}

/// Seconds that our clock and the primary's may differ; the value that RFC 8945 section 10 recommends.
const FUDGE_SECS: u16 = 300;
