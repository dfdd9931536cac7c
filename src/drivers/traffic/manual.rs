//! Traffic driver `manual`.
