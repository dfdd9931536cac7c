//! Traffic behind a program: `look`, `switch`, `lower_ttl` and `restore_ttl`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::ids::{NodeId, PerNode};
use crate::domain::site::{TrafficAnswer, TrafficLook};
use crate::drivers::program::answer::{Nothing, Reply};
use crate::drivers::program::{Call, Programs};
use crate::ports::{Access, ActAnswer, Clock, Intent, ReadError, Recall, Traffic, TrafficReader, TtlChange, TtlWay};

/// More servers than any zone has.
const MOST_ANSWERS: usize = 64;

/// Texts go into records and onto screens.
const MOST_TEXT: usize = 256;

/// What this driver needs to know of a traffic entry.
#[derive(Clone, Debug)]
pub struct Settings {
    pub site: String,
    /// The entry's place in the site's `[[traffic]]` list, from 0: entries of one site run beside each other.
    pub entry: usize,
    /// The program and its leading arguments; the verb is appended.
    pub program: Vec<String>,
    /// The name that users and clients use, for instructions.
    pub service: String,
    /// Where the service's name points while a node serves, for instructions.
    pub addresses: PerNode<IpAddr>,
    /// How long `look` may take, machine time.
    pub read_limit: Duration,
}

/// One traffic entry behind a program.
pub struct ExecTraffic {
    settings: Settings,
    programs: Arc<Programs>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Deserialize)]
struct Look {
    answers: Vec<Answer>,
    serving_identity: Option<String>,
}

/// What `lower_ttl` answers. The run remembers what `look` showed before, which it has recorded; this only must be a number.
#[derive(Debug, Deserialize)]
struct Before {
    before: u32,
}

#[derive(Debug, Deserialize)]
struct Answer {
    server: String,
    name: String,
    target: Option<NodeId>,
    ttl: Option<u32>,
}

impl ExecTraffic {
    /// `programs` is the one that all exec drivers of the process share.
    pub fn new(settings: Settings, programs: Arc<Programs>, clock: Arc<dyn Clock>) -> Self {
        Self { settings, programs, clock }
    }

    /// Never a node's slot: those end in a letter.
    fn slot(&self) -> String {
        format!("{}-traffic-{}", self.settings.site, self.settings.entry)
    }

    fn who(&self, verb: &str) -> String {
        format!("traffic of site `{}` ({}): `{verb}`", self.settings.site, self.name())
    }

    fn call(&self, verb: &str, input: &Value) -> Call {
        let (slot, program) = (self.slot(), self.settings.program.clone());
        Call { slot, program, verb: verb.to_owned(), input: input.to_string().into_bytes() }
    }

    async fn read(&self) -> Result<TrafficLook, ReadError> {
        let input = json!({ "site": self.settings.site });
        let (_, result) = self.programs.read(self.call("look", &input), self.settings.read_limit).await;
        let who = self.who("look");
        let look: Look = Reply::of(&who, result).into_reading(&who)?;
        look.check().map_err(|why| ReadError::Transient(format!("{who}: {why}")))?;
        let answers = look.answers.into_iter().map(Answer::into_domain).collect();
        Ok(TrafficLook { serving_identity: look.serving_identity, ..TrafficLook::new(self.clock.now(), answers) })
    }

    async fn perform(&self, intent: &Intent, from: NodeId, to: NodeId) -> ActAnswer {
        let input = self.input(intent, json!({ "from": from, "to": to }));
        let result = self.programs.act(self.call("switch", &input), intent).await;
        let reply: Reply<Nothing> = Reply::of(&self.who("switch"), result);
        reply.into_answer(|Nothing {}| ActAnswer::accepted(), || self.instructions(from, to))
    }

    async fn change_ttl(&self, intent: &Intent, change: &TtlChange) -> ActAnswer {
        let verb = change.verb();
        let input = self.input(intent, json!({ "ttl": change.longest(), "names": change.names }));
        let result = self.programs.act(self.call(verb, &input), intent).await;
        let who = self.who(verb);
        let by_hand = || self.ttl_instructions(change);
        match change.way {
            TtlWay::Lower => Reply::of(&who, result).into_answer(
                |Before { before }| {
                    tracing::info!(before, "{who}: the TTL that it replaced");
                    ActAnswer::accepted()
                },
                by_hand,
            ),
            TtlWay::Restore => Reply::of(&who, result).into_answer(|Nothing {}| ActAnswer::accepted(), by_hand),
        }
    }

    /// What every verb that acts gets, with what this one gets beside.
    fn input(&self, intent: &Intent, more: Value) -> Value {
        let mut input = json!({
            "site": self.settings.site, "run": intent.run, "step": intent.step, "attempt": intent.attempt, "intent": intent.key,
        });
        if let (Some(input), Value::Object(more)) = (input.as_object_mut(), more) {
            input.extend(more);
        }
        input
    }

    fn ttl_instructions(&self, change: &TtlChange) -> Vec<String> {
        let site = &self.settings.site;
        let each = change.names.iter().map(|(name, ttl)| format!("Set the TTL of `{name}` to {ttl} s; leave where it leads."));
        let head = format!("Site `{site}`: at {}, which has no `{}`:", self.name(), change.verb());
        let last = "Nothing need be reported: the run goes on by itself once `look` shows it for every server.".to_owned();
        std::iter::once(head).chain(each).chain([last]).collect()
    }

    fn instructions(&self, from: NodeId, to: NodeId) -> Vec<String> {
        let Settings { site, service, addresses, .. } = &self.settings;
        vec![
            format!("Site `{site}`: check first that `{service}` still leads to node `{from}` at {}.", addresses[from]),
            format!("Change `{service}` so that it leads to node `{to}` at {} and nowhere else.", addresses[to]),
            "Nothing need be reported: the run goes on by itself once every entry is seen to lead there.".to_owned(),
        ]
    }
}

impl Look {
    fn check(&self) -> Result<(), String> {
        if self.answers.len() > MOST_ANSWERS {
            return Err(format!("{} answers, expected at most {MOST_ANSWERS}", self.answers.len()));
        }
        let mut texts = self.answers.iter().flat_map(|answer| [&answer.server, &answer.name]).chain(&self.serving_identity);
        match texts.find(|text| text.len() > MOST_TEXT) {
            Some(text) => Err(format!("a text of {} bytes, expected at most {MOST_TEXT}", text.len())),
            None => Ok(()),
        }
    }
}

impl Answer {
    fn into_domain(self) -> TrafficAnswer {
        let found = self.target.map_or_else(|| "no node of the site".to_owned(), |node| format!("node {node}"));
        TrafficAnswer { server: self.server, name: self.name, target: self.target, ttl: self.ttl, found, untold: false }
    }
}

impl TrafficReader for ExecTraffic {
    fn look(&self) -> BoxFuture<'_, Result<TrafficLook, ReadError>> {
        self.read().boxed()
    }

    /// None: once `recall` has returned nothing of the switch is on its way on our side.
    fn settling_time(&self) -> SignedDuration {
        SignedDuration::ZERO
    }

    fn name(&self) -> String {
        format!("exec {}", self.settings.program.join(" "))
    }
}

impl Traffic for ExecTraffic {
    fn switch<'a>(&'a self, intent: &'a Intent, from: NodeId, to: NodeId) -> BoxFuture<'a, ActAnswer> {
        self.perform(intent, from, to).boxed()
    }

    fn set_ttl<'a>(&'a self, intent: &'a Intent, change: &'a TtlChange) -> BoxFuture<'a, ActAnswer> {
        self.change_ttl(intent, change).boxed()
    }

    /// Programs have no verb for it.
    fn prove_access(&self) -> BoxFuture<'_, Access> {
        let why = "a program has no word for a change that alters nothing; try it by hand, as the account that runs the daemon";
        std::future::ready(Access::Untold { why: why.to_owned() }).boxed()
    }

    fn recall<'a>(&'a self, intent: &'a Intent) -> BoxFuture<'a, Recall> {
        async move { self.programs.recall(&self.slot(), intent).await }.boxed()
    }
}
