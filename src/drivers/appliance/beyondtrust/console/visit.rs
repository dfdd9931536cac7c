//! One session at the pages of one box: logged in, with its cookies, at one address.
//!
//! The box's name is looked up once, and everything (the API that tells the GUID, and every page) goes to that address (R13). No
//! redirect to elsewhere is followed. A refused password is not tried a second time, an unanswered one once more: else it would lock the
//! account.

use reqwest::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, LOCATION};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret as _;
use url::Url;

use super::page::{Control, Kind, Page};
use super::stop::Stop;
use super::{Account, Door};
use crate::domain::labels::Label;
use crate::drivers::appliance::beyondtrust::answer::{CallError, lost, read_all, within};
use crate::drivers::appliance::beyondtrust::client::{Api, builder};
use crate::drivers::appliance::beyondtrust::health::shown;
use crate::drivers::appliance::beyondtrust::pinned::health_at;

/// A page has some tens of KiB; this is room for a long history of events.
const MAX_PAGE: usize = 4 << 20;
const MOST_REDIRECTS: usize = 5;
const NOT_AGAIN: &str = "the password is not tried again before this program is started anew";

/// The two parts of the vendor's pages, each with its own accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Site administration.
    Login,
    /// The box's administration.
    Appliance,
}

impl Part {
    pub fn path(self) -> &'static str {
        match self {
            Self::Login => "/login",
            Self::Appliance => "/appliance",
        }
    }
}

/// A session.
pub struct Visit<'a> {
    pub door: &'a Door,
    http: Client,
    api: Api,
    account: &'a Account,
}

impl<'a> Visit<'a> {
    /// Goes to the box, sees that it is the right one, and logs in. Returns the page that follows.
    ///
    /// # Errors
    /// See [`Stop`]; nothing was ordered.
    pub async fn enter(door: &'a Door, part: Part) -> Result<(Self, Page), Stop> {
        let account = door.account(part);
        if let Some(why) = account.is_shut() {
            let (user, path) = (&account.username, part.path());
            return Err(Stop::Surprise(format!("user `{user}` at {path}: {why}; {NOT_AGAIN}")));
        }
        let visit = Self::at(door, account).await?;
        visit.check_box().await?;
        let page = visit.get(&visit.url(part.path())?).await?;
        let page = visit.log_in(page, part).await?;
        Ok((visit, page))
    }

    async fn at(door: &'a Door, account: &'a Account) -> Result<Self, Stop> {
        let address = door.resolve().await?;
        let setup = |error: reqwest::Error| Stop::Refused(format!("the HTTP client can't be built: {error}"));
        let host = door.url.host_str().unwrap_or_default();
        let tls = door.tls()?;
        let http = builder(tls.clone(), &door.limits, Some((host, address))).cookie_store(true).build().map_err(setup)?;
        let api = door.api.at(tls, (host, address)).map_err(setup)?;
        Ok(Self { door, http, api, account })
    }

    /// R13: the pages don't show the GUID, so it is read at the same address.
    pub async fn check_box(&self) -> Result<(), Stop> {
        let found = self.identity().await?;
        let expected = &self.door.identity;
        if found.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        Err(Stop::Refused(format!("expected the box with GUID {expected}, found {found}; nothing was pressed there (R13)")))
    }

    async fn identity(&self) -> Result<String, CallError> {
        Ok(health_at(&self.api, self.door.editions).await?.identity)
    }

    fn url(&self, path: &str) -> Result<Url, Stop> {
        self.door.url.join(path).map_err(|error| Stop::Refused(format!("`{path}` makes no URL: {error}")))
    }

    /// Fetches a page.
    ///
    /// # Errors
    /// What is no page of this box is a surprise.
    pub async fn get(&self, url: &Url) -> Result<Page, Stop> {
        let (status, page) = self.fetch(self.http.get(url.clone()), url.clone()).await.map_err(Fetch::before)?;
        if status.is_success() { Ok(page) } else { Err(Stop::Surprise(format!("{status}: {}", self.looks(&page)))) }
    }

    /// Presses a button, with these fields filled in. The caller judges what an error means.
    pub async fn press(
        &self,
        (url, post): (Url, bool),
        page: &Page,
        button: &Control,
        filled: &[(&Control, String)],
    ) -> Result<(StatusCode, Page), Fetch> {
        let sent: Vec<(&str, String)> = sent(page, button, filled);
        let request = match post {
            true => self.http.post(url.clone()).form(&sent),
            false => self.http.get(url.clone()).query(&sent),
        };
        self.fetch(request, url).await
    }

    /// Sends a form whose body is made elsewhere, and bounds the answer only: the body takes its time.
    pub fn post(&self, url: Url) -> RequestBuilder {
        self.http.post(url).header(ACCEPT_LANGUAGE, "en")
    }

    async fn fetch(&self, request: RequestBuilder, url: Url) -> Result<(StatusCode, Page), Fetch> {
        let limit = self.door.limits.call;
        let response = within(limit, "no answer", async { request.header(ACCEPT_LANGUAGE, "en").send().await.map_err(lost) });
        self.follow(response.await?, url).await
    }

    /// Reads the answer, by way of redirects within this box.
    pub async fn follow(&self, mut response: Response, mut url: Url) -> Result<(StatusCode, Page), Fetch> {
        let limit = self.door.limits.call;
        for _ in 0..MOST_REDIRECTS {
            if !response.status().is_redirection() {
                return self.read(response, url).await;
            }
            url = next(&url, &response)?;
            let request = self.http.get(url.clone()).header(ACCEPT_LANGUAGE, "en");
            let answer = within(limit, "no answer", async { request.send().await.map_err(lost) }).await;
            response = answer.map_err(once_answered)?;
        }
        Err(Fetch::Odd(format!("more than {MOST_REDIRECTS} redirects, the last to {}", url.path())))
    }

    async fn read(&self, response: Response, url: Url) -> Result<(StatusCode, Page), Fetch> {
        let status = response.status();
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let body = within(self.door.limits.call, "no whole page", read_all(response, MAX_PAGE)).await?;
        if !kind.to_ascii_lowercase().contains("html") {
            let text = self.veiled(&String::from_utf8_lossy(&body));
            let found = format!("{status} and no page: `{}`", shown(&text));
            // A box that starts, or what stands before it; whoever judges an order or a password answers otherwise.
            return Err(if status.is_server_error() { CallError::Unavailable(found).into() } else { Fetch::Odd(found) });
        }
        let page = Page::parse(url, &String::from_utf8_lossy(&body));
        if page.crowded {
            return Err(Fetch::Odd(format!(
                "{status} and a page with more fields, buttons or links than any is expected to have"
            )));
        }
        Ok((status, page))
    }

    async fn log_in(&self, page: Page, part: Part) -> Result<Page, Stop> {
        let password = match page.controls.iter().filter(|control| control.kind == Kind::Password).collect::<Vec<_>>()[..] {
            [password] => password,
            [] => return Err(self.surprise(&page, "no field for a password")),
            _ => return Err(self.surprise(&page, "more than one field for a password")),
        };
        let username = self.one(&page, Label::Username, |kind| kind == Kind::Field)?;
        let button = self.one(&page, Label::LogIn, |kind| kind == Kind::Button)?;
        if username.form != password.form || button.form != password.form {
            return Err(self.surprise(&page, "user name, password and button in different forms"));
        }
        if username.name.is_none() || password.name.is_none() {
            return Err(self.surprise(&page, "a field for user name or password that the login does not send"));
        }
        let filled = [(username, self.account.username.clone()), (password, self.account.password.expose_secret().to_owned())];
        let target = target(&page, button).map_err(Fetch::before)?;
        if !target.1 {
            // Boxes and proxies write URLs down.
            return Err(self.surprise(&page, "a login that would put the password into the URL"));
        }
        // From here on the attempt counts, unless it never arrived.
        self.account.tries();
        let (status, page) = self.press(target, &page, button, &filled).await.map_err(|fetch| self.not_in(fetch, part))?;
        if status.is_server_error() {
            self.account.was_not_tried();
            return Err(Stop::Surprise(format!("the login was answered with {status}: {}", self.looks(&page))));
        }
        if page.asks_for_password() || !status.is_success() {
            return Err(self.refused(part, &format!("{status}: {}", self.looks(&page))));
        }
        self.account.was_let_in();
        Ok(page)
    }

    /// No page came of the login.
    fn not_in(&self, fetch: Fetch, part: Part) -> Stop {
        match fetch {
            Fetch::Odd(what) => return self.refused(part, &what),
            Fetch::Failed(CallError::NotReached(_) | CallError::Unavailable(_)) => self.account.was_not_tried(),
            Fetch::Failed(_) => {}
        }
        fetch.before()
    }

    fn refused(&self, part: Part, found: &str) -> Stop {
        self.account.was_refused();
        let (user, path) = (&self.account.username, part.path());
        Stop::Surprise(format!("user `{user}` was not let in at {path} ({found}); {NOT_AGAIN}"))
    }

    /// Goes by links to a page, the last of these; those that are skipped (the page shows a later link already) are not needed.
    pub async fn walk(&self, mut page: Page, way: &[Label]) -> Result<Page, Stop> {
        for (at, label) in way.iter().enumerate() {
            let later = way[at + 1..].iter().any(|later| !page.links(&self.door.labels.words(*later)).is_empty());
            if later {
                continue;
            }
            let url = match page.links(&self.door.labels.words(*label))[..] {
                [link] => page.url.join(&link.target).ok().filter(|url| url.origin() == page.url.origin()),
                ref found => return Err(self.surprise(&page, &counted(&self.door.labels.named(*label), found.len()))),
            };
            let Some(url) = url else {
                return Err(self.surprise(&page, &format!("a {} that leads elsewhere", self.door.labels.named(*label))));
            };
            page = self.get(&url).await?;
        }
        Ok(page)
    }

    /// The one control that a label names.
    ///
    /// # Errors
    /// None, or more than one, is a surprise.
    pub fn one<'p>(&self, page: &'p Page, label: Label, fits: impl Fn(Kind) -> bool) -> Result<&'p Control, Stop> {
        match page.named(&self.door.labels.words(label), fits)[..] {
            [control] if control.form.is_some() => Ok(control),
            [_] => Err(self.surprise(page, &format!("a {} that belongs to no form", self.door.labels.named(label)))),
            ref found => Err(self.surprise(page, &counted(&self.door.labels.named(label), found.len()))),
        }
    }

    /// What was found instead of what was expected, for the person who goes on.
    pub fn surprise(&self, page: &Page, found: &str) -> Stop {
        Stop::Surprise(format!("{found} on {}", self.looks(page)))
    }

    /// A page in a few words: what it seems to be, its title, and the beginning of its text.
    pub fn looks(&self, page: &Page) -> String {
        let kind = self.strange(page).unwrap_or("the page");
        let text = shown(&self.veiled(&page.text));
        format!("{kind} {} (`{}`, it begins `{text}`)", page.url.path(), shown(&page.title))
    }

    /// What a page is that is none of those behind the login. Menus may well mention all of it, so titles and fields count.
    pub fn strange(&self, page: &Page) -> Option<&'static str> {
        let words = |label| self.door.labels.words(label);
        let bare = page.controls.is_empty() && page.links.is_empty();
        match page {
            page if page.asks_for_password() => Some("the login page"),
            page if page.is_headed(&words(Label::SecondFactor)) => Some("a page that asks for a second factor"),
            page if page.is_headed(&words(Label::SingleSignOn)) => Some("a page for single sign-on"),
            page if bare && page.says(&words(Label::Maintenance)) => Some("a maintenance page"),
            _ => None,
        }
    }

    /// No page that repeats the password brings it into a message.
    fn veiled(&self, text: &str) -> String {
        text.replace(self.account.password.expose_secret(), "…")
    }
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Fetch {
    Failed(CallError),
    /// It was answered, but by no page of this box.
    Odd(String),
}

impl From<CallError> for Fetch {
    fn from(error: CallError) -> Self {
        Self::Failed(error)
    }
}

impl Fetch {
    /// Where nothing was ordered by it.
    pub fn before(self) -> Stop {
        match self {
            Self::Failed(CallError::Unusable(what)) | Self::Odd(what) => Stop::Surprise(what),
            Self::Failed(error) => error.into(),
        }
    }

    /// Where it was the order.
    pub fn after(self) -> Stop {
        match self {
            Self::Failed(error) => Stop::once_sent(error),
            Self::Odd(what) => Stop::InDoubt(format!("the order was sent; its answer: {what}")),
        }
    }
}

/// A redirect answers the request before it, which arrived then, whatever becomes of the page that it leads to.
fn once_answered(error: CallError) -> CallError {
    match error {
        CallError::NotReached(what) => CallError::Lost(format!("answered with a redirect, whose page was not reached: {what}")),
        other => other,
    }
}

fn counted(what: &str, found: usize) -> String {
    match found {
        0 => format!("no {what}"),
        found => format!("{found} times the {what}"),
    }
}

/// Where a button sends its form.
pub fn target(page: &Page, button: &Control) -> Result<(Url, bool), Fetch> {
    let form = button.form.and_then(|form| page.forms.get(form));
    let form = form.ok_or_else(|| Fetch::Odd("a button that belongs to no form".to_owned()))?;
    let action = button.action.as_deref().unwrap_or(&form.action);
    let url = page.url.join(action).ok().filter(|url| url.origin() == page.url.origin());
    let url = url.ok_or_else(|| Fetch::Odd(format!("a form that sends elsewhere: `{}`", shown(action))))?;
    Ok((url, form.post))
}

/// What a button sends, with these fields filled in.
pub fn sent<'p>(page: &'p Page, button: &'p Control, filled: &[(&Control, String)]) -> Vec<(&'p str, String)> {
    let own = |name: &str, value: &str| {
        let filled = filled.iter().find(|(control, _)| control.name.as_deref() == Some(name));
        filled.map_or_else(|| value.to_owned(), |(_, value)| value.clone())
    };
    page.sent_by(button).into_iter().map(|(name, value)| (name, own(name, value))).collect()
}

/// The next page of a redirect, if it is one of this box and asks for no second sending.
fn next(url: &Url, response: &Response) -> Result<Url, Fetch> {
    let status = response.status();
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let to = url.join(location).map_err(|_| Fetch::Odd(format!("{status} to `{}`", shown(location))))?;
    if to.origin() != url.origin() {
        let host = to.host_str().unwrap_or_default();
        return Err(Fetch::Odd(format!("{status} to another host, `{}`: single sign-on, or another box", shown(host))));
    }
    if matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
        return Err(Fetch::Odd(format!("{status}: the form would have to be sent a second time")));
    }
    Ok(to)
}
