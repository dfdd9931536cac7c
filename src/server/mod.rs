//! The HTTP API: what the command line, scripts and dashboards ask of the daemon.
//!
//! It decides nothing. A handler reads its input, calls one method of [`crate::engine::api::Fleet`] and puts the answer into
//! the wire types of [`view`]. Commands come through the Unix socket only, where the kernel tells who the peer is; a TCP
//! address, where one is set, serves reading alone. Imports: engine and domain only.
//!
//! ```text
//! listen (sockets, peers, limits) → guard (id, door, time-out, panics) → routes → Fleet
//! ```

mod answer;
mod guard;
mod input;
pub mod limits;
mod listen;
mod patient;
mod routes;
pub mod view;

pub use guard::Door;
pub use listen::{BindError, Server, Settings};
pub use routes::router;
