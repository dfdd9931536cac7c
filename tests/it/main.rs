//! One integration binary, a module per subject.

mod alerts;
mod api;
mod beyondtrust;
mod cli;
mod config;
mod contract;
mod crashes;
mod daemon;
mod demo;
mod dns;
mod docs;
mod exec;
mod faults;
#[cfg(feature = "test-kill")]
mod kill;
mod layering;
mod memory;
mod named;
mod nodes;
mod out_of_band;
mod people;
mod rules;
mod runs;
mod simulator;
mod space;
mod stage;
mod starts;
mod store;
mod storms;
mod switch_back;
mod sync_failures;
mod tokens;
mod troubles;
mod vendor;
mod whole_runs;
mod windows;
