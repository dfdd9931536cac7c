//! Waits between tries.
