//! How the two nodes stand to each other.

use crate::domain::ids::{NodeId, PerNode};
use crate::domain::site::Role;

/// How the two nodes stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// One primary, one standby.
    Linked {
        primary: NodeId,
    },
    /// Both report no relationship.
    Broken,
    /// One reports a relationship, the other none.
    Half,
    BothPrimary,
    BothStandby,
    /// A reading is missing.
    Unknown,
}

impl Link {
    pub fn of(roles: PerNode<Option<Role>>) -> Self {
        match (roles.a, roles.b) {
            (Some(Role::Primary), Some(Role::Standby)) => Self::Linked { primary: NodeId::A },
            (Some(Role::Standby), Some(Role::Primary)) => Self::Linked { primary: NodeId::B },
            (Some(Role::Standalone), Some(Role::Standalone)) => Self::Broken,
            (Some(Role::Primary), Some(Role::Primary)) => Self::BothPrimary,
            (Some(Role::Standby), Some(Role::Standby)) => Self::BothStandby,
            (Some(_), Some(_)) => Self::Half,
            _ => Self::Unknown,
        }
    }

    /// For messages, and for what a hold has found: the fold of a journal knows a link that other hands took away by these words, so
    /// they stay as they are.
    pub fn describe(self) -> String {
        match self {
            Self::Linked { primary } => format!("linked, node `{primary}` primary"),
            Self::Broken => "no relationship on either node".to_owned(),
            Self::Half => "a relationship on one node only".to_owned(),
            Self::BothPrimary => "both nodes primary".to_owned(),
            Self::BothStandby => "both nodes standby".to_owned(),
            Self::Unknown => "roles not readable on both nodes".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Link;

    #[test]
    fn the_words_of_journals_stay() {
        assert_eq!(Link::Broken.describe(), "no relationship on either node");
        assert_eq!(Link::Half.describe(), "a relationship on one node only");
    }
}
