//! One integration binary, a module per subject.

mod beyondtrust;
mod dns;
mod drivers;
mod simulator;
mod store;
