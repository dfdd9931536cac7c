//! A site's calendar: its zone, the windows that are usual there, and when nothing may be done.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::freeze::{Freeze, Frozen};
use super::recurring::Recurring;
use super::{Window, civil};

/// What the config says of a site's times.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    pub zone: TimeZone,
    pub recurring: Vec<Recurring>,
    pub fixed: Vec<Window>,
    pub freezes: Vec<Arc<Freeze>>,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, recurring: Vec::new(), fixed: Vec::new(), freezes: Vec::new() }
    }
}

/// A window of the calendar, free or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usual {
    /// The recurring window's; a fixed one has none.
    pub name: Option<String>,
    pub window: Window,
    /// What the clocks do to it.
    pub flags: Vec<String>,
    pub frozen: Option<Frozen>,
}

impl Calendar {
    /// The freeze that takes a window out; of several the first in the config.
    pub fn frozen(&self, window: &Window) -> Option<Frozen> {
        self.freezes.iter().find_map(|freeze| freeze.takes_out(window))
    }

    /// What the clocks do to a window, in the zone that it was written in, else in the site's. One that comes again is compared
    /// with what its rule says of it.
    pub fn flags(&self, window: &Window) -> Vec<String> {
        if let Some((rule, gained)) = self.recurring.iter().find_map(|rule| Some((rule, rule.gain(window)?))) {
            return civil::flags(window, &rule.zone, gained);
        }
        let named = window.zone.as_ref().and_then(|name| TimeZone::get(name).ok());
        let zone = named.as_ref().unwrap_or(&self.zone);
        civil::flags(window, zone, civil::gain(window, zone))
    }

    /// The windows that are not over at `now`, in order, for a year and a day; of one name, where one is given.
    pub fn upcoming(&self, now: Timestamp, name: Option<&str>) -> Vec<Usual> {
        let named = self.recurring.iter().filter(|rule| name.is_none_or(|name| rule.name == name));
        let recurring = named.flat_map(|rule| rule.upcoming(now).map(|window| (Some(rule.name.clone()), window)));
        let fixed = self.fixed.iter().filter(|window| name.is_none() && !window.is_over(now));
        let mut found: Vec<_> = recurring.chain(fixed.map(|window| (None, window.clone()))).collect();
        found.sort_by_key(|(_, window)| (window.from, window.to));
        let usual = |(name, window): (Option<String>, Window)| {
            let (flags, frozen) = (self.flags(&window), self.frozen(&window));
            Usual { name, window, flags, frozen }
        };
        found.into_iter().map(usual).collect()
    }

    /// The names that `next NAME` takes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.recurring.iter().map(|rule| rule.name.as_str())
    }
}
