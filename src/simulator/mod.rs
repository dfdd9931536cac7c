//! Two appliances with their real interfaces, one zone, users at work, a clock, faults.
//!
//! ```text
//!            server (HTTPS, the vendor's interface) ─┐
//!   operator ─▶ control (loopback HTTP, the console) ┼─▶ world: pure state, time is an argument
//!            inprocess (the ports, for tests) ───────┘     nodes · users · syncs · faults · truth
//! ```
//!
//! Tests, the demo and people at a terminal talk to this one simulator. [`world`] never protects anybody: an act that
//! ruins data does so, and [`world::Truth`] tells. Imports: ports and domain only.

pub mod faults;
pub mod files;
pub mod inprocess;
pub mod operator;
pub mod server;
pub mod world;
pub mod zone;

pub use server::{Simulator, SimulatorOptions, serve};
