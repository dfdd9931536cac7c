//! Changeover carries the software update of a failover pair of appliances through two maintenance windows
//! and never loses its place.
//!
//! [`domain`] decides, [`ports`] names what the deciding needs of the world; engine, drivers, server and command
//! line stand around them. `docs/develop/architecture.md` is the map.

pub mod cli;
pub mod config;
pub mod domain;
pub mod drivers;
pub mod engine;
pub mod ports;
pub mod server;
pub mod simulator;
