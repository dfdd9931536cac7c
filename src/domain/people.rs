//! People: who the users of the operating system are to us, and what they may say.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A person by the user name that the kernel vouches for at the socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub user: String,
    /// As people call them, in messages and reports.
    pub name: String,
    pub roles: Vec<String>,
}

/// Who said something: the user, and the name that the config had for them then. Records keep both, so that they can be read
/// when the config has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    pub user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({})", self.user),
            None => f.write_str(&self.user),
        }
    }
}

/// Everybody that the config names. Where it names nobody, whoever reaches the socket may say everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    known: BTreeMap<String, Person>,
}

/// Why a person's word is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    #[error("user `{0}` is not among the people of the config")]
    Unknown(String),
    #[error("user `{user}` has {}, and one of {} is asked for", roles_of(has), roles_of(asked))]
    Role { user: String, has: Vec<String>, asked: Vec<String> },
}

fn roles_of(roles: &[String]) -> String {
    if roles.is_empty() {
        return "no role".to_owned();
    }
    roles.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(", ")
}

impl People {
    pub fn new(people: impl IntoIterator<Item = Person>) -> Self {
        Self { known: people.into_iter().map(|person| (person.user.clone(), person)).collect() }
    }

    /// True where the config names nobody: roles mean nothing then.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub fn of(&self, user: &str) -> Option<&Person> {
        self.known.get(user)
    }

    /// Everybody, by user.
    pub fn all(&self) -> impl Iterator<Item = &Person> {
        self.known.values()
    }

    /// The user with the person's name: `Operator One (op1)`; the user alone where the config has no name.
    pub fn who(&self, user: &str) -> Who {
        Who { user: user.to_owned(), name: self.of(user).map(|person| person.name.clone()) }
    }

    /// Whether a user may speak in one of these roles; none asked for: whether they may speak at all.
    ///
    /// # Errors
    /// The user is not known, or has none of the roles. Where the config names nobody there is no error.
    pub fn may(&self, user: &str, roles: &[String]) -> Result<(), NotAllowed> {
        if self.is_empty() {
            return Ok(());
        }
        let person = self.of(user).ok_or_else(|| NotAllowed::Unknown(user.to_owned()))?;
        if roles.is_empty() || person.roles.iter().any(|role| roles.contains(role)) {
            return Ok(());
        }
        Err(NotAllowed::Role { user: user.to_owned(), has: person.roles.clone(), asked: roles.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> People {
        let person = |user: &str, roles: &[&str]| Person {
            user: user.to_owned(),
            name: user.to_uppercase(),
            roles: roles.iter().map(ToString::to_string).collect(),
        };
        People::new([person("op1", &["operator"]), person("own1", &["owner", "operator"]), person("guest", &[])])
    }

    #[test]
    fn a_word_needs_one_of_the_roles() {
        let owner = ["owner".to_owned()];
        let people = people();
        assert_eq!(people.may("own1", &owner), Ok(()));
        assert_eq!(people.may("guest", &[]), Ok(()));
        let refused = people.may("op1", &owner).unwrap_err();
        assert_eq!(refused.to_string(), "user `op1` has `operator`, and one of `owner` is asked for");
        let refused = people.may("guest", &owner).unwrap_err();
        assert_eq!(refused.to_string(), "user `guest` has no role, and one of `owner` is asked for");
        let refused = people.may("nobody", &[]).unwrap_err();
        assert_eq!(refused.to_string(), "user `nobody` is not among the people of the config");
    }

    #[test]
    fn where_nobody_is_named_everybody_may_speak() {
        assert_eq!(People::default().may("nobody", &["owner".to_owned()]), Ok(()));
        assert_eq!(people().who("op1").to_string(), "OP1 (op1)");
        assert_eq!(People::default().who("op1").to_string(), "op1");
    }
}
