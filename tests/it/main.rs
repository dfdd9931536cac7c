//! One integration binary, a module per subject.

mod alerts;
mod beyondtrust;
mod config;
mod dns;
mod docs;
mod exec;
mod layering;
mod named;
mod runs;
mod simulator;
mod stage;
mod store;
mod tokens;
