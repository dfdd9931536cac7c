//! Whoever closes the node.

use std::time::Duration;

/// When the node is closed, after the daemon came up on the machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    /// Within seconds.
    AtOnce,
    /// When two readings have shown, a minute and more apart, how the node is.
    Later,
    /// As late, and says that it is closed.
    Says,
}

impl Person {
    pub const ALL: [Self; 3] = [Self::AtOnce, Self::Later, Self::Says];

    /// How long it takes from when it could be closed.
    pub fn hesitates(self, random: &mut fastrand::Rng) -> Duration {
        // Fifteen seconds more or less: a wait between two looks is as long, and any moment in it is as likely as another.
        let least = match self {
            Self::AtOnce => Duration::from_secs(2),
            Self::Later | Self::Says => Duration::from_secs(80),
        };
        least + Duration::from_secs_f64(15.0 * random.f64())
    }
}
