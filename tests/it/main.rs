//! One integration binary, a module per subject.

mod api;
mod cli;
mod dns;
mod drivers;
mod simulator;
mod store;
