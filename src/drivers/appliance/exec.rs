//! Nodes behind a program: the verbs of `docs/reference/exec.md`, one program run each.

mod acts;
mod files;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod reading;
mod settings;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::domain::ids::NodeId;
use crate::domain::listing::Told;
use crate::domain::site::{Hands, Observation};
use crate::drivers::program::answer::{Nothing, Reply};
use crate::drivers::program::{Call, Programs};
use crate::ports::{ActAnswer, Appliance, Clock, Intent, NodeAct, ProducedFile, ReadError, Reader, Recall};

/// How long `observe` may take, machine time, where the wiring has no better figure. Long enough for a program that logs in to
/// an appliance over a slow link, short against `policy.max_silence` (5 min).
pub const READ_LIMIT: Duration = Duration::from_secs(30);

/// As [`READ_LIMIT`], for `settings`: a listing of a large site is some hundred calls.
const LIST_LIMIT: Duration = Duration::from_secs(300);

/// What this driver needs to know of a node.
#[derive(Clone, Debug)]
pub struct Settings {
    pub site: String,
    pub node: NodeId,
    /// The program and its leading arguments; the verb is appended.
    pub program: Vec<String>,
    /// What `observe` must answer (R13); handed to the program, judged by the rules.
    pub identity: String,
    /// Its own address, for what a person is told.
    pub address: IpAddr,
    /// Machine time; [`READ_LIMIT`].
    pub read_limit: Duration,
}

/// One node behind a program.
pub struct Exec {
    settings: Settings,
    programs: Arc<Programs>,
    clock: Arc<dyn Clock>,
}

impl Exec {
    /// `programs` is the one that all exec drivers of the process share.
    pub fn new(settings: Settings, programs: Arc<Programs>, clock: Arc<dyn Clock>) -> Self {
        Self { settings, programs, clock }
    }

    /// The name of what runs one program at a time, and of its trace's file.
    fn slot(&self) -> String {
        format!("{}-{}", self.settings.site, self.settings.node)
    }

    fn who(&self, verb: &str) -> String {
        format!("node `{}` of site `{}`: `{verb}`", self.settings.node, self.settings.site)
    }

    fn call(&self, verb: &str, input: &Value) -> Call {
        let (slot, program) = (self.slot(), self.settings.program.clone());
        Call { slot, program, verb: verb.to_owned(), input: input.to_string().into_bytes() }
    }

    async fn read(&self) -> Result<Observation, ReadError> {
        let Settings { site, node, identity, read_limit, .. } = &self.settings;
        let input = json!({ "site": site, "node": node, "expect_identity": identity });
        let (began, result) = self.programs.read(self.call("observe", &input), *read_limit).await;
        let who = self.who("observe");
        let reading: reading::Reading = Reply::of(&who, result).into_reading(&who)?;
        reading.into_observation(began, self.clock.now()).map_err(|why| ReadError::Transient(format!("{who}: {why}")))
    }

    /// A program need not know this verb: what it does not tell is no fault of the set-up.
    async fn list(&self) -> Result<Told, ReadError> {
        let Settings { site, node, identity, .. } = &self.settings;
        let input = json!({ "site": site, "node": node, "expect_identity": identity });
        let (_, result) = self.programs.read(self.call("settings", &input), LIST_LIMIT).await;
        let who = self.who("settings");
        match Reply::<settings::Listed>::of(&who, result) {
            Reply::UnknownVerb => Ok(Told::Nothing { why: "its program does not know the verb `settings`".to_owned() }),
            Reply::Refused(why) => Ok(Told::Nothing { why }),
            other => other.into_reading(&who)?.told().map_err(|why| ReadError::Transient(format!("{who}: {why}"))),
        }
    }

    async fn perform(&self, intent: &Intent, act: &NodeAct) -> ActAnswer {
        if let Some(directory) = directory_of(act)
            && let Err(error) = files::make_directory(directory).await
        {
            let (who, path) = (self.who(act.verb()), directory.display());
            return ActAnswer::Transient {
                message: format!("{who}: the folder `{path}` can't be made: {error}; nothing was sent"),
            };
        }
        match act {
            NodeAct::Backup { directory } => self.backup(intent, act, directory).await,
            NodeAct::ExtractData { directory, .. } => self.extract(intent, act, directory).await,
            _ => {
                let reply: Reply<Nothing> = self.ask(intent, act).await;
                reply.into_answer(|Nothing {}| ActAnswer::accepted(), || self.instructions(intent, act))
            }
        }
    }

    async fn backup(&self, intent: &Intent, act: &NodeAct, directory: &Path) -> ActAnswer {
        match self.ask::<acts::BackupReply>(intent, act).await {
            Reply::Accepted(reply) => match files::verify(directory, &reply.path).await.and_then(|file| reply.check(file)) {
                Ok(file) => ActAnswer::with_files(vec![file], None),
                Err(why) => ActAnswer::Ambiguous { message: format!("{}: {why}", self.who(act.verb())) },
            },
            other => other.into_answer(|_| ActAnswer::accepted(), || self.instructions(intent, act)),
        }
    }

    async fn extract(&self, intent: &Intent, act: &NodeAct, directory: &Path) -> ActAnswer {
        let reply = match self.ask::<acts::ExtractReply>(intent, act).await {
            Reply::Accepted(reply) => reply,
            other => return other.into_answer(|_| ActAnswer::accepted(), || self.instructions(intent, act)),
        };
        let says = |why: String| format!("{}: {why}", self.who(act.verb()));
        // No doubt: asked again, it would tell of as many.
        if let Err(why) = reply.fits(directory) {
            return ActAnswer::Refused { message: says(why) };
        }
        match verify_all(directory, &reply).await {
            Ok(files) => ActAnswer::with_files(files, Some(reply.records)),
            Err(why) => ActAnswer::Ambiguous { message: says(why) },
        }
    }

    async fn ask<T: serde::de::DeserializeOwned>(&self, intent: &Intent, act: &NodeAct) -> Reply<T> {
        let Settings { node, identity, .. } = &self.settings;
        let input = acts::input(intent, *node, identity, act);
        Reply::of(&self.who(act.verb()), self.programs.act(self.call(act.verb(), &input), intent).await)
    }

    fn instructions(&self, intent: &Intent, act: &NodeAct) -> Vec<String> {
        acts::instructions(&self.settings, &intent.run, act)
    }
}

impl Reader for Exec {
    fn observe(&self) -> BoxFuture<'_, Result<Observation, ReadError>> {
        self.read().boxed()
    }

    fn settings(&self) -> BoxFuture<'_, Result<Told, ReadError>> {
        self.list().boxed()
    }

    fn hands(&self) -> Hands {
        Hands::Program { program: self.settings.program.clone() }
    }

    /// Each reading carries its own age.
    fn cache_time(&self) -> SignedDuration {
        SignedDuration::ZERO
    }
}

impl Appliance for Exec {
    fn act<'a>(&'a self, intent: &'a Intent, act: &'a NodeAct) -> BoxFuture<'a, ActAnswer> {
        self.perform(intent, act).boxed()
    }

    fn recall<'a>(&'a self, intent: &'a Intent) -> BoxFuture<'a, Recall> {
        async move { self.programs.recall(&self.slot(), intent).await }.boxed()
    }
}

fn directory_of(act: &NodeAct) -> Option<&Path> {
    match act {
        NodeAct::Backup { directory } | NodeAct::ExtractData { directory, .. } => Some(directory),
        _ => None,
    }
}

/// R9: the records that it speaks of must be in files that were read here.
async fn verify_all(directory: &Path, reply: &acts::ExtractReply) -> Result<Vec<ProducedFile>, String> {
    let paths = &reply.files;
    if paths.is_empty() && reply.records > 0 {
        return Err(format!("it told of {} records and named no file; nothing of them was found here", reply.records));
    }
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        files.push(files::verify(directory, path).await?);
    }
    Ok(files)
}
