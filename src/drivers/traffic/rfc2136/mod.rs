//! Traffic driver `rfc2136`: moves one address record by a signed DNS update, and reads every authoritative server back.
//!
//! The one thing to know: the update carries the value it expects to replace, so the server itself does the
//! compare-and-swap, and sending the same update twice does no harm. `ask` reads, `judge` says what a reading means,
//! `update` makes and checks the messages of a change, `exchange` carries them, `switch` puts them together; the driver `manual` shares the reading.
//! Imports: ports and domain only.

pub(super) mod ask;
mod exchange;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub(super) mod judge;
mod settings;
mod switch;
mod update;

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, join, join_all};
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{Name, TSigner};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretBox};

use crate::domain::ids::NodeId;
use crate::domain::site::TrafficLook;
use crate::ports::{ActAnswer, Clock, Intent, ReadError, Recall, Traffic, TrafficReader};

use ask::{Reading, Server};
use judge::{Entry, is_behind};
pub use settings::{Settings, SettingsError};
pub(super) use settings::{entry, servers};

/// One address record of one zone.
pub struct Rfc2136 {
    entry: Entry,
    zone: Name,
    primary: Server,
    servers: Vec<Server>,
    ttl: u32,
    key: Key,
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
        let asked = self.servers.iter().map(|server| server.read(&self.entry.record, self.entry.kind, &self.zone));
        let (primary, readings) = join(self.primary.serial(&self.zone), join_all(asked)).await;
        let floor = self.floor_of(primary.ok());
        let answer = |(server, reading): (&Server, Reading)| self.entry.answer(server.address, &reading, floor);
        let answers = self.servers.iter().zip(readings).map(answer).collect();
        TrafficLook::new(self.clock.now(), answers)
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

impl TrafficReader for Rfc2136 {
    /// # Repeat
    /// Safe; only queries are sent. Takes at most 10 s, when a server is silent.
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

    fn name(&self) -> String {
        format!("rfc2136 {} at {}", self.entry.shown(), self.primary.address)
    }
}

impl Traffic for Rfc2136 {
    fn switch<'a>(&'a self, intent: &'a Intent, from: NodeId, to: NodeId) -> BoxFuture<'a, ActAnswer> {
        Box::pin(self.switch_now(intent, from, to))
    }

    /// Always [`Recall::MayBeSent`]: nothing of an update outlives this process on our side, and as each update names the
    /// value it replaces, a repeat changes nothing that the first one did.
    fn recall<'a>(&'a self, _intent: &'a Intent) -> BoxFuture<'a, Recall> {
        Box::pin(async { Recall::MayBeSent })
    }
}

/// Seconds that our clock and the primary's may differ; the value that RFC 8945 section 10 recommends.
const FUDGE_SECS: u16 = 300;
