//! Nodes: one driver a kind of appliance.

pub mod beyondtrust;
pub mod exec;
