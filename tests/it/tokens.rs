//! Rust source as far as the checks on the house's own files need it: words, punctuation and string literals, without comments
//! and without the unit tests.

use std::path::{Path, PathBuf};

/// One piece of source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Word(String),
    /// The content of a string literal, as it is written.
    Text(String),
    Sign(char),
}

impl Token {
    pub fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(own) if own == word)
    }

    pub fn is_sign(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }
}

/// The package's own folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` with this ending, sorted.
pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The tokens of a source text, without its module of unit tests.
pub fn of(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        at = next(&chars, at, &mut tokens);
    }
    without_tests(tokens)
}

fn without_tests(mut tokens: Vec<Token>) -> Vec<Token> {
    let head: Vec<Token> = {
        let (sign, word) = (Token::Sign, |word: &str| Token::Word(word.to_owned()));
        let attribute = [sign('#'), sign('['), word("cfg"), sign('('), word("test"), sign(')'), sign(']')];
        attribute.into_iter().chain([word("mod"), word("tests"), sign('{')]).collect()
    };
    while let Some(begin) = tokens.windows(head.len()).position(|window| window == head) {
        let mut depth = 1;
        let mut end = begin + head.len();
        while depth > 0 && end < tokens.len() {
            depth += i32::from(tokens[end].is_sign('{')) - i32::from(tokens[end].is_sign('}'));
            end += 1;
        }
        tokens.drain(begin..end);
    }
    tokens
}

/// Takes the piece that begins at `at`; returns where the next one begins.
fn next(chars: &[char], at: usize, tokens: &mut Vec<Token>) -> usize {
    let ahead = |offset: usize| chars.get(at + offset).copied().unwrap_or('\n');
    match chars[at] {
        '/' if ahead(1) == '/' => skip_to(chars, at, "\n"),
        '/' if ahead(1) == '*' => skip_to(chars, at + 2, "*/"),
        '"' => take_text(chars, at + 1, tokens),
        'r' if ahead(1) == '"' || ahead(1) == '#' && (ahead(2) == '"' || ahead(2) == '#') => take_raw(chars, at + 1, tokens),
        // A character, not a lifetime: `'x'` or `'\…'`.
        '\'' if ahead(1) == '\\' => skip_to(chars, at + 3, "'"),
        '\'' if ahead(2) == '\'' => at + 3,
        c if c.is_alphanumeric() || c == '_' => {
            let end = (at..chars.len()).find(|&end| !(chars[end].is_alphanumeric() || chars[end] == '_')).unwrap_or(chars.len());
            tokens.push(Token::Word(chars[at..end].iter().collect()));
            end
        }
        c if c.is_whitespace() => at + 1,
        c => {
            tokens.push(Token::Sign(c));
            at + 1
        }
    }
}

/// Behind the next `end`.
fn skip_to(chars: &[char], from: usize, end: &str) -> usize {
    let end: Vec<char> = end.chars().collect();
    (from..chars.len()).find(|&at| chars[at..].starts_with(&end)).map_or(chars.len(), |at| at + end.len())
}

fn take_text(chars: &[char], from: usize, tokens: &mut Vec<Token>) -> usize {
    let mut at = from;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    tokens.push(Token::Text(chars[from..at.min(chars.len())].iter().collect()));
    at + 1
}

fn take_raw(chars: &[char], from: usize, tokens: &mut Vec<Token>) -> usize {
    let hashes = chars[from..].iter().take_while(|&&c| c == '#').count();
    let end = format!("\"{}", "#".repeat(hashes));
    let begin = from + hashes + 1;
    let behind = skip_to(chars, begin, &end);
    tokens.push(Token::Text(chars[begin..behind.saturating_sub(end.len()).max(begin)].iter().collect()));
    behind
}

#[test]
fn comments_texts_and_characters_are_told_apart() {
    let source = r##"
        //! crate::engine in a comment
        /* crate::drivers */ fn f<'a>(x: &'a str) -> char { let _ = "crate::server \" x"; let _ = r#"crate::cli "x" "#; '\'' }
        const Q: char = '"'; // "
        #[cfg(test)]
        fn kept() {}
"##;
    let text = format!("{source}#[cfg(test)]\nmod tests {{ fn f() {{ use crate::simulator; }} }} fn behind() {{}}");
    let tokens = of(&text);
    for word in ["engine", "drivers", "server", "cli", "simulator", "x\" "] {
        assert!(!tokens.iter().any(|token| token.is_word(word)), "{word} in {tokens:?}");
    }
    let texts: Vec<&Token> = tokens.iter().filter(|token| matches!(token, Token::Text(_))).collect();
    let text = |text: &str| Token::Text(text.to_owned());
    assert_eq!(texts, [&text("crate::server \\\" x"), &text("crate::cli \"x\" ")]);
    assert!(["kept", "behind"].iter().all(|word| tokens.iter().any(|token| token.is_word(word))));
}
