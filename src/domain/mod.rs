//! The domain: what a pair, a plan and a run are, and the one function that says what happens next.
//!
//! Nothing here does I/O, reads a clock, is async or draws random numbers; time comes in with its arguments.
//! Imports: nothing of ours from outside this folder.
//!
//! Where to look first: [`action`] is the table of what can be done, [`rules`] what must stay true,
//! [`decide`] what happens next and why, [`machine`] the only place where a run changes.

pub mod ids;
pub mod journal;
pub mod site;
pub mod version;
pub mod window;
