//! The keys of sled's one tree, and values that are cut into chunks.
//!
//! A value above 4 KiB can become a file of its own in sled, which sled never syncs (0 such files with values of 1 to 6 KiB,
//! 63 in 30,000 writes with 8 KiB); so a longer one is cut, and its last key part is the chunk's number:
//!
//! ```text
//! meta                                     {"v":1}
//! recovered/<run>                          sequence number behind which records came from the log
//! journal/<run>/<seq, 8 bytes>/<chunk, 2 bytes>
//! outbox/<id>/<hook>/<chunk, 2 bytes>
//! ```
//! Numbers in keys are big-endian, so that sled's order is theirs.

use std::iter::Peekable;

use crate::domain::ids::RunId;

pub(super) const META: &[u8] = b"meta";
pub(super) const JOURNAL: &[u8] = b"journal/";
pub(super) const OUTBOX: &[u8] = b"outbox/";
pub(super) const RECOVERED: &[u8] = b"recovered/";

/// The largest value given to sled.
pub(super) const MAX_VALUE_BYTES: usize = 4096;

/// A slash and a chunk's number.
const CHUNK_BYTES: usize = 3;

/// A key and its value.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// What the keys of a run's records begin with.
pub(super) fn run(run: &RunId) -> Vec<u8> {
    [JOURNAL, run.to_string().as_bytes(), b"/"].concat()
}

/// A record's key, without the chunk.
pub(super) fn record(id: &RunId, seq: u64) -> Vec<u8> {
    [run(id).as_slice(), &seq.to_be_bytes()].concat()
}

/// An outbox item's key, without the chunk. An event has no slash, so that two items never share a key.
pub(super) fn outbox(id: &str, hook: &str) -> Vec<u8> {
    [OUTBOX, id.as_bytes(), b"/", hook.as_bytes()].concat()
}

/// The key of the mark that a run's records behind a number came from the log.
pub(super) fn recovered(run: &RunId) -> Vec<u8> {
    [RECOVERED, run.to_string().as_bytes()].concat()
}

/// The key of one chunk.
pub(super) fn chunk(base: &[u8], number: u16) -> Vec<u8> {
    [base, b"/", &number.to_be_bytes()].concat()
}

/// A key and its new value; without one it is removed.
pub(super) type Change = (Vec<u8>, Option<Vec<u8>>);

/// What one commit changes in the tree, in this order.
#[derive(Default)]
pub(super) struct Changes(pub Vec<Change>);

impl Changes {
    /// Sets a single key.
    pub(super) fn set(&mut self, key: Vec<u8>, value: impl Into<Vec<u8>>) {
        self.0.push((key, Some(value.into())));
    }

    /// Removes a single key.
    pub(super) fn forget(&mut self, key: Vec<u8>) {
        self.0.push((key, None));
    }

    /// Sets a value that is cut into chunks; says into how many.
    pub(super) fn put(&mut self, base: &[u8], value: &[u8]) -> u16 {
        let mut count = 0;
        for part in value.chunks(MAX_VALUE_BYTES) {
            self.set(chunk(base, count), part);
            count += 1;
        }
        count
    }

    /// Removes chunks of a value.
    pub(super) fn remove(&mut self, base: &[u8], chunks: std::ops::Range<u16>) {
        for number in chunks {
            self.forget(chunk(base, number));
        }
    }
}

/// A whole value, its key without the chunk, and how many chunks it had.
pub(super) struct Whole {
    pub base: Vec<u8>,
    pub value: Vec<u8>,
    pub chunks: u16,
}

/// Joins the chunks of an ordered walk over keys again.
pub(super) struct Joined<I: Iterator> {
    chunks: Peekable<I>,
}

impl<I: Iterator<Item = Result<Pair, E>>, E> Joined<I> {
    pub(super) fn new(chunks: I) -> Self {
        Self { chunks: chunks.peekable() }
    }
}

/// Why chunks can't be joined.
pub(super) enum JoinError<E> {
    Read(E),
    /// A chunk is missing, or a key is none of ours.
    Key(String),
}

impl<I: Iterator<Item = Result<Pair, E>>, E> Iterator for Joined<I> {
    type Item = Result<Whole, JoinError<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (key, mut value) = match self.chunks.next()? {
            Ok(pair) => pair,
            Err(error) => return Some(Err(JoinError::Read(error))),
        };
        let Some((base, 0)) = split(&key) else {
            return Some(Err(JoinError::Key(key.escape_ascii().to_string())));
        };
        let mut chunks = 1;
        let follows = |key: &[u8], number| split(key) == Some((base, number));
        while let Some(Ok((_, more))) = self.chunks.next_if(|next| next.as_ref().is_ok_and(|(key, _)| follows(key, chunks))) {
            value.extend_from_slice(&more);
            chunks += 1;
        }
        Some(Ok(Whole { base: base.to_vec(), value, chunks }))
    }
}

/// A key without its chunk, and the chunk's number.
fn split(key: &[u8]) -> Option<(&[u8], u16)> {
    let (base, tail) = key.split_at_checked(key.len().checked_sub(CHUNK_BYTES)?)?;
    match tail {
        [b'/', high, low] => Some((base, u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = Result<Pair, ()>;

    fn walk(base: &[u8], value: &[u8]) -> Vec<Read> {
        let parts = value.chunks(MAX_VALUE_BYTES).zip(0..);
        parts.map(|(part, number)| Ok((chunk(base, number), part.to_vec()))).collect()
    }

    #[test]
    fn chunks_join_to_the_value_they_were_cut_from() {
        for length in [1, MAX_VALUE_BYTES - 1, MAX_VALUE_BYTES, MAX_VALUE_BYTES + 1, 5 * MAX_VALUE_BYTES] {
            let value: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let pairs = [walk(b"a", &value), walk(b"b", b"x")].concat();
            let joined: Vec<Whole> = Joined::new(pairs.into_iter()).map(|whole| whole.ok().unwrap()).collect();
            assert_eq!((joined[0].value == value, joined[1].value == b"x", joined.len()), (true, true, 2), "{length}");
        }
    }

    #[test]
    fn a_missing_chunk_is_found() {
        let value = vec![7; 3 * MAX_VALUE_BYTES];
        for missing in 0..2 {
            let mut pairs = walk(b"a", &value);
            drop(pairs.remove(missing));
            assert!(Joined::new(pairs.into_iter()).any(|whole| matches!(whole, Err(JoinError::Key(_)))), "chunk {missing}");
        }
    }
}
