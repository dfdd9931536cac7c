//! Parameters of a call, from the query and a form body alike.

use url::form_urlencoded;

use super::listen::Call;

/// More parameters than any call has are not read.
const MOST: usize = 64;

/// True for a body that is a form.
pub fn is_form(call: &Call) -> bool {
    call.content_type.starts_with("application/x-www-form-urlencoded")
}

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

    /// The parameters of a call; a body that is no form has none.
    pub fn of(call: &Call) -> Self {
        Self::read(&call.query, if is_form(call) { &call.body } else { &[] })
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
