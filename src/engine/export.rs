//! The journal's export and the by-hand sheet, on their way to places off this host.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::domain::machine;
use crate::domain::sheet;
use crate::ports::{Journal, Notifier, OutboxItem};

use super::hooks::EXPORT;

/// Writes an export item out in full and hands it to the hook.
pub struct Exporter {
    pub journal: Arc<dyn Journal>,
    pub state: PathBuf,
    pub hook: Arc<dyn Notifier>,
}

impl Notifier for Exporter {
    fn deliver<'a>(&'a self, item: &'a OutboxItem) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let document = self.document(item)?;
            self.hook.deliver(&OutboxItem { document, ..item.clone() }).await
        })
    }
}

impl Exporter {
    /// The journal up to the item's record, and the sheet as it stood then.
    fn document(&self, item: &OutboxItem) -> Result<String, String> {
        let last: u64 = item.document.parse().map_err(|_| format!("export `{}` names no record", item.id))?;
        let mut records = self.journal.records(&item.run, 0).map_err(|error| error.to_string())?;
        records.retain(|record| record.seq <= last);
        let run = machine::replay(&records).map_err(|error| error.to_string())?;
        let document = serde_json::json!({
            "type": EXPORT,
            "timestamp": item.since,
            "data": { "id": item.id, "site": run.id.site, "run": run.id, "seq": last, "sheet": sheet::of_journal(&run, &self.state), "journal": records },
        });
        Ok(document.to_string())
    }
}
