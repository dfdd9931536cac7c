//! One integration binary, a module per subject.

mod beyondtrust;
mod config;
mod dns;
mod named;
mod simulator;
mod store;
