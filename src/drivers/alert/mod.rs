//! Hooks: where alerts and exports go. Each delivers once when asked; the outbox retries.

pub mod program;
pub mod webhook;
