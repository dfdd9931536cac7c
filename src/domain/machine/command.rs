//! What follows from a record.

/// What the engine does after the record is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Send the act of the current step.
    Act,
    /// Send the journal and the by-hand sheet to the places off this host.
    Export,
}
