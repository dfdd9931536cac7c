//! One call of the box.

use reqwest::Method;

/// What is called: a path of the box and its parameters, which a POST brings as a form (the vendor takes no other) and everything
/// else in the URL. All of them may be called twice without harm; none holds a secret.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    pub method: Method,
    pub path: &'a str,
    pub query: Vec<(&'a str, String)>,
}
