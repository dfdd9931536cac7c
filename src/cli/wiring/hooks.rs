//! Hooks: what delivers alerts and exports, and which document goes to which.

use std::sync::Arc;
use std::time::Duration;

use super::error::{WiringError, fail};
use crate::config::{Hook, HookTarget, Settings};
use crate::drivers::alert::program::ProgramHook;
use crate::drivers::alert::webhook::{self, Webhook};
use crate::engine::export::Exporter;
use crate::engine::fleet::NamedHooks;
use crate::engine::hooks::{Hooks, Route};
use crate::ports::{Journal, Notifier};

/// The hooks, ready to deliver, and which document goes to which.
pub struct WiredHooks {
    pub routes: Hooks,
    /// Alert hooks, for `alerts test`.
    pub alerts: NamedHooks,
    /// All hooks, for the outbox.
    pub all: NamedHooks,
}

pub fn hooks(settings: &Settings, journal: &Arc<dyn Journal>) -> Result<WiredHooks, WiringError> {
    let mut wired = WiredHooks { routes: Hooks::default(), alerts: Vec::new(), all: Vec::new() };
    for hook in &settings.alerts {
        let notifier = notifier(hook)?;
        wired.routes.alerts.push(Route { hook: hook.name.clone(), events: hook.events.clone() });
        wired.alerts.push((hook.name.clone(), notifier.clone()));
        wired.all.push((hook.name.clone(), notifier));
    }
    for hook in &settings.exports {
        wired.routes.exports.push(hook.name.clone());
        let exporter = Exporter { journal: journal.clone(), state: settings.state.clone(), hook: notifier(hook)? };
        wired.all.push((hook.name.clone(), Arc::new(exporter)));
    }
    Ok(wired)
}

pub(super) fn notifier(hook: &Hook) -> Result<Arc<dyn Notifier>, WiringError> {
    // The config refuses time-outs that are not positive.
    let timeout = Duration::try_from(hook.timeout).unwrap_or(Duration::from_secs(10));
    match &hook.target {
        HookTarget::Program { program } => Ok(Arc::new(ProgramHook::new(program.clone(), timeout))),
        HookTarget::Webhook { url, secret_file } => {
            let of = format!("webhook `{}`", hook.name);
            let secret = webhook::Secret::from_file(secret_file).map_err(|error| fail(&of, error))?;
            let settings = webhook::Settings { url: url.to_string(), secret, timeout };
            Ok(Arc::new(Webhook::new(settings).map_err(|error| fail(of, error))?))
        }
    }
}
