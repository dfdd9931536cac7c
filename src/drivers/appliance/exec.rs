//! Nodes behind a program.
