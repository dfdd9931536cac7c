//! How much room a plan's files are likely to take.

use serde::{Deserialize, Serialize};

/// How large a node's last files were, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extract: Option<u64>,
}
