//! The engine: observe, decide, record, act, observe. Imports: ports and domain only.

pub mod api;
