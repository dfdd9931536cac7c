//! What drivers share.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Accounts, Settings};
use crate::drivers::appliance::beyondtrust;
use crate::drivers::program::Programs;
use crate::ports::Clock;

/// What drivers share.
pub struct Shared {
    pub clock: Arc<dyn Clock>,
    pub programs: Arc<Programs>,
    /// Where acts at the vendor's pages leave their traces.
    pub traces: PathBuf,
    /// One budget for each API account, whatever sites and nodes name it.
    pub accounts: Arc<beyondtrust::Accounts>,
}

impl Shared {
    pub fn new(settings: &Settings, clock: Arc<dyn Clock>) -> Self {
        let Accounts { calls_per_second, calls_per_hour } = settings.accounts;
        let share = beyondtrust::Share { per_second: calls_per_second, per_hour: calls_per_hour };
        let accounts = Arc::new(beyondtrust::Accounts::new(share, clock.clone()));
        let programs = Arc::new(Programs::new(settings.state.join("exec"), clock.clone()));
        Self { clock, programs, accounts, traces: settings.state.join("console") }
    }
}
