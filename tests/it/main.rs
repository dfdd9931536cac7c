//! One integration binary, a module per subject.

mod config;
mod dns;
mod drivers;
mod named;
mod simulator;
mod store;
