//! A set of session ids that stays small: 16 bytes an id, whatever its form.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};

use super::answer::CallError;

/// Bounds the memory: some 150 MiB, far more sessions than a site has between two windows.
const MAX_IDS: usize = 4_000_000;

/// Sessions told apart by LSID, never by LSEQ, which is not unique (BG-51).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lsids(HashSet<u128>);

impl Lsids {
    /// True if it was not there yet.
    ///
    /// # Errors
    /// `Unusable` for more than four million of them.
    pub fn insert(&mut self, lsid: &str) -> Result<bool, CallError> {
        if self.0.len() >= MAX_IDS {
            return Err(CallError::Unusable(format!("the box names more than {MAX_IDS} sessions; extract a shorter range")));
        }
        Ok(self.0.insert(key(lsid)))
    }

    /// Adds the others; how many of them were new.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn join(&mut self, others: &Self) -> Result<usize, CallError> {
        let before = self.0.len();
        self.0.extend(&others.0);
        if self.0.len() > MAX_IDS {
            return Err(CallError::Unusable(format!("the box names more than {MAX_IDS} sessions; extract a shorter range")));
        }
        Ok(self.0.len() - before)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// A GUID is its own number, in either case of its letters; any other form is known by its hash.
fn key(lsid: &str) -> u128 {
    let guid = lsid.len() == 32 && lsid.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let (true, Ok(number)) = (guid, u128::from_str_radix(lsid, 16)) {
        return number;
    }
    let hash = Sha256::digest(lsid.as_bytes());
    hash.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bg_51_ids_of_every_form_are_told_apart() {
        let mut ids = Lsids::default();
        let guid = "c69a8e10bea9428f816cfababe9815fe";
        for (lsid, new) in [
            (guid, true),
            (guid, false),
            (&guid.to_uppercase() as &str, false),
            ("1041", true),
            ("01041", true),
            ("1041", false),
            (&guid[1..], true),
            (&format!("0{}", &guid[1..]), true),
        ] {
            assert_eq!(ids.insert(lsid), Ok(new), "{lsid}");
        }
        assert_eq!(ids.len(), 5);
        let mut other = Lsids::default();
        other.insert("1041").unwrap();
        other.insert("1042").unwrap();
        assert_eq!(ids.join(&other), Ok(1));
    }
}
