//! Programs behind `exec`: how one is started, awaited, ended and recalled.
