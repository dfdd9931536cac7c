//! BeyondTrust B Series.
