//! Two appliances with their real interfaces, one zone, users at work, a clock, faults.
//!
//! Tests, the demo and people at a terminal talk to this one simulator. Imports: ports and domain only.

pub mod zone;
