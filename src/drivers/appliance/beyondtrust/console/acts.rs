//! The acts at the pages: which page, which button, and what its answer means.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::StatusCode;
use url::Url;

use super::page::{Control, Kind, Page};
use super::stop::Stop;
use super::trace::{Place, Stage};
use super::visit::{Fetch, Part, Visit, target};
use super::{Door, Settings};
use crate::domain::labels::Label;
use crate::drivers::appliance::beyondtrust as driver;
use crate::drivers::appliance::beyondtrust::client::Api;
use crate::ports::{Clock, Intent, NodeAct, Recall};

/// The way to the page with the link's buttons.
const FAILOVER_PAGE: &[Label] = &[Label::Management, Label::Failover];

/// The hands at one box, and at the other where an act may have to be done there.
pub struct Console {
    pub(super) own: Door,
    peer: Option<Door>,
    /// What the other box is called on the form that establishes failover.
    peer_url: Url,
    traces: PathBuf,
}

/// What came of an act.
#[derive(Debug)]
pub enum Outcome {
    /// The button was pressed and the box took it; readings prove the rest.
    Pressed,
    /// It can't be done here: a person does it. What the page showed.
    ByOperator(String),
    Refused(String),
    NotReached(String),
    InDoubt(String),
}

/// One act under way.
pub(super) struct Order {
    pub trace: Place,
    /// Something was sent that may have ordered it.
    pub decisive: Arc<AtomicBool>,
}

impl Console {
    /// Makes the hands; calls nobody. `peer`: the other box's settings, with its API, where the pages of that one may be used too.
    pub(in super::super) fn new(
        settings: &driver::Settings,
        console: Settings,
        api: Arc<Api>,
        peer: Option<(&driver::Settings, Settings, Arc<Api>)>,
    ) -> Self {
        let peer = peer.map(|(settings, console, api)| Door::new(settings, console, api));
        let (peer_url, traces) = (settings.peer.url.clone(), console.traces.clone());
        Self { own: Door::new(settings, console, api), peer, peer_url, traces }
    }

    /// Does an act for which there is a page; `None` for any other.
    pub async fn act(&self, intent: &Intent, act: &NodeAct, clock: &dyn Clock) -> Option<Outcome> {
        let order = Order { trace: self.trace(intent), decisive: Arc::default() };
        let end = clock.now().checked_add(intent.limit).unwrap_or(jiff::Timestamp::MAX);
        let decisive = order.decisive.clone();
        let result = tokio::select! {
            result = self.carry_out(act, &order) => result?,
            () = clock.sleep_until(end) => Err(out_of_time(intent, &decisive)),
        };
        Some(match result {
            Ok(()) => Outcome::Pressed,
            Err(Stop::Surprise(what)) => Outcome::ByOperator(what),
            Err(Stop::NotReached(what)) => Outcome::NotReached(what),
            Err(Stop::Refused(what)) => Outcome::Refused(what),
            Err(Stop::InDoubt(what)) => Outcome::InDoubt(what),
        })
    }

    async fn carry_out(&self, act: &NodeAct, order: &Order) -> Option<Result<(), Stop>> {
        Some(match act {
            NodeAct::ForceSync { .. } => self.force_sync(order).await,
            NodeAct::BreakFailover => self.break_failover(order).await,
            NodeAct::EstablishFailover { .. } => self.establish_failover(order).await,
            NodeAct::Update { package, sha256, .. } => self.update(package, sha256, order).await,
            _ => return None,
        })
    }

    /// After a restart: without a trace of this attempt nothing that orders anything has left.
    pub async fn recall(&self, intent: &Intent) -> Recall {
        match self.trace(intent).own_stage() {
            Ok(None | Some(Stage::Uploading)) => Recall::NeverSent,
            // Whether the box only has the package or installs it already, its page may tell.
            Ok(Some(Stage::Uploaded)) if self.is_waiting().await => Recall::NeverSent,
            Ok(Some(Stage::Uploaded | Stage::Pressed)) | Err(_) => Recall::MayBeSent,
        }
    }

    fn trace(&self, intent: &Intent) -> Place {
        Place::of(&self.traces, intent)
    }

    /// BG-21: from the standby's side; where its page has no such button, from the primary's.
    async fn force_sync(&self, order: &Order) -> Result<(), Stop> {
        let (visit, page) = failover_page(&self.own).await?;
        let there = !page.named(&self.own.labels.words(Label::SyncNow), |kind| kind == Kind::Button).is_empty();
        match &self.peer {
            Some(peer) if !there && visit.strange(&page).is_none() => {
                let (visit, page) = failover_page(peer).await?;
                press(&visit, &page, Label::SyncNow, &[], order).await
            }
            _ => press(&visit, &page, Label::SyncNow, &[], order).await,
        }
    }

    async fn break_failover(&self, order: &Order) -> Result<(), Stop> {
        let (visit, page) = failover_page(&self.own).await?;
        press(&visit, &page, Label::BreakFailover, &[], order).await
    }

    /// On the future primary, with the other box's own name and this one's for the way back.
    async fn establish_failover(&self, order: &Order) -> Result<(), Stop> {
        let (visit, page) = failover_page(&self.own).await?;
        let host = |url: &Url| url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = self.peer_url.port_or_known_default().unwrap_or(443);
        let field = |label| visit.one(&page, label, |kind| kind == Kind::Field);
        let mut filled = vec![(field(Label::PeerHost)?, host(&self.peer_url)), (field(Label::ReverseHost)?, host(&self.own.url))];
        // A form without it takes the usual port.
        if port != 443 || !page.named(&self.own.labels.words(Label::PeerPort), |kind| kind == Kind::Field).is_empty() {
            filled.push((field(Label::PeerPort)?, port.to_string()));
        }
        press(&visit, &page, Label::Establish, &filled, order).await
    }
}

fn out_of_time(intent: &Intent, decisive: &AtomicBool) -> Stop {
    let what = format!("not done within the limit of {:#}", intent.limit);
    match decisive.load(Ordering::SeqCst) {
        true => Stop::InDoubt(format!("the order was sent, and {what}")),
        false => Stop::Surprise(format!("{what}; nothing was ordered")),
    }
}

async fn failover_page(door: &Door) -> Result<(Visit<'_>, Page), Stop> {
    let (visit, page) = Visit::enter(door, Part::Login).await?;
    let page = visit.walk(page, FAILOVER_PAGE).await?;
    Ok((visit, page))
}

/// Presses the button that orders the act, and confirms where the page asks.
pub(super) async fn press(
    visit: &Visit<'_>,
    page: &Page,
    label: Label,
    filled: &[(&Control, String)],
    order: &Order,
) -> Result<(), Stop> {
    let button = visit.one(page, label, |kind| kind == Kind::Button)?;
    let mark = async {
        order.trace.mark(Stage::Pressed).await?;
        order.decisive.store(true, Ordering::SeqCst);
        Ok(())
    };
    press_this(visit, page, (label, button), filled, mark).await
}

/// As [`press`], where the button was found already; `mark` is waited for directly before.
pub(super) async fn press_this(
    visit: &Visit<'_>,
    page: &Page,
    (label, button): (Label, &Control),
    filled: &[(&Control, String)],
    mark: impl Future<Output = Result<(), Stop>>,
) -> Result<(), Stop> {
    if filled.iter().any(|(field, _)| field.form != button.form || field.name.is_none()) {
        return Err(visit.surprise(page, &format!("fields that the {} does not send", visit.door.labels.named(label))));
    }
    let target = target(page, button).map_err(Fetch::before)?;
    visit.check_box().await?;
    mark.await?;
    let (status, answer) = visit.press(target, page, button, filled).await.map_err(Fetch::after)?;
    let Some(confirm) = question(visit, &answer, label).filter(|_| status.is_success()) else {
        return judge(visit, page, status, &answer);
    };
    let target = super::visit::target(&answer, confirm).map_err(Fetch::after)?;
    let (status, last) = visit.press(target, &answer, confirm, &[]).await.map_err(Fetch::after)?;
    if question(visit, &last, label).is_some() {
        return Err(Stop::InDoubt(format!("it was asked to confirm a second time: {}", visit.looks(&last))));
    }
    judge(visit, &answer, status, &last)
}

/// The button of a page that does nothing but ask whether this act is meant: it names the act, no longer has its button, and has
/// one to confirm, in a form that is filled in already.
fn question<'p>(visit: &Visit<'_>, page: &'p Page, label: Label) -> Option<&'p Control> {
    let labels = &visit.door.labels;
    let act = labels.words(label);
    let named = |words: &[&str]| page.named(words, |kind| kind == Kind::Button);
    let [confirm] = named(&labels.words(Label::Confirm))[..] else { return None };
    let open = |control: &&Control| control.form == confirm.form && !matches!(control.kind, Kind::Hidden | Kind::Button);
    let asks = page.says(&act) && named(&act).is_empty() && !page.controls.iter().any(|control| open(&control));
    (asks && confirm.form.is_some()).then_some(confirm)
}

/// What the answer to the decisive press says. It proves nothing; but what speaks against it leaves a doubt.
fn judge(visit: &Visit<'_>, before: &Page, status: StatusCode, answer: &Page) -> Result<(), Stop> {
    let doubt =
        |what: &str| Err(Stop::InDoubt(format!("the button was pressed, and the answer was {what}: {}", visit.looks(answer))));
    if !status.is_success() {
        return doubt(status.as_str());
    }
    if visit.strange(answer).is_some() {
        return doubt("none of this page's");
    }
    let errors = visit.door.labels.words(Label::Error);
    if errors.iter().any(|word| answer.says(&[word]) && !before.says(&[word])) {
        return doubt("about an error");
    }
    Ok(())
}
