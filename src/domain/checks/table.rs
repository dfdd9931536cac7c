//! The table of checks: for how long a result holds, and what helps where it is not as it should be.

use jiff::SignedDuration;

use crate::domain::check::Outcome;
use crate::domain::ids::RunId;
use crate::domain::site::Policy;

/// How long a result may be used before it is read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// `policy.max_check_age`: what a reading shows may be otherwise minutes later.
    Reading,
    /// A day: what changes only when somebody changes a file or a setting, and is looked at every night.
    Document,
}

/// A day: every result is renewed by the nightly check at the latest.
const DOCUMENT: SignedDuration = SignedDuration::from_hours(24);

impl Lifetime {
    pub fn of(self, policy: &Policy) -> SignedDuration {
        match self {
            Self::Reading => policy.max_check_age,
            Self::Document => DOCUMENT.max(policy.max_check_age),
        }
    }
}

/// One check.
pub struct Row {
    pub name: &'static str,
    pub lifetime: Lifetime,
    /// What is checked, an operator's sentence.
    pub about: &'static str,
    /// What helps where it does not pass.
    pub remedy: &'static str,
}

const fn reading(name: &'static str, about: &'static str, remedy: &'static str) -> Row {
    Row { name, lifetime: Lifetime::Reading, about, remedy }
}

/// The table, in the order in which results are shown.
pub const TABLE: &[Row] = &[
    reading("node_unreachable", "the node answers", "check the node's address and the way to it"),
    reading(
        "access_refused",
        "the node lets us read it; that it does not is no word on the node",
        "check the API account at that node: there, enabled, not locked, with its permissions, and its secret in the file that is configured",
    ),
    reading(
        "wrong_box",
        "the box at the node's address is the right one",
        "check the node's address and `identity` in the site's file",
    ),
    reading("unhealthy", "the node is healthy and not updating", "look at the node's own status page"),
    reading("clock_skew", "the node's clock is right", "set the node's and the daemon's clocks by NTP"),
    reading("people", "how many users and sessions there are now", "choose a window in which fewer people work"),
    reading("not_serving", "the node that serves takes a client", "look at the node's site page and its certificate"),
    Row {
        name: "certificate",
        lifetime: Lifetime::Document,
        about: "the certificate that clients see lasts until window two is over, where the driver tells",
        remedy: "renew it on the node before the run begins",
    },
    Row {
        name: "licence",
        lifetime: Lifetime::Document,
        about: "the licence lasts until window two is over, where the driver tells",
        remedy: "renew it before the run begins",
    },
    reading(
        "wrong_version",
        "each node runs what the run left it with",
        "find out who changed it; the run goes on only from what it knows",
    ),
    reading(
        "roles",
        "the two nodes stand to each other as they should",
        "establish failover or resolve the conflict first, by the vendor's guide",
    ),
    reading("versions_differ", "both nodes run one version", "bring both nodes to one version and build first"),
    reading("builds_differ", "both nodes run one build", "bring both nodes to one version and build first"),
    reading(
        "sync_too_old",
        "the last data sync is young enough",
        "run the check again after a sync, or raise `policy.max_sync_age`; set the clocks by NTP if the sync is dated later than now",
    ),
    reading("sync_failed", "the last data sync was good", "look at the pair's failover page"),
    reading(
        "sync_status_unknown",
        "the last data sync's status is a known one",
        "add the text to `policy.sync_ok_statuses` if it is good",
    ),
    reading(
        "traffic",
        "the service's name leads to the node that serves, on every server",
        "check the site's `[[traffic]]` entries against the zone's servers",
    ),
    reading(
        "agreement",
        "both nodes, the names and the box that answers behind them agree on who serves",
        "`changeover traffic look SITE` shows who says what; put right whoever is wrong",
    ),
    Row {
        name: "traffic_access",
        lifetime: Lifetime::Document,
        about: "each traffic entry would take our change, tried by one that alters nothing; a run's preflight asks this, where its plan moves traffic",
        remedy: "`changeover traffic test SITE` shows which entry refuses and why; give the key or account the right, then resume",
    },
    Row {
        name: "package_changed",
        lifetime: Lifetime::Document,
        about: "the run's own copy of the package is there and unchanged",
        remedy: "find out what touched the state folder, and start another run; the package is copied again then",
    },
    reading(
        "disk_space",
        "the disk of the state folder has room for the backups and extractions to come",
        "make room there, or lower `keep` and `keep_for` in `[backups]`",
    ),
    Row {
        name: "lsid_change",
        lifetime: Lifetime::Document,
        about: "those who read session data are ready, where the update crosses 10.6; the run asks at its gate",
        remedy: "see the page on crossing 10.6; a procedure of your own should ask at the gate `lsid_change`",
    },
    Row {
        name: "automatic_failover",
        lifetime: Lifetime::Document,
        about: "automatic failover is off; the run asks at its gate, in each window again",
        remedy: "look at /login > Management > Failover on both nodes",
    },
];

/// The row of a check; `None` for one that a later build knew.
pub fn row(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

/// Checks whose usual cure is an act on the pair: while a run is open, it alone knows which may be done.
const OF_THE_PAIR: [&str; 5] = ["roles", "versions_differ", "builds_differ", "sync_too_old", "sync_failed"];

/// What helps where a check's result is this. `open`: the site's run that is not finished.
pub fn remedy(name: &str, result: Outcome, site: &str, open: Option<&RunId>) -> String {
    let unread = unread(name).filter(|_| result == Outcome::Unknown);
    match (unread, open.filter(|_| OF_THE_PAIR.contains(&name))) {
        (Some(unread), _) => unread.to_owned(),
        (None, Some(run)) => format!("run `{run}` is open: `changeover status {run}` says what may be done"),
        (None, None) => row(name).map_or_else(String::new, |row| row.remedy.replace("SITE", site)),
    }
}

/// What an open run means for whoever asks about its site.
pub fn beside(run: &RunId) -> String {
    format!("run `{run}` is open, so that no other can be started; `changeover status {run}` says what may be done")
}

/// What nobody could read is no word on failover.
fn unread(name: &str) -> Option<&'static str> {
    match name {
        "roles" => Some("the roles are not readable: look at the node that does not answer, or lets nobody read it"),
        "sync_too_old" => Some("put right what `roles` shows; the last sync is told by the primary of a linked pair"),
        _ => None,
    }
}
