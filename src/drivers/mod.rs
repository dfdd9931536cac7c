//! How the world is reached: one folder a port. Imports: ports and domain only.

pub mod alert;
pub mod appliance;
pub mod clock;
pub mod program;
pub mod store;
pub mod tls;
pub mod traffic;
