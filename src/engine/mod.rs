//! What waits and acts: one task a run, one task a hook. Imports: domain and ports.

pub mod outbox;
