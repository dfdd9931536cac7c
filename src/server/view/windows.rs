//! A site's next windows on the wire.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::window::calendar::Usual;
use crate::domain::window::freeze::Frozen;
use crate::engine::api::WindowsFound;

/// The windows that `next` chooses from, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowsView {
    pub site: String,
    /// The site's time zone; all times here are UTC.
    pub zone: String,
    /// Only windows of which so much is left are listed.
    pub for_seconds: Option<i64>,
    pub windows: Vec<WindowView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowView {
    /// The recurring window's; `null` for a fixed one.
    pub name: Option<String>,
    pub from: Timestamp,
    pub to: Timestamp,
    pub seconds: i64,
    /// What the clocks do to it.
    pub flags: Vec<String>,
    /// What takes it out; `null`: it is free.
    pub freeze: Option<FreezeView>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FreezeView {
    pub name: String,
    pub owner: String,
    pub from: Timestamp,
    pub to: Timestamp,
}

impl WindowsView {
    pub fn new(found: WindowsFound, length: Option<SignedDuration>) -> Self {
        let WindowsFound { site, zone, windows } = found;
        let windows = windows.into_iter().map(WindowView::from).collect();
        Self { site, zone, for_seconds: length.map(|length| length.as_secs()), windows }
    }
}

impl From<Usual> for WindowView {
    fn from(usual: Usual) -> Self {
        let Usual { name, window, flags, frozen } = usual;
        let (seconds, freeze) = (window.length().as_secs(), frozen.map(FreezeView::from));
        Self { name, from: window.from, to: window.to, seconds, flags, freeze }
    }
}

impl From<Frozen> for FreezeView {
    fn from(frozen: Frozen) -> Self {
        let Frozen { name, owner, from, to } = frozen;
        Self { name, owner, from, to }
    }
}
