//! Time limits in words: how long, what is covered, and where the number is from.

use jiff::SignedDuration;

use super::action::Kind;
use super::site::Policy;
use super::window::format_duration;

/// The limit of an action for a run with this policy: `3h, from the order to its proof; the default, …`.
pub fn told(policy: &Policy, kind: Kind) -> String {
    let key = format!("policy.limits.{kind}");
    let (limit, from) = match policy.limits.get(kind.name()) {
        Some(limit) => (*limit, format!("set by `{key}`")),
        None if kind == Kind::Drain => (policy.drain_limit, format!("by `policy.drain_limit`, as `{key}` is not set")),
        None => (kind.default_limit(), default(kind)),
    };
    words(limit, kind, &from)
}

/// As [`told`], where only the number is known.
pub fn of(kind: Kind, limit: SignedDuration) -> String {
    let from = if limit == kind.default_limit() { default(kind) } else { format!("set by `policy.limits.{kind}`") };
    words(limit, kind, &from)
}

fn default(kind: Kind) -> String {
    format!("the default, `policy.limits.{kind}` sets another")
}

fn words(limit: SignedDuration, kind: Kind, from: &str) -> String {
    let reason = reason(kind).map(|reason| format!("; {reason}")).unwrap_or_default();
    format!("{}, {}; {from}{reason}", format_duration(limit), covers(kind))
}

fn covers(kind: Kind) -> &'static str {
    match kind {
        Kind::Backup | Kind::ExtractData => "from the order to the last file, waits for the API account's budget included",
        Kind::EstablishFailover => "for the link, and once more for its first sync",
        Kind::Drain => "from the order until the last user has left",
        Kind::Preflight | Kind::CheckSync | Kind::Verify | Kind::FinalCheck => "as long as it is looked for",
        _ => "from the order to its proof",
    }
}

/// What the vendor says of it.
fn reason(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Update => Some("the vendor says 15 minutes to 1 hour, much longer with many recordings (BG-03)"),
        Kind::ForceSync | Kind::EstablishFailover => Some("the vendor names no time for a sync, it grows with the data"),
        Kind::Backup | Kind::ExtractData => Some("the vendor names no time, it grows with the data"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::action::TABLE;
    use super::*;

    #[test]
    fn bg_03_every_limit_says_how_long_what_and_whence() {
        let hours = SignedDuration::from_hours(5);
        for row in TABLE {
            let mut policy = Policy::default();
            let default = told(&policy, row.kind);
            policy.limits.insert(row.kind.name().to_owned(), hours);
            let set = told(&policy, row.kind);
            assert!(default.contains(&format!("`policy.limits.{}`", row.kind)), "{default}");
            assert!(set.starts_with("5h, ") && set.contains(&format!("set by `policy.limits.{}`", row.kind)), "{set}");
            assert_eq!(of(row.kind, hours), set);
        }
        assert_eq!(
            told(&Policy::default(), Kind::Update),
            "3h, from the order to its proof; the default, `policy.limits.update` sets another; the vendor says 15 minutes to \
             1 hour, much longer with many recordings (BG-03)"
        );
        assert!(told(&Policy::default(), Kind::Drain).contains("`policy.drain_limit`"));
    }
}
