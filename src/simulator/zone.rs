//! One small authoritative zone.
