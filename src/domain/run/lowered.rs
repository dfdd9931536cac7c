//! What the journal says of the TTL that a run has lowered (R7).

use jiff::{SignedDuration, Timestamp};

use crate::domain::event::NameTtl;

/// What the journal says of a TTL that this run set out to lower.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lowered {
    /// What `restore_ttl` brings back: the TTLs from before this run changed them. A name that was low already is not among them.
    pub before: Vec<NameTtl>,
    /// The longest TTL that was replaced and whose replacement is not proven yet.
    pub unproven: u32,
    /// When the low TTL was last proven at every authoritative server; `None` while that has lapsed.
    pub proven_at: Option<Timestamp>,
    /// From then on no cache holds an answer with an old TTL.
    pub clear_from: Option<Timestamp>,
    /// `restore_ttl` is done.
    pub restored: bool,
}

impl Lowered {
    /// The intent to replace these TTLs is recorded: what they were is never forgotten from here on.
    pub fn begun(&mut self, replaced: &[NameTtl]) {
        for name in replaced {
            self.unproven = self.unproven.max(name.ttl);
            match self.before.iter_mut().find(|known| known.entry == name.entry && known.name == name.name) {
                Some(known) => known.ttl = name.ttl,
                None => self.before.push(name.clone()),
            }
        }
        (self.proven_at, self.restored) = (None, false);
    }

    /// Low on every server, proven at this moment. Of what was low already nobody knows what it was before: its present TTL counts.
    pub fn proven(&mut self, names: &[NameTtl], negative: Option<u32>, at: Timestamp) {
        let present = names.iter().map(|name| name.ttl).max().unwrap_or_default();
        let longest = present.max(self.unproven).max(negative.unwrap_or_default());
        self.clear_from = self.clear_from.max(Some(after(at, longest)));
        (self.proven_at, self.unproven, self.restored) = (Some(at), 0, false);
    }

    /// Something of this run's is left to be restored.
    pub fn is_left(&self) -> bool {
        !self.restored && !self.before.is_empty()
    }
}

/// So many seconds later; a time that no clock shows is the last one that it does.
pub(in crate::domain) fn after(at: Timestamp, seconds: u32) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX)
}
