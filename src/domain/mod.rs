//! The domain: what a pair, a plan and a run are, and the one function that says what happens next.
//!
//! Nothing here does I/O, reads a clock, is async or draws random numbers; time comes in with its arguments.
//! Imports: nothing of ours from outside this folder.
//!
//! Two storeys, without a circle: what a pair, a plan and a run are, and above it what judges them. A test knows which is which.
//!
//! Where to look first: [`action`] is the table of what can be done, [`rules`] what must stay true,
//! [`decide`] what happens next and why, [`machine`] the only place where a run changes.

pub mod access;
pub mod action;
pub mod agreement;
pub mod alert;
pub mod alike;
pub mod asked;
pub mod backups;
pub mod booking;
pub mod by_hand;
pub mod cached;
pub mod caches;
pub mod check;
pub mod checks;
pub mod console;
pub mod crossing;
pub mod decide;
pub mod doubt;
pub mod due;
pub mod estimate;
pub mod event;
pub mod exposure;
pub mod facts;
pub mod file;
pub mod fit;
pub mod gate;
pub mod gathered;
pub mod handover;
pub mod homeward;
pub mod ids;
pub mod journal;
pub mod jump_clients;
pub mod labels;
pub mod late;
pub mod ledger;
pub mod limit;
pub mod listing;
pub mod machine;
pub mod metrics;
pub mod people;
pub mod plan;
pub mod procedure;
pub mod proof;
pub mod prove;
pub mod refold;
pub mod rehearsal;
pub mod resolvers;
pub mod reverse;
pub mod rule;
pub mod rules;
pub mod run;
pub mod settings;
pub mod sheet;
pub mod shown;
pub mod single;
pub mod site;
pub mod step;
pub mod stop_here;
pub mod surprise;
pub mod ttl;
pub mod unsynced;
pub mod version;
pub mod waiver;
pub mod watch;
pub mod way_home;
pub mod window;
pub mod world;
