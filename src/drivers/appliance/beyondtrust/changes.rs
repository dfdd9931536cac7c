//! What a box's health tells of events after which its accounts may be others: a sync, a break, an establish, an update.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::health::Health;
use crate::domain::site::Role;

/// A pair syncs by itself every few minutes: for that alone a new token is fetched this often at most, since each one pushes out
/// the oldest of the 30 that the box keeps for an account.
const BETWEEN_SYNCS: SignedDuration = SignedDuration::from_mins(10);

/// What the last reading showed.
#[derive(Default)]
pub struct Changes(Mutex<Option<Last>>);

struct Last {
    role: Role,
    version: (String, Option<String>),
    sync: Option<Timestamp>,
    /// When a change was last told.
    told: Timestamp,
}

impl Changes {
    /// True if since the last reading something has happened that may have changed the accounts.
    pub fn seen(&self, health: &Health, now: Timestamp) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let version = (health.version.to_string(), health.build.clone());
        let sync = health.last_sync.as_ref().map(|sync| sync.at);
        let Some(last) = &mut *kept else {
            *kept = Some(Last { role: health.role, version, sync, told: now });
            return false;
        };
        let changed = last.role != health.role || last.version != version;
        let synced = last.sync != sync && now.duration_since(last.told) >= BETWEEN_SYNCS;
        if changed || synced {
            *last = Last { role: health.role, version, sync, told: now };
        }
        changed || synced
    }
}

#[cfg(test)]
mod tests {
    use super::super::health::health;
    use super::*;

    fn shown(role: &str, version: &str, sync: i64) -> Health {
        let text = format!(
            "<health_check><appliance id=\"4fa1c6e27d0b4b1e9a3c58d2e6f70a11\">a</appliance><version>{version} (5)</version>\
             <success>1</success><failover_role>{role}</failover_role><last_data_sync_time ts=\"{sync}\"/></health_check>"
        );
        health(text.as_bytes()).unwrap()
    }

    #[test]
    fn accounts_are_looked_at_anew_after_every_event_that_may_change_them() {
        let changes = Changes::default();
        for (minute, (role, version, sync), told) in [
            (0, ("primary", "24.1.1", 1), false),
            (1, ("primary", "24.1.1", 1), false),
            (2, ("none", "24.1.1", 1), true),
            (3, ("none", "24.2.1", 1), true),
            (4, ("primary", "24.2.1", 1), true),
            (5, ("primary", "24.2.1", 2), false),
            (14, ("primary", "24.2.1", 3), true),
            (20, ("primary", "24.2.1", 4), false),
            (30, ("primary", "24.2.1", 4), true),
            (60, ("primary", "24.2.1", 4), false),
        ] {
            let now = Timestamp::from_second(1_790_000_000 + minute * 60).unwrap();
            assert_eq!(changes.seen(&shown(role, version, sync), now), told, "minute {minute}");
        }
    }
}
