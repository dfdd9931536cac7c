//! The driver's acts: over an interface where there is one, else at the vendor's pages, else by a person; and what an act's end
//! means for the run.

use std::path::Path;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::answer::CallError;
use super::console::Outcome;
use super::extraction::{self, Extraction, Order};
use super::health::Health;
use super::manifest::Source;
use super::pinned::Pinned;
use super::settings::Settings;
use super::{BeyondTrust, backup, download, instructions, terminate};
use crate::domain::action::Kind;
use crate::domain::console::People;
use crate::domain::limit;
use crate::ports::{ActAnswer, Appliance, Intent, NodeAct, ProducedFile, Recall};

impl BeyondTrust {
    /// Does what has an interface, within the act's limit in run time; the rest is told to a person.
    async fn do_act(&self, intent: &Intent, act: &NodeAct) -> Result<ActAnswer, CallError> {
        match act {
            NodeAct::Backup { directory } => self.in_time(intent, self.backup(intent, directory)).await,
            NodeAct::ExtractData { since, until, directory } => {
                self.in_time(intent, self.extract(intent, *since, *until, directory)).await
            }
            NodeAct::EndSessions => self.in_time(intent, self.end_sessions()).await,
            NodeAct::Drain { .. } | NodeAct::Quiesce => Ok(self.by_operator(intent, act, self.counts().await)),
            _ => Ok(self.at_the_pages(intent, act).await),
        }
    }

    /// By the console, or by a person who is told what the pages showed instead.
    async fn at_the_pages(&self, intent: &Intent, act: &NodeAct) -> ActAnswer {
        let outcome = match &self.console {
            Some(console) => console.act(intent, act, &*self.clock).await,
            None => None,
        };
        let said = |what: String| format!("{}: {}", act.verb(), self.named(&what));
        match outcome {
            None => self.by_operator(intent, act, People::default()),
            Some(Outcome::Pressed) => ActAnswer::accepted(),
            Some(Outcome::Refused(what)) => ActAnswer::Refused { message: said(what) },
            Some(Outcome::NotReached(what)) => ActAnswer::Transient { message: said(what) },
            Some(Outcome::InDoubt(what)) => ActAnswer::Ambiguous { message: said(what) },
            Some(Outcome::ByOperator(what)) => {
                let Settings { site, node, .. } = &*self.settings;
                tracing::warn!(%site, %node, act = act.verb(), found = %what, "the pages are left to a person");
                let mut answer = self.by_operator(intent, act, People::default());
                if let ActAnswer::ByOperator { instructions } = &mut answer {
                    instructions
                        .push(format!("{}. The daemon went to the pages itself and gave up: {what}.", instructions.len() + 1));
                }
                answer
            }
        }
    }

    fn by_operator(&self, intent: &Intent, act: &NodeAct, people: People) -> ActAnswer {
        let instructions = instructions::lines(&self.settings, &intent.run, act, people).unwrap_or_default();
        ActAnswer::ByOperator { instructions }
    }

    /// For the counts in an instruction; the instruction is given also without them.
    async fn counts(&self) -> People {
        let people = self.reader.people().await;
        people.map(|people| People { users: Some(people.users), sessions: people.sessions }).unwrap_or_default()
    }

    async fn backup(&self, intent: &Intent, directory: &Path) -> Result<ActAnswer, CallError> {
        let file = self.backup_of_one_box(directory, |_| self.stem(intent, directory)).await?;
        Ok(ActAnswer::with_files(vec![file], None))
    }

    /// R13: the box is asked who it is before, and again before the file is kept.
    pub(super) async fn backup_of_one_box(
        &self,
        directory: &Path,
        stem: impl FnOnce(&Health) -> String + Send,
    ) -> Result<ProducedFile, CallError> {
        let pinned = Pinned::new(&self.settings, &self.api).await?;
        let stem = stem(&pinned.check().await?);
        let file = backup::backup(&pinned.api, directory, &stem, self.settings.backup_password.as_ref()).await?;
        pinned.check().await?;
        file.keep()
    }

    async fn extract(
        &self,
        intent: &Intent,
        since: Timestamp,
        until: Timestamp,
        directory: &Path,
    ) -> Result<ActAnswer, CallError> {
        let pinned = Pinned::new(&self.settings, &self.api).await?;
        let health = pinned.check().await?;
        let Settings { site, node, product, recordings, .. } = &*self.settings;
        let source = Source {
            site: site.clone(),
            node: node.to_string(),
            run: intent.run.to_string(),
            identity: health.identity.clone(),
            version: health.version.to_string(),
            build: health.build.clone(),
        };
        let (api, clock, product, recordings) = (&pinned.api, &*self.clock, *product, *recordings);
        let order = Order { api, clock, product, recordings, since, until, directory, source };
        let fetched = extraction::extract(&order).await?;
        if let Err(error) = pinned.is_still(&health).await {
            // What another box may have answered is of no use to the next attempt either.
            return Err(if matches!(error, CallError::Unusable(_)) { fetched.disown(error) } else { error });
        }
        let Extraction { files, sessions, bytes, missing } = fetched.complete().await?;
        Ok(ActAnswer::Accepted { files, records: Some(sessions), bytes: Some(bytes), missing })
    }

    async fn end_sessions(&self) -> Result<ActAnswer, CallError> {
        let pinned = Pinned::new(&self.settings, &self.api).await?;
        let health = pinned.check().await?;
        let by_v2 = self.reader.ends_sessions_by_v2(&health).await?;
        let ended = terminate::end_sessions(&pinned.api, self.settings.product, self.clock.now(), by_v2).await?;
        tracing::info!(site = %self.settings.site, node = %self.settings.node, ended, "sessions were ended");
        Ok(ActAnswer::accepted())
    }

    fn stem(&self, intent: &Intent, directory: &Path) -> String {
        let Settings { site, node, .. } = &*self.settings;
        download::free_stem(directory, &format!("{site}-{node}-{}-{}", intent.run, self.clock.now().strftime("%Y%m%dT%H%M%SZ")))
    }

    async fn in_time(
        &self,
        intent: &Intent,
        act: impl Future<Output = Result<ActAnswer, CallError>>,
    ) -> Result<ActAnswer, CallError> {
        let end = self.clock.now().checked_add(intent.limit).unwrap_or(Timestamp::MAX);
        tokio::select! {
            answer = act => answer,
            () = self.clock.sleep_until(end) => Err(CallError::Lost(format!("not done within {}", limit_told(intent)))),
        }
    }
}

impl Appliance for BeyondTrust {
    fn act<'a>(&'a self, intent: &'a Intent, act: &'a NodeAct) -> BoxFuture<'a, ActAnswer> {
        Box::pin(async move {
            let error = match self.do_act(intent, act).await {
                Ok(answer) => return answer,
                Err(error) => error,
            };
            let message = format!("{}: {}", act.verb(), self.named(&error));
            match error {
                CallError::NotReached(_) | CallError::Unavailable(_) | CallError::Limited(_) => ActAnswer::Transient { message },
                CallError::Lost(_) => ActAnswer::Ambiguous { message },
                CallError::Denied(_) | CallError::Unusable(_) | CallError::Local(_) => ActAnswer::Refused { message },
            }
        })
    }

    fn recall<'a>(&'a self, intent: &'a Intent) -> BoxFuture<'a, Recall> {
        // Nothing of a call outlives the process. What a person does is not sent by us; the readings show it.
        Box::pin(async move {
            match (intent.step.split('.').nth(1), &self.console) {
                (Some("backup" | "extract_data"), _) => Recall::MayBeSent,
                (_, Some(console)) => console.recall(intent).await,
                (_, None) => Recall::NeverSent,
            }
        })
    }
}

/// The limit of the step that an intent belongs to, in words.
fn limit_told(intent: &Intent) -> String {
    let kind = intent.step.split('.').nth(1).and_then(|action| action.parse::<Kind>().ok());
    kind.map_or_else(|| format!("{:#}", intent.limit), |kind| limit::of(kind, intent.limit))
}
