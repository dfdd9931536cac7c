//! The fleet's part in alerts: the document of a test, and what becomes of one that was given up.

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::domain::event::Event;
use crate::domain::ids::RunId;
use crate::engine::outbox::Undelivered;
use crate::engine::recorder::Recorder;
use crate::engine::runner::Message;
use crate::ports::OutboxItem;

use super::Fleet;

/// The document of `alerts test`: of the form of every alert, and plainly a test.
fn test_item(hook: &str, now: Timestamp) -> OutboxItem {
    let id = format!("test/{}/test", now.as_second());
    let data = serde_json::json!({ "id": id, "severity": "info", "code": "test", "summary": "a test of this hook; nothing happened", "seq": 0 });
    let document = serde_json::json!({ "type": "test", "timestamp": now, "data": data }).to_string();
    let run = RunId { site: "test".to_owned(), number: 1 };
    OutboxItem { id, hook: hook.to_owned(), event: "test".to_owned(), document, run, since: now, attempts: 0, next_at: now }
}

impl Fleet {
    /// Sends a test over each hook, one after the other.
    pub(super) async fn try_hooks(&self) -> Vec<(String, Result<(), String>)> {
        let now = self.around.clock.now();
        let mut outcomes = Vec::with_capacity(self.hooks.len());
        for (name, hook) in &self.hooks {
            outcomes.push((name.clone(), hook.deliver(&test_item(name, now)).await));
        }
        outcomes
    }
}

impl Undelivered for Fleet {
    /// Into the run's own journal: through its loop, or directly where it has ended.
    fn on_undelivered<'a>(&'a self, item: &'a OutboxItem, why: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let event = Box::new(Event::Undelivered { id: item.id.clone(), hook: item.hook.clone(), message: why.to_owned() });
            let kept = self.lock().get(&item.run).map(|kept| (kept.inbox.clone(), kept.publish.clone()));
            let Some((inbox, publish)) = kept else {
                tracing::error!(run = %item.run, id = item.id, hook = item.hook, "an alert was given up after its last try: {why}");
                return;
            };
            let (recorded, wait) = oneshot::channel();
            if inbox.unbounded_send(Message::Undelivered { event: event.clone(), recorded }).is_ok() && wait.await.is_ok() {
                return;
            }
            let _one_at_a_time = self.afterwards.lock().await;
            let mut recorder = Recorder::new(self.around.clone(), publish);
            if let Err(error) = recorder.record(&event, "an alert was given up after its last try", "daemon").await {
                tracing::error!(run = %item.run, "{error}");
            }
        })
    }
}
