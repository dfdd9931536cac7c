//! The release that a run counts on, as it was last looked up.

use crate::domain::run::Release;

/// What is known now of the release that a run counts on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Released {
    /// Nobody looked: what the plan holds counts.
    #[default]
    Unread,
    Given(Release),
    /// Withdrawn, or not to be found; why.
    Void(String),
}
