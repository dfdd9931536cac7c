//! One integration binary, a module per subject.

mod dns;
mod drivers;
mod simulator;
mod store;
