//! Traffic: where the service name leads, and how it is moved.

pub mod exec;
pub mod manual;
pub mod rfc2136;
pub mod shared_ip;
