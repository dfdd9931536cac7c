//! Parameters of a call, from the query and a form body alike.

use url::form_urlencoded;

/// More parameters than any call has are not read.
const MOST: usize = 64;

/// The parameters in order.
pub struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    /// Reads the query, then the body as a form.
    pub fn read(query: &str, body: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(body));
        Self { pairs: pairs.take(MOST).map(|(name, value)| (name.into_owned(), value.into_owned())).collect() }
    }

    /// The first value of this name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// True for `1`.
    pub fn flag(&self, name: &str) -> bool {
        self.value(name) == Some("1")
    }
}
