//! What a mistyped word may have meant.

/// The nearest of `words`, if it is near enough to be a slip: one letter wrong in short words, a third of them in longer ones.
pub(super) fn nearest<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed: Vec<char> = typed.chars().take(MAX_LETTERS).flat_map(char::to_lowercase).collect();
    let best = words.into_iter().map(|word| (distance(&typed, &word.chars().collect::<Vec<_>>()), word)).min()?;
    (best.0 <= (typed.len() / 3).max(1) && best.0 < typed.len()).then_some(best.1)
}

/// `; did you mean …?`, or nothing.
pub(super) fn hint<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> String {
    nearest(typed, words).map(|word| format!("; did you mean `{word}`?")).unwrap_or_default()
}

/// Nothing that can be named here is longer, and the work grows with the square.
const MAX_LETTERS: usize = 64;

/// Letters to insert, remove, replace or swap with their neighbour (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let words = ["a", "ttl", "zone", "record", "servers", "tsig_secret_file", "max_unprotected"];
        let cases = [
            ("tll", Some("ttl")),
            ("ZONE", Some("zone")),
            ("server", Some("servers")),
            ("tsig_secret_fiel", Some("tsig_secret_file")),
            ("max_unprotcted", Some("max_unprotected")),
            ("colour", None),
            ("x", None),
            ("b", None),
            ("", None),
        ];
        for (typed, expected) in cases {
            assert_eq!(nearest(typed, words), expected, "{typed}");
        }
    }
}
