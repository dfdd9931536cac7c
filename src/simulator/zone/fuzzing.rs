//! The zone's handling of one message, as fuzz targets call it. Compiled for tests only.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, OnceLock};

use hickory_proto::op::Message;

use super::data::Data;
use super::{Key, Shared, ZoneKey, ZoneOptions, serve, update};

/// Answers one message, and applies it as an update as if it were signed. The zone's serial before and after, and whether it
/// was taken; `None` if the zone can't be made.
pub fn message(bytes: &[u8], datagram: bool) -> Option<(u32, u32, bool)> {
    let key = ZoneKey { name: "changeover".to_owned(), algorithm: "hmac-sha256".to_owned(), secret: "c2VjcmV0".into() };
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let options = ZoneOptions::new("example.com", key).with("support.example.com", here, 60);
    let data = Mutex::new(Data::new(&options, here).ok()?);
    let shared = Shared { data, key: Key::read(options.key).ok()?, watcher: OnceLock::new() };
    serve::respond(&shared, bytes, datagram);
    let before = shared.data().serial();
    let taken = Message::from_vec(bytes).is_ok_and(|message| update::apply(&mut shared.data(), &message).is_ok());
    let after = shared.data().serial();
    Some((before, after, taken))
}
