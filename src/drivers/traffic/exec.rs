//! Traffic driver `exec`.
