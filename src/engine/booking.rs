//! Windows as people ask for them, turned into windows that a plan or run is given; and who is responsible for the second.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::domain::action::When;
use crate::domain::booking::need_of_plan;
use crate::domain::people::People;
use crate::domain::plan::Plan;
use crate::domain::site::Site;
use crate::domain::window::calendar::Calendar;
use crate::domain::window::choose::{Need, NoneFree, Wanted, next};
use crate::domain::window::{Window, civil};

use super::api::{Kind, Problem, WindowsFound};

/// Two weeks of daily windows: what a person looks over before choosing.
const SHOWN: usize = 14;

/// The window of a part of a plan that begins `now`; a part without steps has none to choose.
pub fn book(site: &Site, plan: &Plan, when: When, wanted: Option<Wanted>, now: Timestamp) -> Result<Option<Window>, Problem> {
    match wanted {
        None => Ok(None),
        Some(Wanted::Fixed(window)) => Ok(Some(window)),
        Some(Wanted::Next(_)) if !plan.steps.iter().any(|step| step.when == when) => Ok(None),
        Some(Wanted::Next(name)) => {
            let need = need_of_plan(plan, when, now);
            choose(&site.name, &site.calendar, name.as_deref(), now, need).map(Some)
        }
    }
}

/// The next window that is free and long enough.
pub fn choose(site: &str, calendar: &Calendar, name: Option<&str>, now: Timestamp, need: Need) -> Result<Window, Problem> {
    next(calendar, name, now, need).map_err(|error| {
        let kind = if matches!(error, NoneFree::UnknownName { .. }) { Kind::NotFound } else { Kind::Refused };
        let code = if kind == Kind::NotFound { "unknown_window" } else { "no_free_window" };
        Problem::new(kind, code, format!("no window of site `{site}` can be chosen"))
            .because(error.to_string())
            .state("nothing was changed")
            .hint(format!("`changeover windows {site}` shows the next ones; or give a start and a length"))
    })
}

/// R3: where the config names people, the responsible one is among them.
pub fn must_be_known(people: &Arc<People>, user: &str) -> Result<(), Problem> {
    if people.is_empty() || people.of(user).is_some() {
        return Ok(());
    }
    Err(Problem::new(Kind::Refused, "unknown_person", "nobody would be responsible for window two")
        .because(format!("R3 in_window: user `{user}` is not among the people of the config"))
        .state("nothing was changed")
        .hint("name somebody who is with `--responsible USER`"))
}

/// What the clocks do to the windows of a plan, and that they overlap where nobody said that both are to be one night, for people.
pub fn flags(plan: &Plan, calendar: &Calendar) -> Vec<String> {
    let windows = [("window-1", &plan.windows.first), ("window-2", &plan.windows.second)];
    let flags = windows.into_iter().flat_map(|(name, window)| {
        let flags = window.iter().flat_map(|window| calendar.flags(window));
        flags.map(move |flag| format!("{name} {flag}"))
    });
    flags.chain(plan.windows.overlap().filter(|_| plan.urgent.is_none())).collect()
}

/// The next windows of a site, free or not, that are so long.
pub fn upcoming(site: &Site, now: Timestamp, length: Option<SignedDuration>) -> WindowsFound {
    let long_enough = |window: &Window| length.is_none_or(|length| window.to.duration_since(window.from.max(now)) >= length);
    let windows = site.calendar.upcoming(now, None).into_iter().filter(|usual| long_enough(&usual.window)).take(SHOWN);
    WindowsFound { site: site.name.clone(), zone: civil::name(&site.calendar.zone), windows: windows.collect() }
}
