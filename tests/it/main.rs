//! One integration binary, a module per subject.

mod alerts;
mod audit;
mod beyondtrust;
mod config;
mod crashes;
mod dns;
mod exec;
mod faults;
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
mod telephone;
mod troubles;
mod windows;
