//! Reads all files and puts them together.

use std::path::{Path, PathBuf};

use super::cross;
use super::keys;
use super::main_file::{self, MainInput};
use super::people;
use super::problem::{ConfigErrors, Problem};
use super::reader::{Reader, Section};
use super::settings::{Effective, Settings};
use super::single::{self, SingleSettings};
use super::site_file::{self, SiteInput};
use super::source::Source;
use super::wiring;
use crate::domain::people::People;

/// What was read so far.
#[derive(Default)]
struct Gathered {
    problems: Vec<Problem>,
    effective: Vec<Effective>,
}

/// Reads `changeover.toml` at `path` and the site files that it names. `actions` are the names that `[policy.expected]` and
/// `[policy.limits]` may have.
///
/// # Effect
/// Reads files; nothing else. Secret files are not opened (see [`super::check_files`]), names are not resolved.
///
/// # Errors
/// Every problem of every file, by file and line.
pub fn load(path: &Path, actions: &[&str]) -> Result<Settings, ConfigErrors> {
    let mut gathered = Gathered::default();
    let main = read_main(path, &mut gathered);
    let sites = main.as_ref().map(|main| read_sites(path, main, actions, &mut gathered)).unwrap_or_default();
    gathered.problems.extend(cross::check(&sites));
    let nobody = People::default();
    gathered.problems.extend(people::check(main.as_ref().map_or(&nobody, |main| &main.people), &sites));
    let settings = main.and_then(|main| settings(main, sites, gathered.effective));
    match settings {
        Some(settings) if gathered.problems.is_empty() => Ok(settings),
        _ => {
            gathered.problems.sort();
            gathered.problems.dedup();
            Err(ConfigErrors(gathered.problems))
        }
    }
}

/// Reads the file of an appliance that has no pair.
///
/// # Effect
/// As [`load`].
///
/// # Errors
/// Every problem of the file, by line; the files that it names are looked at too.
pub fn load_single(path: &Path) -> Result<SingleSettings, ConfigErrors> {
    let mut gathered = Gathered::default();
    let settings = read_file(path, keys::SINGLE, &mut gathered, single::read).flatten();
    gathered.problems.extend(wiring::unusable_files(&gathered.effective));
    match settings {
        Some(settings) if gathered.problems.is_empty() => Ok(settings),
        _ => {
            gathered.problems.sort();
            Err(ConfigErrors(gathered.problems))
        }
    }
}

fn settings(main: MainInput, sites: Vec<(PathBuf, SiteInput)>, effective: Vec<Effective>) -> Option<Settings> {
    Some(Settings {
        state: main.state?,
        sites: sites.into_iter().filter_map(|(_, site)| site.settings).collect(),
        procedures_dir: main.procedures_dir?,
        api: main.api?,
        log: main.log?,
        accounts: main.accounts?,
        backups: main.backups?,
        alerts: main.hooks.alerts,
        exports: main.hooks.exports,
        people: main.people,
        effective,
    })
}

/// Reads one file by `read`, which gets its top level.
fn read_file<T>(path: &Path, table: &str, gathered: &mut Gathered, read: impl FnOnce(&mut Reader, &Section) -> T) -> Option<T> {
    let source = Source::read(path).map_err(|problem| gathered.problems.push(problem)).ok()?;
    let fragment = source.fragment().map_err(|problems| gathered.problems.extend(problems)).ok()?;
    let root = Section::root(keys::table(table)?, &fragment);
    let mut reader = Reader::new(&source);
    let input = read(&mut reader, &root);
    gathered.problems.append(&mut reader.problems);
    gathered.effective.append(&mut reader.effective);
    Some(input)
}

fn read_main(path: &Path, gathered: &mut Gathered) -> Option<MainInput> {
    read_file(path, "main", gathered, main_file::read)
}

fn read_sites(main_path: &Path, main: &MainInput, actions: &[&str], gathered: &mut Gathered) -> Vec<(PathBuf, SiteInput)> {
    let Some((folder, named)) = &main.sites else { return Vec::new() };
    let files = match site_files(&folder.value) {
        Ok(files) => files,
        // The usual folder may be missing: a daemon without sites starts.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => return Vec::new(),
        Err(error) => {
            let message = format!("`sites` at the top level: folder {} cannot be read: {error}", folder.value.display());
            gathered.problems.push(Problem::new(main_path, folder.line, message));
            return Vec::new();
        }
    };
    let read = |file: PathBuf| {
        let path = shown_path(main_path, &folder.value, &file);
        must_be_plain(&path).map_err(|problem| gathered.problems.push(problem)).ok()?;
        let input = read_file(&path, "site", gathered, |reader, root| site_file::read(reader, root, actions, &main.freezes))?;
        Some((path, input))
    };
    files.into_iter().filter_map(read).collect()
}

/// Before it is opened: opening a named pipe would wait for ever. The main file may be one, as in `--config <(…)`.
fn must_be_plain(path: &Path) -> Result<(), Problem> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(Problem::new(path, None, "is not a plain file")),
        // What can't be looked at can't be opened either, which says why.
        _ => Ok(()),
    }
}

/// The `.toml` files of the folder by name. Hidden ones are editors' leftovers, others (`.toml.example`) not meant.
fn site_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The path as the operator would write it, beside the main file as they named it; the absolute one if it lies elsewhere.
fn shown_path(main_path: &Path, folder: &Path, file: &Path) -> PathBuf {
    let beside = main_path.parent().unwrap_or(Path::new(""));
    let (Ok(base), Some(name)) =
        (if beside.as_os_str().is_empty() { Path::new(".") } else { beside }.canonicalize(), file.file_name())
    else {
        return file.to_owned();
    };
    folder.strip_prefix(base).map_or_else(|_| file.to_owned(), |inner| beside.join(inner).join(name))
}
