//! The manual update (BG-11): a package into the update page's file field, then the button that installs it.
//!
//! The page is looked at first and after each step: a package of ours that is there is not sent again, and one that is being
//! installed is left alone.

use std::path::Path;

use super::acts::{Console, Order, press};
use super::page::{Kind, Page};
use super::stop::Stop;
use super::trace::{Stage, Trace};
use super::upload::{Sent, Upload};
use super::visit::{Part, Visit};
use crate::domain::labels::Label;

const UPDATE_PAGE: &[Label] = &[Label::Updates];

/// What the update page shows.
enum Shown {
    /// Nothing was uploaded.
    Empty,
    /// A package of this name is there and can be installed.
    Waiting,
    /// A package of this name is being installed.
    Installing,
}

impl Console {
    pub(super) async fn update(&self, package: &Path, sha256: &str, order: &Order) -> Result<(), Stop> {
        let (visit, page) = update_page(self).await?;
        // What was sent in part only was never whole, nor its hash known: then another's package lies there.
        let ours = matches!(order.trace.read(), Ok(Some(Trace { stage: Stage::Uploaded | Stage::Pressed, .. })));
        match look(&visit, &page, package)? {
            Shown::Empty => self.upload_and_install(&visit, &page, package, sha256, order).await,
            Shown::Waiting | Shown::Installing if !ours => {
                Err(visit.surprise(&page, "a package of this name that this run did not upload whole"))
            }
            Shown::Waiting => press(&visit, &page, Label::Install, &[], order).await,
            Shown::Installing => Ok(()),
        }
    }

    async fn upload_and_install(
        &self,
        visit: &Visit<'_>,
        page: &Page,
        package: &Path,
        sha256: &str,
        order: &Order,
    ) -> Result<(), Stop> {
        let field = visit.one(page, Label::UpdateFile, |kind| kind == Kind::File)?;
        let button = visit.one(page, Label::UpdateSoftware, |kind| kind == Kind::Button)?;
        if field.form != button.form || field.name.is_none() {
            return Err(visit.surprise(page, "file field and button in different forms"));
        }
        visit.check_box().await?;
        let upload = Upload { page, field, button, package, sha256 };
        match upload.send(visit, &order.trace, &order.decisive).await? {
            Sent::Answered(status, answer) if status.is_success() && visit.strange(&answer).is_none() => {
                install(visit, &answer, package, order).await
            }
            Sent::Early(status, answer) => Err(Stop::Surprise(format!(
                "the box answered {status} before it had the whole package, so nothing was uploaded: {}",
                visit.looks(&answer)
            ))),
            Sent::Answered(status, answer) => {
                self.look_again(&format!("{status}: {}", visit.looks(&answer)), package, order).await
            }
            Sent::Unanswered(why) => self.look_again(&why, package, order).await,
        }
    }

    /// The package has left, and its answer was lost or odd: the page tells whether it arrived.
    async fn look_again(&self, why: &str, package: &Path, order: &Order) -> Result<(), Stop> {
        let doubt = |stop: Stop| Stop::InDoubt(format!("the package was sent ({why}), and then: {stop}"));
        let (visit, page) = update_page(self).await.map_err(doubt)?;
        install(&visit, &page, package, order).await
    }

    /// Whether the package that this run sent waits to be installed; false where that can't be told.
    pub(super) async fn is_waiting(&self) -> bool {
        let Ok((visit, page)) = update_page(self).await else { return false };
        visit.one(&page, Label::Install, |kind| kind == Kind::Button).is_ok()
    }
}

pub(super) async fn update_page(console: &Console) -> Result<(Visit<'_>, Page), Stop> {
    let (visit, page) = Visit::enter(&console.own, Part::Appliance).await?;
    let page = visit.walk(page, UPDATE_PAGE).await?;
    Ok((visit, page))
}

/// Goes on from a page that comes after the upload.
async fn install(visit: &Visit<'_>, page: &Page, package: &Path, order: &Order) -> Result<(), Stop> {
    let doubt = |what: String| Stop::InDoubt(format!("the package was uploaded, and then: {what}"));
    match look(visit, page, package) {
        Ok(Shown::Waiting) => press(visit, page, Label::Install, &[], order).await,
        Ok(Shown::Installing) => Ok(()),
        Ok(Shown::Empty) => Err(doubt(format!("nothing of it on {}", visit.looks(page)))),
        Err(stop) => Err(doubt(stop.to_string())),
    }
}

/// Reads the page.
///
/// # Errors
/// It shows another package.
fn look(visit: &Visit<'_>, page: &Page, package: &Path) -> Result<Shown, Stop> {
    let labels = &visit.door.labels;
    let name = package.file_name().unwrap_or_default().to_string_lossy();
    let named = page.says_whole(&name);
    let waiting = !page.named(&labels.words(Label::Install), |kind| kind == Kind::Button).is_empty();
    let installing = page.says(&labels.words(Label::Installing));
    match (installing, waiting) {
        (true, false) if named => Ok(Shown::Installing),
        (false, true) if named => Ok(Shown::Waiting),
        (false, false) => Ok(Shown::Empty),
        _ => Err(visit.surprise(page, &format!("another package than `{name}`"))),
    }
}
