//! Each kind of change on each side, against what the sync then does.

use std::collections::BTreeMap;

use super::*;

const KINDS: [&str; 3] = ["user", "group", "jump_shell"];

fn item(kind: &str, id: &str, name: &str, value: &str) -> Item {
    let digest = hex(&Sha256::digest(format!("{name}\0{value}")));
    Item { kind: kind.to_owned(), id: id.to_owned(), name: name.to_owned(), digest, enabled: None }
}

fn listing(items: &[Item]) -> Listing {
    Listing::new(items.to_vec(), BTreeMap::new()).unwrap()
}

/// One item beside the two that never change; nothing for an item that is not there.
fn with(kind: &str, one: Option<(&str, &str)>) -> Listing {
    let fixed = [item("user", "1", "admin", "1"), item("team", "1", "support", "1")];
    let one = one.map(|(name, value)| item(kind, "7", name, value));
    listing(&fixed.into_iter().chain(one).collect::<Vec<_>>())
}

fn side<'a>(node: NodeId, before: &'a Listing, now: &'a Listing) -> Side<'a> {
    Side { node, before, now: Ok(now) }
}

type State = Option<(&'static str, &'static str)>;

/// What an item can be: not there, as it was, another value, a third value, another name.
const STATES: [State; 5] = [None, Some(("x", "1")), Some(("x", "2")), Some(("x", "3")), Some(("y", "1"))];

fn change(before: State, now: State) -> Option<Change> {
    match (before, now) {
        (None, Some(_)) => Some(Change::Added),
        (Some(_), None) => Some(Change::Removed),
        (before, now) => (before != now).then_some(Change::Changed),
    }
}

/// R9: for each kind and everything that can become of an item on both nodes: a line for whatever the sync takes away, none where
/// nothing is lost, and what is kept as information.
#[test]
fn r9_the_next_sync_takes_away_nothing_that_has_no_line() {
    let mut cases = 0;
    for kind in KINDS {
        for before in [None, STATES[1]] {
            for left in STATES {
                for kept in STATES {
                    cases += 1;
                    judge(kind, before, left, kept);
                }
            }
        }
    }
    assert_eq!(cases, 150);
}

fn judge(kind: &str, before: State, left: State, kept: State) {
    let case = format!("{kind}: {before:?} became {left:?} on `a` and {kept:?} on `b`");
    let old = with(kind, before);
    let (a, b) = (with(kind, left), with(kind, kept));
    let lines = compare(&side(NodeId::A, &old, &a), Some(&side(NodeId::B, &old, &b)));
    let (lost, keeps): (Vec<&Line>, Vec<&Line>) = lines.iter().partition(|line| line.lost);
    // The sync leaves `b`'s state on both: lost is what `a` was made to be and `b` is not.
    let taken = change(before, left).filter(|_| left != kept);
    assert_eq!(lost.iter().map(|line| line.change).collect::<Vec<_>>(), Vec::from_iter(taken), "{case}");
    for line in &lost {
        assert_eq!((line.id.as_str(), line.node), (format!("a.{kind}.7").as_str(), NodeId::A), "{case}");
        assert_eq!(line.both, change(before, kept).is_some(), "{case}");
        let told =
            if line.change == Change::Removed { "remove it by hand on node `b`" } else { "re-enter it by hand on node `b`" };
        assert!(line.fate().contains(told), "{case}: {}", line.fate());
    }
    let information = change(before, kept).filter(|_| taken.is_none());
    assert_eq!(keeps.iter().map(|line| line.change).collect::<Vec<_>>(), Vec::from_iter(information), "{case}");
    assert!(keeps.iter().all(|line| line.node == NodeId::B && line.fate().contains("is kept")), "{case}");
}

/// What was entered again on the node that is kept has another id there.
#[test]
fn r9_what_was_entered_again_by_hand_is_no_line() {
    let old = with("user", None);
    let left = with("user", Some(("anna", "1")));
    let again =
        |value| listing(&[item("user", "1", "admin", "1"), item("team", "1", "support", "1"), item("user", "9", "anna", value)]);
    for (value, lost) in [("1", 0), ("2", 1)] {
        let kept = again(value);
        let lines = compare(&side(NodeId::A, &old, &left), Some(&side(NodeId::B, &old, &kept)));
        assert_eq!(lines.iter().filter(|line| line.lost).count(), lost, "{lines:?}");
    }
}

/// Where the keeper tells nothing every change of the other node is a line.
#[test]
fn r9_a_keeper_that_tells_nothing_excuses_nothing() {
    let (old, now) = (with("user", Some(("x", "1"))), with("user", Some(("x", "2"))));
    let lines = compare(&side(NodeId::B, &old, &now), None);
    assert_eq!(lines.iter().map(|line| (line.id.as_str(), line.lost)).collect::<Vec<_>>(), [("b.user.7", true)]);
}

fn of_fields(items: &[Item], fields: &[(&str, &str)]) -> Listing {
    let fields = fields.iter().map(|(kind, names)| ((*kind).to_owned(), (*names).to_owned())).collect();
    Listing::new(items.to_vec(), fields).unwrap()
}

/// An update brings other fields, so that every digest differs: what can't be told is one line, not a line an item.
#[test]
fn r9_other_fields_are_told_once_and_names_are_compared_all_the_same() {
    let user = |id: &str, name: &str, value: &str| item("user", id, name, value);
    let before = of_fields(&[user("1", "anna", "old"), user("2", "bert", "old")], &[("user", "f1")]);
    let cases = [
        (of_fields(&[user("1", "anna", "new"), user("2", "bert", "new")], &[("user", "f2")]), vec!["a.user.*"]),
        (of_fields(&[user("1", "anna", "new"), user("2", "cora", "new")], &[("user", "f2")]), vec!["a.user.2", "a.user.*"]),
        (of_fields(&[user("1", "anna", "new")], &[("user", "f2")]), vec!["a.user.2", "a.user.*"]),
        (of_fields(&[], &[("user", "")]), vec!["a.user.1", "a.user.2"]),
        (of_fields(&[user("1", "anna", "old")], &[("user", "f1"), ("team", "f1")]), vec!["a.user.2", "a.team.*"]),
        (of_fields(&[], &[]), vec!["a.user.*"]),
    ];
    for (now, expected) in cases {
        let lines = compare(&side(NodeId::A, &before, &now), None);
        assert_eq!(lines.iter().map(|line| line.id.as_str()).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn r9_settings_that_are_told_no_more_are_one_line() {
    let before = with("user", None);
    let left = Side { node: NodeId::A, before: &before, now: Err("access was refused") };
    let lines = compare(&left, Some(&side(NodeId::B, &before, &before)));
    assert_eq!(lines.len(), 1);
    assert!(lines[0].lost && lines[0].name.contains("access was refused") && lines[0].fate().contains("by hand"), "{lines:?}");
}

#[test]
fn too_many_lines_are_told_kind_by_kind() {
    let many = |count: usize, value: &str| {
        let items = (0..count).map(|id| item(if id % 2 == 0 { "user" } else { "group" }, &id.to_string(), "x", value));
        listing(&items.collect::<Vec<_>>())
    };
    let before = listing(&[]);
    let all = many(MOST_LINES, "1");
    assert_eq!(compare(&side(NodeId::A, &before, &all), None).len(), MOST_LINES);
    let (more, other) = (many(MOST_LINES + 1, "1"), many(MOST_LINES + 1, "2"));
    let lines = compare(&side(NodeId::A, &before, &more), None);
    assert_eq!(lines.iter().map(|line| line.id.as_str()).collect::<Vec<_>>(), ["a.group.added", "a.user.added"]);
    let changed = compare(&side(NodeId::A, &before, &other), None);
    assert_ne!(lines[0].digest, changed[0].digest, "a change among them must open the line again");
}
