//! Integration tests: drivers.
