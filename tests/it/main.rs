//! One integration binary, a module per subject.

mod alerts;
mod dns;
mod drivers;
mod exec;
mod simulator;
mod store;
