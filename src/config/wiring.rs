//! What `config check` looks at beyond the text: the files and programs that the settings name.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::keys::Kind;
use super::problem::Problem;
use super::settings::{Effective, Settings};
use super::suggest;

/// Secret files, certificates and programs that can't be used by whoever asks. Nothing is read from them.
pub fn check_files(settings: &Settings) -> Vec<Problem> {
    unusable_files(&settings.effective)
}

/// As [`check_files`], for the keys of one file.
pub(super) fn unusable_files(effective: &[Effective]) -> Vec<Problem> {
    effective.iter().filter_map(unusable).collect()
}

/// What works but should be put right: secret files that every account of this machine can read, a folder that is named
/// but not there.
pub fn warnings(settings: &Settings) -> Vec<Problem> {
    settings.effective.iter().filter_map(|entry| open_to_all(entry).or_else(|| absent(entry))).collect()
}

/// Sites that name a procedure which is not `known`.
pub fn unknown_procedures(settings: &Settings, known: &[&str]) -> Vec<Problem> {
    let named = settings.effective.iter().filter(|entry| entry.header.is_empty() && entry.key == "procedure");
    let unknown = |entry: &Effective| {
        let name = entry.value.trim_matches('"');
        let hint = suggest::hint(name, known.iter().copied());
        (!known.contains(&name)).then(|| problem(entry, &format!("no procedure is named `{name}`{hint}")))
    };
    named.filter(|entry| entry.line.is_some()).filter_map(unknown).collect()
}

/// A daemon without a site has nothing to do: a wrong folder, more often than not.
pub fn no_site(settings: &Settings) -> Option<Problem> {
    let folder = settings.effective.iter().find(|entry| entry.header.is_empty() && entry.key == "sites")?;
    settings.sites.is_empty().then(|| problem(folder, "no site is configured: the folder has no file `<name>.toml`"))
}

fn unusable(entry: &Effective) -> Option<Problem> {
    let path = entry.path.as_deref()?;
    let message = match entry.kind {
        Kind::File | Kind::SecretFile => unreadable(path)?,
        Kind::Program => not_runnable(path)?,
        _ => return None,
    };
    Some(problem(entry, &message))
}

fn absent(entry: &Effective) -> Option<Problem> {
    let path = entry.path.as_deref().filter(|_| entry.kind == Kind::Folder && entry.line.is_some())?;
    (!path.is_dir()).then(|| problem(entry, &format!("there is no folder {}", path.display())))
}

fn problem(entry: &Effective, message: &str) -> Problem {
    let place = if entry.header.is_empty() { "at the top level".to_owned() } else { format!("in `{}`", entry.header) };
    Problem::new(&entry.file, entry.line, format!("`{}` {place}: {message}", entry.key))
}

fn unreadable(path: &Path) -> Option<String> {
    match File::open(path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_file() => None,
        Ok(_) => Some(format!("{} is not a file", path.display())),
        Err(error) => Some(format!("{} cannot be read: {error}", path.display())),
    }
}

fn not_runnable(path: &Path) -> Option<String> {
    let runnable = |path: &Path| fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    if path.is_absolute() {
        return (!runnable(path)).then(|| format!("{} is not a program that can be run", path.display()));
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).any(|folder| runnable(&folder.join(path)));
    (!found).then(|| format!("there is no program `{}` in `PATH`", path.display()))
}

fn open_to_all(entry: &Effective) -> Option<Problem> {
    let path = entry.path.as_deref().filter(|_| entry.kind == Kind::SecretFile)?;
    let mode = fs::metadata(path).ok()?.permissions().mode();
    let open = mode & 0o007 != 0;
    open.then(|| {
        problem(entry, &format!("{} is open to every account (mode {:04o}); use 0640 or less", path.display(), mode & 0o7777))
    })
}
