//! A configuration file: its text, its lines, and what its relative paths count from.

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use toml::Spanned;
use toml::de::DeTable;

use super::problem::Problem;

/// The longest file that is read. A thousand hooks need a tenth of it.
const MAX_BYTES: u64 = 1024 * 1024;

/// As many syntax errors are shown for one file; after a first slip most are its echo.
const MAX_SYNTAX_ERRORS: usize = 5;

/// One file as it was read.
pub(super) struct Source {
    /// As the operator named it; shown in messages.
    pub(super) path: PathBuf,
    /// The real folder of the file: relative paths count from it.
    folder: PathBuf,
    pub(super) text: String,
    line_starts: Vec<usize>,
}

impl Source {
    /// Reads a file of at most [`MAX_BYTES`].
    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        let refused = |message: String| Problem::new(path, None, message);
        let file = File::open(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| refused(format!("cannot be read: {error}")))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(refused(format!("is longer than {MAX_BYTES} bytes")));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes()[..good].iter().filter(|&&byte| byte == b'\n').count();
            Problem::new(path, line, "is not UTF-8 text")
        })?;
        Ok(Self::new(path, text))
    }

    fn new(path: &Path, text: String) -> Self {
        let line_starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { path: path.to_owned(), folder: real_folder(path), text, line_starts }
    }

    /// The line, counted from 1, of a position in the text.
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.line_starts.partition_point(|&start| start <= at)
    }

    /// The file as tables.
    ///
    /// # Errors
    /// The first syntax error of each line. The parser's sentences name what was expected, never what stands there.
    pub(super) fn fragment(&self) -> Result<Spanned<DeTable<'_>>, Vec<Problem>> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        if errors.is_empty() {
            return Ok(table);
        }
        let mut problems: Vec<Problem> = errors
            .iter()
            .map(|error| {
                Problem::new(&self.path, error.span().map(|span| self.line(span.start)), format!("not TOML: {}", error.message()))
            })
            .collect();
        problems.sort_by_key(|problem| problem.line);
        problems.dedup_by_key(|problem| problem.line);
        problems.truncate(MAX_SYNTAX_ERRORS);
        Err(problems)
    }

    /// A path of this file, absolute.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        let mut resolved = self.folder.clone();
        let mut rest = Path::new(path).components();
        // Going up from a folder without symbolic links can be done on paper; further in, links may stand in the way.
        while let Some(component) = rest.clone().next() {
            match component {
                Component::ParentDir => resolved.pop(),
                Component::CurDir => true,
                _ => break,
            };
            rest.next();
        }
        resolved.join(rest.as_path())
    }
}

fn real_folder(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    folder.canonicalize().or_else(|_| std::path::absolute(folder)).unwrap_or_else(|_| folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let source = Source::new(Path::new("x.toml"), "a\nbc\n\nd".to_owned());
        let found: Vec<usize> = (0..=7).map(|at| source.line(at)).collect();
        assert_eq!(found, [1, 1, 2, 2, 2, 3, 4, 4]);
    }

    #[test]
    fn paths_count_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("config")).unwrap();
        std::os::unix::fs::symlink(real.join("config"), real.join("link")).unwrap();
        for name in ["config", "link"] {
            let source = Source::new(&real.join(name).join("changeover.toml"), String::new());
            let cases = [
                ("../state", real.join("state")),
                ("sites.d", real.join("config/sites.d")),
                ("./a/../b", real.join("config/a/../b")),
                ("/var/x", PathBuf::from("/var/x")),
            ];
            for (path, expected) in cases {
                assert_eq!(source.resolve(path), expected, "{name} {path}");
            }
        }
    }
}
