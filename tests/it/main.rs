//! One integration binary, a module per subject.

mod alerts;
mod beyondtrust;
mod config;
mod demo;
mod dns;
mod exec;
mod named;
mod runs;
mod simulator;
mod stage;
mod store;
