//! Which editions of the command API a box has, and whether they say the same.
//!
//! The XML edition exists at every release and is the common base. The JSON edition (v2) came later, an update can bring it,
//! and while only one node is updated only one may have it: so it is looked for at each version and build that is met.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::health::Health;
use crate::domain::version::Version;

/// Which editions are asked, as the site file has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Editions {
    /// XML, and the JSON edition beside it where the box offers it; they must agree.
    #[default]
    Auto,
    /// Only XML.
    Xml,
    /// Only the JSON edition: for boxes whose XML edition is switched off.
    V2,
}

/// What was found of a box's JSON edition, and of which software.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    identity: String,
    version: Version,
    build: Option<String>,
    offered: bool,
}

/// Remembers what was found until the box runs something else.
#[derive(Default)]
pub struct Remembered(Mutex<Option<Found>>);

impl Remembered {
    /// Whether the box that says this offers the JSON edition; `None` where that must be found out (again).
    pub fn offered(&self, health: &Health) -> Option<bool> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.as_ref().filter(|found| found.is_of(health)).map(|found| found.offered)
    }

    pub fn keep(&self, health: &Health, offered: bool) {
        let Health { identity, version, build, .. } = health.clone();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Found { identity, version, build, offered });
    }

    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Found {
    fn is_of(&self, health: &Health) -> bool {
        self.identity.eq_ignore_ascii_case(&health.identity) && self.version == health.version && self.build == health.build
    }
}

/// A fact that two answers state differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    pub fact: &'static str,
    pub xml: String,
    pub json: String,
}

impl Disagreement {
    /// The first fact that both state and differently. Sync facts are not among them: the JSON edition has them from the
    /// primary only, and the two may be told at different times.
    pub fn between(xml: &Health, json: &Health) -> Option<Self> {
        let builds = xml.build.as_ref().zip(json.build.as_ref());
        let facts = [
            ("GUID", !xml.identity.eq_ignore_ascii_case(&json.identity), xml.identity.clone(), json.identity.clone()),
            ("version", xml.version != json.version, xml.version.to_string(), json.version.to_string()),
            (
                "build",
                builds.is_some_and(|(xml, json)| xml != json),
                xml.build.clone().unwrap_or_default(),
                json.build.clone().unwrap_or_default(),
            ),
            ("role", xml.role != json.role, xml.role.as_str().to_owned(), json.role.as_str().to_owned()),
            ("list of shared addresses", set(xml) != set(json), listed(xml), listed(json)),
        ];
        let differing = facts.into_iter().find(|(_, differs, ..)| *differs);
        differing.map(|(fact, _, xml, json)| Self { fact, xml, json })
    }
}

/// Their order says nothing.
fn set(health: &Health) -> BTreeSet<IpAddr> {
    health.shared_ips.iter().copied().collect()
}

fn listed(health: &Health) -> String {
    let addresses: Vec<String> = set(health).iter().map(IpAddr::to_string).collect();
    if addresses.is_empty() { "none".to_owned() } else { addresses.join(", ") }
}

/// Since when the two editions have disagreed without a break.
#[derive(Default)]
pub struct Quarrel(Mutex<Option<Timestamp>>);

impl Quarrel {
    pub fn ended(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Puts the disagreement into an operator's words. Kept answers of different age look like this for at most `cache`.
    pub fn told(&self, what: &Disagreement, now: Timestamp, cache: SignedDuration) -> String {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(now);
        let Disagreement { fact, xml, json } = what;
        let lasted = now.duration_since(since);
        let head = format!(
            "the two editions of its interface disagree: expected one {fact}, found `{xml}` by XML and `{json}` by JSON v2; \
             neither is used"
        );
        if lasted <= cache {
            return format!("{head}; either may be a kept answer, up to {cache:#} old: the next looks tell");
        }
        format!(
            "{head}; they have disagreed for {lasted:#}, longer than answers are kept: look at the box's own pages, and set \
             `api` of this node to the edition that is right"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::site::Role;

    fn health(change: impl FnOnce(&mut Health)) -> Health {
        let mut health = Health {
            identity: "4fa1c6e27d0b4b1e9a3c58d2e6f70a11".to_owned(),
            version: "26.1.1".parse().unwrap(),
            build: Some("5".to_owned()),
            role: Role::Primary,
            healthy: true,
            message: None,
            last_sync: None,
            shared_ips: Vec::new(),
        };
        change(&mut health);
        health
    }

    #[test]
    fn what_is_remembered_is_of_one_software_of_one_box() {
        let remembered = Remembered::default();
        assert_eq!(remembered.offered(&health(|_| {})), None);
        for offered in [true, false] {
            remembered.keep(&health(|_| {}), offered);
            assert_eq!(remembered.offered(&health(|other| other.role = Role::Standby)), Some(offered), "a role is no software");
            assert_eq!(remembered.offered(&health(|other| other.version = "26.1.2".parse().unwrap())), None);
            assert_eq!(remembered.offered(&health(|other| other.build = Some("6".to_owned()))), None);
            assert_eq!(remembered.offered(&health(|other| other.identity = "9".repeat(32))), None);
        }
        remembered.forget();
        assert_eq!(remembered.offered(&health(|_| {})), None);
    }

    #[test]
    fn each_fact_that_both_state_must_be_the_same() {
        let health = |change: fn(&mut Health)| {
            health(|whole| {
                whole.shared_ips = vec![[192, 0, 2, 5].into()];
                change(whole);
            })
        };
        let whole = health(|_| {});
        type Change = fn(&mut Health);
        let cases: [(Change, Option<&str>); 10] = [
            (|_| {}, None),
            (|other| other.identity = other.identity.to_uppercase(), None),
            (|other| other.identity = "9".repeat(32), Some("GUID")),
            (|other| other.version = "26.1.2".parse().unwrap(), Some("version")),
            (|other| other.version = "26.1.1.0".parse().unwrap(), None),
            (|other| other.build = Some("6".to_owned()), Some("build")),
            (|other| other.build = None, None),
            (|other| other.role = Role::Standalone, Some("role")),
            (|other| other.shared_ips = vec![[192, 0, 2, 5].into(); 2], None),
            (|other| other.shared_ips = vec![[192, 0, 2, 5].into(), [192, 0, 2, 6].into()], Some("list of shared addresses")),
        ];
        for (at, (change, fact)) in cases.into_iter().enumerate() {
            let other = health(change);
            assert_eq!(Disagreement::between(&whole, &other).map(|found| found.fact), fact, "case {at}");
            assert_eq!(Disagreement::between(&other, &whole).map(|found| found.fact), fact, "case {at}, turned");
        }
    }

    #[test]
    fn a_disagreement_is_told_with_both_values_and_how_long_it_may_last() {
        let what = Disagreement { fact: "role", xml: "primary".to_owned(), json: "standalone".to_owned() };
        let (quarrel, start, cache) = (Quarrel::default(), Timestamp::UNIX_EPOCH, SignedDuration::from_secs(60));
        let after = |seconds| quarrel.told(&what, start + SignedDuration::from_secs(seconds), cache);
        for seconds in [0, 60] {
            let told = after(seconds);
            assert!(
                told.contains("`primary` by XML and `standalone` by JSON v2") && told.contains("may be a kept answer"),
                "{told}"
            );
        }
        assert!(after(61).contains("set `api` of this node"), "{}", after(61));
        quarrel.ended();
        assert!(after(100).contains("may be a kept answer"), "a new one");
    }
}
