//! Which hook gets which document: routing only, delivery is the outbox's.

use jiff::{SignedDuration, Timestamp};

use crate::domain::alert::Alert;
use crate::domain::ids::RunId;
use crate::domain::run::Run;
use crate::ports::OutboxItem;

/// The event name under which the journal's export and the by-hand sheet travel.
pub const EXPORT: &str = "export";

/// A hook and the alerts it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub hook: String,
    /// Alert names, or `*`.
    pub events: Vec<String>,
}

/// All hooks of the config.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    pub alerts: Vec<Route>,
    /// Hooks that get the journal's export and the by-hand sheet.
    pub exports: Vec<String>,
}

impl Hooks {
    /// One item for each alert and each hook that wants it. The items of one record are due a nanosecond apart, so that they
    /// arrive in their order (`sync_failed`, then `held`), also after a restart.
    pub fn alerts(&self, run: &RunId, alerts: &[Alert]) -> Vec<OutboxItem> {
        let wanted = |alert: &Alert, route: &&Route| route.events.iter().any(|event| event == "*" || event == alert.kind);
        let items = alerts.iter().zip(0_i64..).flat_map(|(alert, place)| {
            self.alerts.iter().filter(move |route| wanted(alert, route)).map(move |route| {
                // Plain data: it cannot fail to serialize.
                let document = serde_json::to_string(alert).unwrap_or_default();
                let due = alert.timestamp + SignedDuration::from_nanos(place);
                item(run, &alert.data.id, &route.hook, alert.kind, document, due)
            })
        });
        items.collect()
    }

    /// One item for each place off this host. The document only names the record: [`super::export`] writes it out when it is delivered.
    pub fn exports(&self, run: &Run, at: Timestamp) -> Vec<OutboxItem> {
        let id = format!("{}/{}/{EXPORT}", run.id, run.seq);
        self.exports.iter().map(|hook| item(&run.id, &id, hook, EXPORT, run.seq.to_string(), at)).collect()
    }
}

fn item(run: &RunId, id: &str, hook: &str, event: &str, document: String, at: Timestamp) -> OutboxItem {
    let (id, hook, event) = (id.to_owned(), hook.to_owned(), event.to_owned());
    OutboxItem { id, hook, event, document, run: run.clone(), since: at, attempts: 0, next_at: at }
}
