//! The driver's readings: what `reader` reads of the box and `front` of its name, as the port has it; and the long lists.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use super::answer::{self, CallError};
use super::health::Health;
use super::reader::CACHE_TIME;
use super::{BeyondTrust, configuration, credentials};
use crate::domain::jump_clients::JumpClients;
use crate::domain::listing::Told;
use crate::domain::site::{Hands, Observation};
use crate::ports::{ReadError, Reader};

/// For a list of all settings, some hundred short calls.
const LISTING_TIME: SignedDuration = SignedDuration::from_mins(10);
/// For all pages of Jump Clients together: 50 calls for 5,000 of them take some ten seconds at the pace of the interface.
const LONGEST_COUNT: Duration = Duration::from_secs(120);

impl BeyondTrust {
    /// R13: the lists of the configuration API don't show which box gave them, so the GUID is read directly before.
    async fn check_box(&self) -> Result<Health, CallError> {
        let health = self.reader.health().await?;
        let (found, expected) = (&health.identity, &self.settings.identity);
        if found == expected {
            return Ok(health);
        }
        Err(CallError::Unusable(format!("expected the box with GUID {expected}, found {found}; nothing was asked of it (R13)")))
    }

    /// The settings over the configuration API. Its answers carry no identity, so that is read first, at the same address.
    async fn list(&self) -> Result<Told, CallError> {
        self.check_box().await?;
        // A list can wait for its turn, but the look that asks for it must end.
        let end = self.clock.now().checked_add(LISTING_TIME).unwrap_or(Timestamp::MAX);
        let listing = tokio::select! {
            listing = self.reader.listing() => listing,
            () = self.clock.sleep_until(end) => {
                let limit = format!("the list was not there within {LISTING_TIME:#}, waits for the account's budget included");
                Err(CallError::Unavailable(limit))
            }
        };
        let by_user = self.settings.credentials.login == credentials::Login::Password;
        match listing {
            Ok(Some(listing)) => Ok(Told::Listing(listing)),
            // No right, another product: it will not be told later either.
            Ok(None) => Ok(Told::Nothing { why: "the box offers none of the lists that are asked for".to_owned() }),
            Err(error @ CallError::Denied(_)) => Ok(Told::Nothing { why: error.to_string() }),
            // The configuration API never knew this login.
            Err(error @ CallError::Unusable(_)) if by_user => Ok(Told::Nothing { why: error.to_string() }),
            // Another form, an error in its place: somebody has to know.
            Err(error @ CallError::Unusable(_)) => Ok(Told::Unread { why: error.to_string() }),
            Err(error) => Err(error),
        }
    }

    /// R13: as for [`Self::list`].
    async fn count(&self) -> Result<JumpClients, CallError> {
        self.check_box().await?;
        match configuration::jump_clients(&self.api).await {
            Err(error @ (CallError::Denied(_) | CallError::Unusable(_))) => Ok(JumpClients::Untold { why: error.to_string() }),
            other => other,
        }
    }

    fn not_read(&self, error: &CallError) -> ReadError {
        match error {
            CallError::Denied(_) => ReadError::Denied(self.named(error)),
            _ => ReadError::Transient(self.named(error)),
        }
    }
}

impl Reader for BeyondTrust {
    fn observe(&self) -> BoxFuture<'_, Result<Observation, ReadError>> {
        Box::pin(async { self.reader.read().await.map_err(|error| self.not_read(&error)) })
    }

    fn settings(&self) -> BoxFuture<'_, Result<Told, ReadError>> {
        Box::pin(async move { self.list().await.map_err(|error| self.not_read(&error)) })
    }

    fn who_answers(&self, at: Option<IpAddr>) -> BoxFuture<'_, Option<String>> {
        Box::pin(self.front.who_answers(at.unwrap_or(self.settings.address)))
    }

    fn shared_ips(&self) -> BoxFuture<'_, Result<Option<Vec<IpAddr>>, ReadError>> {
        Box::pin(async {
            let health = self.reader.facts().await.map_err(|error| ReadError::Transient(self.named(&error)))?;
            if health.identity != self.settings.identity {
                return Err(ReadError::Transient(format!("another box answers at node `{}`", self.settings.node)));
            }
            Ok(Some(health.shared_ips))
        })
    }

    fn access_may_have_changed(&self, by_person: bool) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match by_person {
                true => self.api.access.reopen().await,
                false => self.api.access.retest().await,
            }
            self.front.forget();
        })
    }

    fn jump_clients(&self) -> BoxFuture<'_, Result<JumpClients, ReadError>> {
        Box::pin(async move {
            let counted = answer::within(LONGEST_COUNT, "no whole list of Jump Clients", self.count()).await;
            counted.map_err(|error| self.not_read(&error))
        })
    }

    fn hands(&self) -> Hands {
        Hands::Console { url: self.settings.url.to_string(), driven: self.console.is_some() }
    }

    fn cache_time(&self) -> SignedDuration {
        CACHE_TIME
    }
}
