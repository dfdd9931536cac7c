//! An appliance without a pair (BG-10): its update page, and a backup before.

use std::path::Path;

use futures_util::future::BoxFuture;

use super::console::Console;
use super::console::stop::Stop;
use super::health::Health;
use super::{BeyondTrust, download, private};
use crate::domain::single::{Offer, Page};
use crate::ports::{ActAnswer, PageError, ProducedFile, Updates};

impl BeyondTrust {
    fn pages(&self) -> Result<&Console, Stop> {
        let none = || Stop::Refused("it has no hands at the console; set `hands = \"console\"`".to_owned());
        self.console.as_ref().ok_or_else(none)
    }

    fn odd(&self, stop: &Stop) -> PageError {
        let what = self.named(stop);
        match stop {
            Stop::Surprise(_) | Stop::InDoubt(_) => PageError::Surprise(what),
            Stop::NotReached(_) => PageError::NotReached(what),
            Stop::Refused(_) => PageError::Refused(what),
        }
    }
}

impl Updates for BeyondTrust {
    fn updates(&self, ask: bool) -> BoxFuture<'_, Result<Page, PageError>> {
        Box::pin(async move {
            let page = async { self.pages()?.updates(ask).await };
            page.await.map_err(|stop| self.odd(&stop))
        })
    }

    fn back_up<'a>(&'a self, directory: &'a Path) -> BoxFuture<'a, Result<ProducedFile, String>> {
        Box::pin(async move {
            private::folder(directory).map_err(|error| format!("{} can't be made: {error}", directory.display()))?;
            let at = self.clock.now().strftime("%Y%m%dT%H%M%SZ").to_string();
            let stem = |health: &Health| format!("{}-{}-{at}", self.settings.site, health.version);
            let file = self.backup_of_one_box(directory, |health| download::free_stem(directory, &stem(health))).await;
            file.map_err(|error| self.named(&error))
        })
    }

    fn install<'a>(&'a self, offer: &'a Offer) -> BoxFuture<'a, ActAnswer> {
        Box::pin(async move {
            let pressed = async { self.pages()?.install(offer).await };
            let Err(stop) = pressed.await else { return ActAnswer::accepted() };
            let message = self.named(&stop);
            match stop {
                Stop::Surprise(_) => ActAnswer::ByOperator { instructions: vec![message] },
                Stop::NotReached(_) => ActAnswer::Transient { message },
                Stop::Refused(_) => ActAnswer::Refused { message },
                Stop::InDoubt(_) => ActAnswer::Ambiguous { message },
            }
        })
    }
}
