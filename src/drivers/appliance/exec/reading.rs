//! What `observe` prints, and what is made of it.

use std::net::IpAddr;
use std::str::FromStr as _;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, de};

use crate::domain::site::{AtWork, MOST_AT_WORK, Observation, Role, SyncFact};
use crate::domain::version::Version;

/// Texts go into records and onto screens.
const MOST_TEXT: usize = 256;

/// An age above this is an error of the program; a year of seconds.
const MOST_AGE_S: f64 = 366.0 * 86_400.0;

/// Times between 1970 and 3000: sums with any duration of ours stay in range.
const LATEST_S: i64 = 32_503_680_000;

#[derive(Debug, Deserialize)]
pub(super) struct Reading {
    identity: String,
    version: Version,
    role: Role,
    healthy: bool,
    build: Option<String>,
    updating: Option<bool>,
    last_sync: Option<Sync>,
    users: Option<u32>,
    sessions: Option<u32>,
    #[serde(default, deserialize_with = "optional_time")]
    as_of: Option<Timestamp>,
    may_be_old_s: Option<f64>,
    #[serde(default, deserialize_with = "optional_time")]
    certificate_until: Option<Timestamp>,
    #[serde(default, deserialize_with = "optional_time")]
    licence_until: Option<Timestamp>,
    shared_ips: Option<Vec<IpAddr>>,
    at_work: Option<Vec<Person>>,
}

/// Somebody who is on the node.
#[derive(Debug, Deserialize)]
struct Person {
    who: String,
    from: Option<String>,
    #[serde(default, deserialize_with = "optional_time")]
    since: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct Sync {
    #[serde(deserialize_with = "time")]
    at: Timestamp,
    ok: Option<bool>,
    status: Option<String>,
}

impl Reading {
    /// The facts, aged by the program's own running time: it may have read them at its start.
    pub fn into_observation(self, began: Timestamp, ended: Timestamp) -> Result<Observation, String> {
        let status = self.last_sync.as_ref().and_then(|sync| sync.status.as_deref());
        bounded("identity", Some(&self.identity))?;
        bounded("build", self.build.as_deref())?;
        bounded("last_sync.status", status)?;
        let at_work = people(self.at_work.unwrap_or_default())?;
        let ran = ended.duration_since(began).max(SignedDuration::ZERO);
        Ok(Observation {
            at: ended,
            identity: self.identity,
            version: self.version,
            build: self.build,
            role: self.role,
            healthy: self.healthy,
            updating: self.updating.unwrap_or(false),
            last_sync: self.last_sync.map(|Sync { at, ok, status }| SyncFact { at, ok, status }),
            users: self.users,
            sessions: self.sessions,
            // Nothing can be known of a later moment than now; a clock that is ahead must not prove more.
            as_of: self.as_of.map(|moment| moment.min(ended)),
            may_be_old: age(self.may_be_old_s)? + ran,
            clock_skew: None,
            takes_clients: None,
            certificate_until: self.certificate_until,
            licence_until: self.licence_until,
            shared_ips: self.shared_ips,
            at_work,
        })
    }
}

/// The first of them; a name that is too long is a program gone wrong.
fn people(told: Vec<Person>) -> Result<Vec<AtWork>, String> {
    let told = told.into_iter().take(MOST_AT_WORK);
    told.map(|Person { who, from, since }| {
        bounded("at_work.who", Some(&who))?;
        bounded("at_work.from", from.as_deref())?;
        Ok(AtWork { who, from, since })
    })
    .collect()
}

fn bounded(name: &str, text: Option<&str>) -> Result<(), String> {
    match text {
        Some(text) if text.len() > MOST_TEXT => Err(format!("`{name}` has {} bytes, expected at most {MOST_TEXT}", text.len())),
        _ => Ok(()),
    }
}

fn age(seconds: Option<f64>) -> Result<SignedDuration, String> {
    let seconds = seconds.unwrap_or(0.0);
    if (0.0..=MOST_AGE_S).contains(&seconds) {
        SignedDuration::try_from_secs_f64(seconds).map_err(|error| format!("`may_be_old_s`: {error}"))
    } else {
        Err(format!("`may_be_old_s` is {seconds}, expected between 0 and {MOST_AGE_S}"))
    }
}

/// RFC 3339, the offset also as `+0000`, or UNIX seconds as a number or digits.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Seconds(i64),
        Text(String),
    }
    let read = match Written::deserialize(deserializer)? {
        Written::Seconds(seconds) => from_seconds(seconds),
        Written::Text(text) => match text.parse() {
            Ok(seconds) => from_seconds(seconds),
            Err(_) => Timestamp::from_str(&text).ok().and_then(|moment| from_seconds(moment.as_second()).map(|_| moment)),
        },
    };
    read.ok_or_else(|| de::Error::custom("a time was expected, as in `2026-11-22T01:02:03Z`, between 1970 and 3000"))
}

fn optional_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    #[derive(Deserialize)]
    struct Inner(#[serde(deserialize_with = "time")] Timestamp);
    Ok(Option::<Inner>::deserialize(deserializer)?.map(|Inner(moment)| moment))
}

fn from_seconds(seconds: i64) -> Option<Timestamp> {
    (0..=LATEST_S).contains(&seconds).then(|| Timestamp::from_second(seconds).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(changes: serde_json::Value) -> Result<Observation, String> {
        let mut value = json!({ "identity": "box", "version": "24.1.1", "role": "primary", "healthy": true });
        for (key, change) in changes.as_object().unwrap() {
            value[key] = change.clone();
        }
        let reading: Reading = serde_json::from_value(value).map_err(|error| error.to_string())?;
        reading.into_observation(at(1000), at(1002))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn absent_facts_are_absent_and_age_counts_the_programs_time() {
        let seen = read(json!({})).unwrap();
        assert_eq!((seen.at, seen.may_be_old, seen.as_of), (at(1002), SignedDuration::from_secs(2), None));
        assert_eq!((seen.updating, seen.last_sync, seen.users, seen.sessions), (false, None, None, None));
        let seen = read(json!({ "may_be_old_s": 60.5, "as_of": 990, "users": 3, "future": { "key": 1 } })).unwrap();
        assert_eq!((seen.may_be_old, seen.as_of, seen.users), (SignedDuration::from_millis(62_500), Some(at(990)), Some(3)));
        assert_eq!(read(json!({ "as_of": 5000 })).unwrap().as_of, Some(at(1002)), "a clock ahead proves nothing");
    }

    #[test]
    fn times_are_read_in_each_spelling() {
        for text in [json!("2026-11-22T01:02:03Z"), json!("2026-11-22T02:02:03+0100"), json!("2026-11-22T01:02:03+00:00")] {
            let sync = read(json!({ "last_sync": { "at": text } })).unwrap().last_sync.unwrap();
            assert_eq!(sync.at.as_second(), 1_795_309_323, "{text}");
        }
        for text in [json!(1_795_309_323), json!("1795309323"), json!("2026-11-22T01:02:03+0000")] {
            assert_eq!(read(json!({ "as_of": text, "last_sync": null })).unwrap().as_of, Some(at(1002)), "{text}");
        }
    }

    #[test]
    fn wrong_types_and_sizes_give_no_reading() {
        let long = "x".repeat(MOST_TEXT + 1);
        for change in [
            json!({ "identity": null }),
            json!({ "identity": long }),
            json!({ "build": long }),
            json!({ "version": "new" }),
            json!({ "role": "backup" }),
            json!({ "role": "Primary" }),
            json!({ "healthy": "yes" }),
            json!({ "users": -1 }),
            json!({ "users": 1.5 }),
            json!({ "last_sync": {} }),
            json!({ "last_sync": { "at": "yesterday" } }),
            json!({ "last_sync": { "at": "2026-11-22T01:02:03" } }),
            json!({ "last_sync": { "at": 1000, "status": long } }),
            json!({ "as_of": -1 }),
            json!({ "as_of": i64::MAX }),
            json!({ "as_of": "9999-12-30T22:00:00Z" }),
            json!({ "may_be_old_s": -1 }),
            json!({ "may_be_old_s": 1e300 }),
        ] {
            assert!(read(change.clone()).is_err(), "{change}");
        }
    }
}
