//! One integration binary, a module per subject.

mod alerts;
mod beyondtrust;
mod config;
mod daemon;
mod dns;
mod exec;
#[cfg(feature = "test-kill")]
mod kill;
mod named;
mod runs;
mod simulator;
mod stage;
mod store;
mod vendor;
mod whole_runs;
