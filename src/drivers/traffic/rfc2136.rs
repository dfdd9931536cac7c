//! Traffic driver `rfc2136`.
