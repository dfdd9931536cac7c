//! What a person does at the vendor's pages: the wording of the instructions that the daemon gives, and of the sheet by hand.
//!
//! In the vendor's words for pages and buttons: what to do, what must not be done, and what will be seen when it is done.
//!
//! # Source
//! The vendor's failover and upgrade guides (BeyondTrust B Series). Where they don't say (where exactly the update page has its
//! file field, how a box is closed to clients) the lines don't either.

use std::net::IpAddr;
use std::path::Path;

use super::ids::{NodeId, PerNode};
use super::version::Target;

const FAILOVER_PAGE: &str = "/login > Management > Failover";

/// How a box is found: the address of its pages, its own address where known, its GUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoxAt {
    pub url: String,
    pub address: Option<IpAddr>,
    pub identity: String,
}

/// The two boxes and the name that clients use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boxes {
    pub service: String,
    pub at: PerNode<BoxAt>,
}

/// Things to do, things not to do, and how the end is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    pub steps: Vec<String>,
    pub never: Vec<String>,
    pub seen: String,
}

/// Who is on a box, as far as it tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct People {
    pub users: Option<u32>,
    pub sessions: Option<u32>,
}

impl People {
    fn told(self) -> String {
        let shown = |count: Option<u32>| count.map_or("an unknown number of".to_owned(), |count| count.to_string());
        format!("{} users are logged in and {} sessions are open", shown(self.users), shown(self.sessions))
    }
}

impl Boxes {
    /// How a box is named to a person: what the site file calls it, its address, its GUID.
    pub fn named(&self, node: NodeId) -> String {
        let BoxAt { url, address, identity } = &self.at[node];
        match address {
            Some(address) => format!("node `{node}` at {url} ({address}, GUID {identity})"),
            None => format!("node `{node}` at {url} (GUID {identity})"),
        }
    }

    fn page(&self, node: NodeId, page: &str) -> String {
        format!("{}{page}", self.at[node].url.trim_end_matches('/'))
    }

    fn open_failover(&self, node: NodeId) -> String {
        format!("Open {} as an administrator: this is {}.", self.page(node, FAILOVER_PAGE), self.named(node))
    }

    fn host(&self, node: NodeId) -> String {
        let text = &self.at[node].url;
        let Ok(url) = url::Url::parse(text) else { return text.clone() };
        format!("{}, TLS port {}", url.host_str().unwrap_or(text), url.port_or_known_default().unwrap_or(443))
    }

    fn own_address(&self) -> String {
        format!("go by the name `{}`: it may lead to the other box; the address line must show the address above", self.service)
    }

    pub fn force_sync(&self, from: NodeId, to: NodeId) -> Text {
        Text {
            steps: vec![
                self.open_failover(to),
                format!(
                    "See that the page shows this box as the backup and {} as the primary; if not, press nothing and hold the run.",
                    self.named(from)
                ),
                "Press `Sync Now` once.".to_owned(),
                format!("If the page has no such button here, press it on {} instead.", self.page(from, FAILOVER_PAGE)),
                "The sync goes on when the page is left.".to_owned(),
            ],
            never: vec![
                "press `Become Primary`, `Become Backup` or `Break Failover Relationship(s)`: roles and link stay as they are"
                    .to_owned(),
                self.own_address(),
            ],
            seen: format!(
                "node `{from}` (the primary) reports a newer last data sync with a good status, twice, more than 60 s apart since its answers may be cached."
            ),
        }
    }

    pub fn break_failover(&self, own: NodeId) -> Text {
        let peer = own.other();
        Text {
            steps: vec![
                self.open_failover(own),
                "See that the page shows this box as the primary; the link is broken from there because the primary's data are the ones to keep. If it is the backup, press nothing and hold the run.".to_owned(),
                "Press `Break Failover Relationship(s)`, and confirm if it asks.".to_owned(),
                format!(
                    "Open {}: this is {}. If it still shows a relationship after two minutes, press the same button there.",
                    self.page(peer, FAILOVER_PAGE),
                    self.named(peer)
                ),
            ],
            never: vec![
                "press `Become Primary`, `Become Backup` or `Sync Now`: another sync would make the proof of the last one void"
                    .to_owned(),
                "update or restart either box yet".to_owned(),
                self.own_address(),
            ],
            seen: "both boxes report no failover relationship. One without and the other with a role is half broken; the run then waits and says so.".to_owned(),
        }
    }

    pub fn update(&self, own: NodeId, package: &Path, sha256: &str, target: &Target) -> Text {
        Text {
            steps: vec![
                format!("Take the package {} from the machine of this run; its SHA-256 must be {sha256}.", package.display()),
                format!(
                    "Open {} as the box's administrator: this is {}.",
                    self.page(own, "/appliance > Updates"),
                    self.named(own)
                ),
                "Under the manual update choose this file, upload it and install it. The page warns that connected users may be disconnected: that is planned.".to_owned(),
                "Wait. The box is silent for 15 minutes to an hour, longer with many recordings; slow is not failed.".to_owned(),
                "On an error message leave the box as it is, copy the message, hold the run and call the vendor's support."
                    .to_owned(),
            ],
            never: vec![
                "restart or switch off this box, whatever it shows: the vendor warns against it above all during a Base update"
                    .to_owned(),
                "install this package a second time, or any other that the page offers".to_owned(),
                format!("touch {}: it serves, or is the way back", self.named(own.other())),
                self.own_address(),
            ],
            seen: format!("the box with this GUID answers again, is healthy and reports version {target}."),
        }
    }

    pub fn establish_failover(&self, primary: NodeId) -> Text {
        let standby = primary.other();
        Text {
            steps: vec![
                self.open_failover(primary),
                format!(
                    "It must be this box: where the relationship is started becomes the primary and its data are kept; all data of {} are replaced by them.",
                    self.named(standby)
                ),
                "See in /login that product version and product build are the same on both boxes, and that both hold the same inter-appliance key (/login > Management > Security).".to_owned(),
                format!(
                    "Enter the other box, {}, and as the way back to this one {}; establish the relationship.",
                    self.host(standby),
                    self.host(primary)
                ),
                "Leave automatic failover off. The first sync begins by itself after about 60 s.".to_owned(),
            ],
            never: vec![
                format!("start it from {}: that would overwrite the data to be kept", self.page(standby, FAILOVER_PAGE)),
                "press `Become Primary` or `Become Backup`. If the roles come out the wrong way round, press `Break Failover Relationship(s)` at once, before the first sync, and hold the run".to_owned(),
                self.own_address(),
            ],
            seen: format!(
                "node `{primary}` reports primary, node `{standby}` backup, and then node `{primary}` a newer good data sync."
            ),
        }
    }

    /// `until`: by when the users should have left.
    pub fn drain(&self, own: NodeId, until: &str, people: People) -> Text {
        Text {
            steps: vec![
                format!("On {}: {}.", self.named(own), people.told()),
                format!("Ask the users to end their sessions and to log out before {until}."),
                "Nothing is ended for them before that time, and no user is logged out.".to_owned(),
            ],
            never: vec!["restart the box to get rid of sessions".to_owned()],
            seen: "the box reports no logged-in user and no session; at the time above the run goes by its policy.".to_owned(),
        }
    }

    pub fn quiesce(&self, own: NodeId, people: People) -> Text {
        Text {
            steps: vec![
                format!("Close {} to clients: {}.", self.named(own), people.told()),
                format!(
                    "The vendor documents no switch for that: let firewall, NAT or balancer keep clients of `{}` away from {}.",
                    self.service,
                    self.door(own)
                ),
                format!(
                    "Leave the way open for this machine and for {}: the run reads the box and fetches its data.",
                    self.named(own.other())
                ),
            ],
            never: vec!["switch the box off, and do not disable its API account".to_owned()],
            seen: "the box reports no logged-in user and no session, and none comes again.".to_owned(),
        }
    }

    pub fn reopen(&self, own: NodeId) -> Text {
        Text {
            steps: vec![
                format!("Open {} to clients again.", self.named(own)),
                format!("Take back what keeps clients of `{}` away from {}.", self.service, self.door(own)),
            ],
            never: vec!["change roles or DNS: only this box's door is opened".to_owned()],
            seen: format!(
                "nothing keeps clients away from the box any more; unless it is the backup, which serves nobody, it serves the site page for `{}` at its own address.",
                self.service
            ),
        }
    }

    /// Only by hand: the daemon has an interface for it.
    pub fn backup(&self, own: NodeId) -> Text {
        Text {
            steps: vec![
                format!(
                    "Open {} as an administrator: this is {}.",
                    self.page(own, "/login > Management > Software"),
                    self.named(own)
                ),
                "Press `Download Backup`; keep the file under the box's name, its version and today's date.".to_owned(),
                "The Vault's encryption key is not in it: save that too where the Vault is used.".to_owned(),
            ],
            never: vec![self.own_address()],
            seen: "the file ends in `.nsb` and is not empty.".to_owned(),
        }
    }

    /// Only by hand: the daemon has an interface for it. `since`: the last good sync.
    pub fn extract_data(&self, own: NodeId, since: &str) -> Text {
        Text {
            steps: vec![
                format!("On {}: save the session reports of everything since {since}, with their recordings.", self.named(own)),
                "The reporting API gives them (`/api/reporting`), or the vendor's Integration Client; keep the files where they outlive the box.".to_owned(),
            ],
            never: vec!["establish failover before: what is not saved here is replaced by the other box's data".to_owned()],
            seen: "the newest session of the box is in the files, and no session has begun since.".to_owned(),
        }
    }

    /// The box can serve: version, and the site's page at its own address.
    pub fn verify(&self, own: NodeId, version: &Target) -> Text {
        Text {
            steps: vec![
                format!("Open {} as an administrator: this is {}.", self.page(own, "/login > Status"), self.named(own)),
                format!("See that it runs {version} and shows no problem, twice, more than a minute apart."),
                format!(
                    "Unless it is closed on purpose, see that it serves the site page for `{}` at {}.",
                    self.service,
                    self.door(own)
                ),
            ],
            never: vec![self.own_address()],
            seen: format!(
                "the GUID is {}, the version {version}, and a client for `{}` is taken.",
                self.at[own].identity, self.service
            ),
        }
    }

    pub fn automatic_failover_off(&self) -> Text {
        Text {
            steps: NodeId::BOTH.map(|node| format!("{} See that automatic failover is off.", self.open_failover(node))).to_vec(),
            never: vec![self.own_address()],
            seen: "the pages of both boxes show it switched off.".to_owned(),
        }
    }

    fn door(&self, node: NodeId) -> String {
        self.at[node].address.map_or_else(|| self.at[node].url.clone(), |address| address.to_string())
    }
}
