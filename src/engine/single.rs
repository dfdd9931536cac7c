//! An appliance without a pair (BG-10), one call long: look, let it check, back up, order, wait for the effect.
//!
//! Nothing is remembered from one call to the next. What an earlier call has ordered is seen on the page, or as silence, and
//! waited for. `domain::single` decides; here is only the waiting.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::domain::action::Kind;
use crate::domain::single::{Offer, Ordered, Page, Progress, STARTING, progress};
use crate::domain::site::Observation;
use crate::domain::window::format_duration;
use crate::domain::world::Reading;
use crate::ports::{ActAnswer, Clock, PageError, ProducedFile, ReadError, Updates};

/// Between two looks: some of them fall into each minute for which answers are kept.
const POLL: SignedDuration = SignedDuration::from_secs(30);
/// After so many vain tries the page is left to a person.
const MOST_LOST: u32 = 3;

/// Why a call ends before the target: expected and found, how things stand, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// A heading of `docs/reference/errors.md`.
    pub code: &'static str,
    pub message: String,
    pub state: &'static str,
    pub hint: String,
}

impl Stop {
    fn new(code: &'static str, message: String, state: &'static str, hint: &str) -> Self {
        Self { code, message, state, hint: hint.to_owned() }
    }
}

const NOTHING: &str = "nothing was installed by this step";
const ORDERED: &str = "the installation was ordered; the appliance goes on by itself";
const AGAIN: &str = "look at its update page; then repeat the command: it begins by looking";

/// What is being installed, for whoever interrupts.
pub type UnderWay = Arc<Mutex<Option<String>>>;

/// One call's work on one appliance.
pub struct Walk<'a> {
    appliance: &'a dyn Updates,
    clock: &'a dyn Clock,
    identity: &'a str,
    tell: &'a dyn Fn(&str),
    reading: Reading,
    said: String,
    /// How often in a row the update page could not be read though the appliance answers.
    lost: u32,
    under_way: UnderWay,
}

impl<'a> Walk<'a> {
    /// `tell` hears what is waited for, once for each change.
    pub fn new(appliance: &'a dyn Updates, clock: &'a dyn Clock, identity: &'a str, tell: &'a dyn Fn(&str)) -> Self {
        let (reading, said, under_way) = (Reading::default(), String::new(), UnderWay::default());
        Self { appliance, clock, identity, tell, reading, said, lost: 0, under_way }
    }

    /// What is being installed at the moment.
    pub fn under_way(&self) -> UnderWay {
        self.under_way.clone()
    }

    /// One answer; `patient`: a silence is waited out, as an installation may be under way.
    ///
    /// # Errors
    /// No answer within the limit of an update, no access, another box.
    pub async fn answering(&mut self, patient: bool) -> Result<Observation, Stop> {
        let until = later(self.clock.now(), limit());
        loop {
            self.look().await?;
            if let Some(current) = &self.reading.current {
                return Ok(current.clone());
            }
            let why = self.reading.error.clone().unwrap_or_default();
            if !patient || self.clock.now() >= until {
                let hint =
                    "an appliance that installs an update is silent for up to an hour and more; is it on, and its address right?";
                return Err(Stop::new("not_answering", why, "nothing was ordered", hint));
            }
            self.say(format!("no answer ({why}); an appliance that installs an update is silent: waiting until {until:.0}"));
            self.wait().await;
        }
    }

    /// Two answers that agree, the later more than the time of the appliance's cache after the earlier and both after now; from
    /// one that was just away, healthy.
    ///
    /// # Errors
    /// As [`Walk::answering`].
    pub async fn settled(&mut self) -> Result<Observation, Stop> {
        let since = self.clock.now();
        loop {
            let current = self.answering(true).await?;
            let (was_away, now) = (self.reading.last_silence.is_some(), self.clock.now());
            let well = self.reading.healthy_twice() || !was_away || now.duration_since(since) > STARTING;
            if self.reading.proven_after(since) && well {
                return Ok(current);
            }
            if now.duration_since(since) > limit() {
                let health = if current.healthy { "healthy" } else { "with a problem" };
                let found =
                    format!("expected two answers that agree, found none; the last: version {}, {health}", current.version);
                return Err(Stop::new("not_answering", found, "nothing was ordered", AGAIN));
            }
            self.say("reading it twice, more than a minute apart, as its answers may be a minute old".to_owned());
            self.wait().await;
        }
    }

    /// Lets the appliance check for updates and reads the list; `None`: the page was not reached, as when an update begins.
    ///
    /// # Errors
    /// A page that nobody knows, no access, another box; a page that is not reached time and again.
    pub async fn check(&mut self) -> Result<Option<Page>, Stop> {
        match self.appliance.updates(true).await {
            Ok(page) => {
                self.lost = 0;
                if page != Page::Installing {
                    self.set_under_way(None);
                }
                Ok(Some(page))
            }
            Err(PageError::NotReached(why)) if self.lost < MOST_LOST => {
                self.lost += 1;
                self.say(format!("its update page was not reached ({why}); looking again"));
                Ok(None)
            }
            Err(error) => Err(unknown_page(&error, NOTHING)),
        }
    }

    /// Whether its page says that something is being installed. Presses nothing.
    pub async fn is_installing(&self) -> bool {
        matches!(self.appliance.updates(false).await, Ok(Page::Installing))
    }

    /// Waits until the page no longer says that something is being installed, or the appliance falls silent: then it stays under
    /// way until a page says otherwise.
    ///
    /// # Errors
    /// It goes on for longer than the limit of an update; as [`Walk::check`].
    pub async fn while_installing(&mut self) -> Result<(), Stop> {
        let until = later(self.clock.now(), limit());
        self.set_under_way(Some("an update".to_owned()));
        loop {
            self.say("its page says that an update is being installed; waiting".to_owned());
            self.wait().await;
            self.look().await?;
            // One that fell silent is waited for by the readings.
            if self.reading.current.is_none() {
                return Ok(());
            }
            if let Some(Page::Unasked | Page::Offers(_)) = self.glance().await? {
                self.set_under_way(None);
                return Ok(());
            }
            if self.clock.now() >= until {
                return Err(too_long("its page still says that an update is being installed"));
            }
        }
    }

    /// This call's own backup of the appliance as it is now (R4).
    ///
    /// # Errors
    /// There is none: then nothing may be installed.
    pub async fn back_up(&self, folder: &Path) -> Result<ProducedFile, Stop> {
        self.appliance.back_up(folder).await.map_err(|why| {
            let message = format!("there is no backup, and nothing is installed without one (R4): {why}");
            Stop::new("no_backup", message, NOTHING, "see docs/concepts/backup.md for what is checked; then repeat the command")
        })
    }

    /// Orders an installation and waits until the appliance itself shows it done: that version, the same GUID, healthy twice.
    ///
    /// # Errors
    /// It was not ordered, or ended otherwise, or not within the limit of an update.
    pub async fn install(&mut self, offer: &Offer, before: &Observation) -> Result<Observation, Stop> {
        self.set_under_way(Some(offer.name.clone()));
        let at = self.clock.now();
        let not = |code, message| Err(Stop::new(code, message, NOTHING, AGAIN));
        match self.appliance.install(offer).await {
            ActAnswer::Accepted { .. } => {}
            ActAnswer::Ambiguous { message } => {
                self.say(format!("{message}; nothing is pressed again, what the appliance shows decides"));
            }
            ActAnswer::ByOperator { instructions } => return not("page_unknown", instructions.join("; ")),
            ActAnswer::Refused { message } | ActAnswer::Transient { message } => return not("not_ordered", message),
        }
        let ordered = Ordered { wanted: &offer.version, before, at };
        let installed = self.follow(&ordered).await?;
        self.set_under_way(None);
        Ok(installed)
    }

    async fn follow(&mut self, ordered: &Ordered<'_>) -> Result<Observation, Stop> {
        let until = later(ordered.at, limit());
        loop {
            self.look().await?;
            let now = self.clock.now();
            match (progress(ordered, &self.reading, now), &self.reading.current) {
                (Progress::Installed, Some(current)) => return Ok(current.clone()),
                // A network that was down looks like a restart: the page knows.
                (verdict @ (Progress::Failed(_) | Progress::Unseen), _) => self.unless_installing(ordered, &verdict).await?,
                (Progress::Going(what), _) => self.say(what),
                (Progress::Installed, None) => {}
            }
            if now >= until {
                return Err(too_long(&format!("version {} is not proven; last: {}", ordered.wanted, self.said)));
            }
            self.wait().await;
        }
    }

    /// The readings say that it ended, or never began; a box that still fetches its package says so on the page.
    async fn unless_installing(&mut self, ordered: &Ordered<'_>, verdict: &Progress) -> Result<(), Stop> {
        match self.glance().await? {
            None => {}
            Some(Page::Installing) => self.say("it answers, and its page says that the update is being installed".to_owned()),
            Some(Page::Unasked | Page::Offers(_)) => {
                // It may have begun, or ended, after the reading.
                self.look().await?;
                if progress(ordered, &self.reading, self.clock.now()) == *verdict {
                    return Err(not_installed(ordered, verdict));
                }
            }
        }
        Ok(())
    }

    /// What the page shows, where the readings decide; `None`: it could not be read, as when the appliance falls silent.
    async fn glance(&mut self) -> Result<Option<Page>, Stop> {
        match self.appliance.updates(false).await {
            Ok(page) => {
                self.lost = 0;
                Ok(Some(page))
            }
            Err(PageError::NotReached(why) | PageError::Surprise(why)) if self.lost < MOST_LOST => {
                self.lost += 1;
                self.say(format!("its update page was not read ({why}); looking again"));
                Ok(None)
            }
            Err(error) => Err(unknown_page(&error, ORDERED)),
        }
    }

    async fn look(&mut self) -> Result<(), Stop> {
        let hint = "look at the appliance's account; then repeat the command";
        match self.appliance.observe().await {
            Err(ReadError::Denied(why) | ReadError::Misconfigured(why)) => {
                Err(Stop::new("access_refused", why, "what was ordered before goes on by itself", hint))
            }
            Ok(seen) if seen.identity != self.identity => {
                let message = format!("expected the box with GUID {}, found {} (R13)", self.identity, seen.identity);
                Err(Stop::new("wrong_box", message, "nothing more was ordered", "see where the address in the file leads"))
            }
            answer => {
                self.reading.take(answer.map_err(|error| error.to_string()), self.clock.now());
                if self.reading.current.is_none() {
                    self.lost = 0;
                }
                Ok(())
            }
        }
    }

    async fn wait(&self) {
        self.clock.sleep_until(later(self.clock.now(), POLL)).await;
    }

    fn say(&mut self, what: String) {
        if what != self.said {
            (self.tell)(&what);
            self.said = what;
        }
    }

    fn set_under_way(&self, what: Option<String>) {
        *self.under_way.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }
}

/// The default limit of a run's step `update`.
fn limit() -> SignedDuration {
    Kind::Update.default_limit()
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn unknown_page(error: &PageError, state: &'static str) -> Stop {
    let hint = "look at the page, and give its words in `[node.console.labels]` where it says them otherwise; or go on by hand";
    match error {
        PageError::Refused(what) if state == NOTHING => Stop::new("not_ordered", what.clone(), state, AGAIN),
        PageError::Refused(what) => Stop::new("not_installed", what.clone(), state, AGAIN),
        PageError::Surprise(what) | PageError::NotReached(what) => Stop::new("page_unknown", what.clone(), state, hint),
    }
}

fn not_installed(ordered: &Ordered<'_>, verdict: &Progress) -> Stop {
    let found =
        if let Progress::Failed(found) = verdict { found } else { "neither its answers nor its page show an installation" };
    let message = format!("expected version {} after the installation that was ordered; {found}", ordered.wanted);
    Stop::new("not_installed", message, "nothing was pressed again", AGAIN)
}

fn too_long(what: &str) -> Stop {
    let message = format!("after {}, the usual limit of an update, {what}", format_duration(limit()));
    Stop::new("not_installed", message, ORDERED, "nothing is lost: repeat the command to go on waiting")
}

#[cfg(test)]
mod tests;
