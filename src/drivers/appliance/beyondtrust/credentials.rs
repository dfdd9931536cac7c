//! Whom a box is told that we are. A node may have a second set: a sync can overwrite the API accounts of the box that gets it.

use secrecy::SecretString;

/// One set of credentials of one box.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The API account: its client id and secret; or, by `login`, a user's name and password.
    pub client: Account,
    pub login: Login,
}

/// How a box is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// By a token for an API account.
    Token,
    /// By name and password in each call: releases before 16.1.
    Password,
}

/// A name and its secret.
#[derive(Clone, Debug)]
pub struct Account {
    /// The client id, or the user's name. No secret: it stands in messages and metrics.
    pub name: String,
    pub secret: SecretString,
}

impl Credentials {
    /// A set with an API account.
    pub fn client(id: impl Into<String>, secret: SecretString) -> Self {
        Self { client: Account { name: id.into(), secret }, login: Login::Token }
    }

    /// A user of a release before 16.1.
    pub fn user(name: impl Into<String>, password: SecretString) -> Self {
        Self { client: Account { name: name.into(), secret: password }, login: Login::Password }
    }
}
