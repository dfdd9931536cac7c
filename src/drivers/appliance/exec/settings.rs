//! What `settings` prints, and what is made of it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::listing::{Item, Listing, Told};

#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    items: Vec<ItemListed>,
}

/// An id may be a number: most programs get it as one.
#[derive(Debug, Deserialize)]
struct ItemListed {
    kind: String,
    id: Id,
    name: String,
    digest: String,
    enabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Text(String),
}

impl Listed {
    /// The program sees to it that digests compare across versions, so no fields are told apart.
    pub fn told(self) -> Result<Told, String> {
        let items = self.items.into_iter().map(Item::from).collect();
        Listing::new(items, BTreeMap::new()).map(Told::Listing)
    }
}

impl From<ItemListed> for Item {
    fn from(listed: ItemListed) -> Self {
        let ItemListed { kind, id, name, digest, enabled } = listed;
        let id = match id {
            Id::Number(number) => number.to_string(),
            Id::Text(text) => text,
        };
        Self { kind, id, name, digest, enabled }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(items: &Value) -> Result<Told, String> {
        let listed: Listed = serde_json::from_value(json!({ "items": items, "future": 1 })).map_err(|error| error.to_string())?;
        listed.told()
    }

    fn item(key: &str, value: Value) -> Value {
        let mut item = json!({ "kind": "user", "id": "1", "name": "anna", "digest": "d" });
        item[key] = value;
        item
    }

    #[test]
    fn items_are_sorted_ids_may_be_numbers_and_more_is_ignored() {
        let items =
            json!([item("id", json!(7)), item("more", json!([1])), item("enabled", Value::Null), item("kind", json!("job"))]);
        let Ok(Told::Listing(listing)) = read(&items) else { panic!("a listing") };
        let ids: Vec<_> = listing.items.iter().map(|item| format!("{}.{}", item.kind, item.id)).collect();
        assert_eq!(ids, ["job.1", "user.1", "user.7"]);
        assert_eq!(read(&json!([])), Ok(Told::Listing(Listing::default())));
    }

    #[test]
    fn what_can_t_be_an_item_gives_no_listing() {
        let long = "x".repeat(257);
        for wrong in [
            item("kind", json!("")),
            item("kind", json!("Jump Item")),
            item("kind", json!(1)),
            item("id", json!("")),
            item("id", json!("a b")),
            item("id", json!(-1)),
            item("name", json!(long)),
            item("name", json!("a\nb")),
            item("digest", json!(long)),
            item("digest", Value::Null),
            item("enabled", json!("yes")),
        ] {
            assert!(read(&json!([wrong])).is_err(), "{wrong}");
        }
        let twice = read(&json!([item("digest", json!("1")), item("digest", json!("2"))])).unwrap_err();
        assert!(twice.contains("twice"), "{twice}");
    }
}
