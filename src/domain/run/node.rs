//! What a run's journal says of one node.

use jiff::Timestamp;

use crate::domain::file::FileEvidence;

/// What the journal says of one node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeRecord {
    /// This run's last verified backup.
    pub backup: Option<(Timestamp, FileEvidence)>,
    /// The size of a backup that a named person took for whole, though it was far smaller than the last.
    pub accepted_bytes: Option<u64>,
    /// So many recordings of it a person has taken as lost: the run was held for them, and was resumed.
    pub accepted_missing: u64,
    /// When traffic left it, if it did.
    pub served_until: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
    pub extracted_at: Option<Timestamp>,
    /// How many records the last extraction held, where the driver tells.
    pub extracted_records: Option<u64>,
    /// How much room its files took.
    pub extracted_bytes: Option<u64>,
    /// When it was last changed (linked, unlinked, updated).
    pub touched_at: Option<Timestamp>,
    pub verified_at: Option<Timestamp>,
    /// True once this run has brought it to the target.
    pub updated: bool,
    /// How many packages of the chain it has got.
    pub hops: u32,
    pub updated_at: Option<Timestamp>,
    /// When the answer to its update was lost, or the update was given up on the way: it may run yet. No reading shows that it
    /// does not; a person's word ends it, or the update's proof.
    pub update_in_doubt: Option<Timestamp>,
    /// The build it showed after its last update.
    pub build: Option<String>,
}

impl NodeRecord {
    /// There is a backup of this run, taken after the node last served, however old.
    pub fn was_backed_up(&self) -> bool {
        self.backup.as_ref().is_some_and(|(at, _)| self.served_until.is_none_or(|until| *at >= until))
    }

    /// Its backup is from before this run last updated it.
    pub fn is_backup_outdated(&self) -> bool {
        let backup = self.backup.as_ref().map(|(at, _)| *at);
        self.updated_at.is_some_and(|updated| backup.is_none_or(|backup| backup < updated))
    }
}
