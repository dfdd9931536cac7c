//! What `config check` looks at beyond the text: the files and programs that the settings name.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{Access, access};

use super::keys::Kind;
use super::problem::Problem;
use super::settings::{Effective, Settings};
use super::suggest;

/// Secret files, certificates and programs that can't be used by whoever asks, and a folder in which they can't make the daemon's
/// socket. Nothing is read from them.
pub fn check_files(settings: &Settings) -> Vec<Problem> {
    let socket = socket_folder(settings).filter(|folder| !folder.at_start);
    unusable_files(&settings.effective).into_iter().chain(socket.map(|folder| folder.problem)).collect()
}

/// As [`check_files`], for the keys of one file.
pub(super) fn unusable_files(effective: &[Effective]) -> Vec<Problem> {
    effective.iter().filter_map(unusable).collect()
}

/// What works but should be put right: secret files that every account of this machine can read, a folder that is named
/// but not there; and a socket's folder that only a start makes.
pub fn warnings(settings: &Settings) -> Vec<Problem> {
    let found = settings.effective.iter().filter_map(|entry| open_to_all(entry).or_else(|| absent(entry)));
    let socket = socket_folder(settings).filter(|folder| folder.at_start);
    found.chain(socket.map(|folder| folder.problem)).collect()
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

/// A folder in which whoever asks can't make the daemon's socket.
struct SocketFolder {
    problem: Problem,
    /// It lies where folders last from one start to the next, and are the service's own: whoever asks before, or as another user,
    /// sees nothing wrong.
    at_start: bool,
}

fn socket_folder(settings: &Settings) -> Option<SocketFolder> {
    let entry = settings.effective.iter().find(|entry| entry.header == "[api]" && entry.key == "socket")?;
    let folder = entry.path.as_deref()?.parent()?;
    let what = takes_no_socket(folder, &settings.state)?;
    let at_start = is_of_a_start(folder);
    let hint = if at_start { "; see that it is made at the daemon's start, as by `RuntimeDirectory=` of systemd" } else { "" };
    Some(SocketFolder { problem: problem(entry, &format!("{what}{hint}")), at_start })
}

/// Below it, not the folder itself: nobody makes that.
fn is_of_a_start(folder: &Path) -> bool {
    ["/run", "/var/run"].iter().any(|root| folder.strip_prefix(root).is_ok_and(|below| below != Path::new("")))
}

fn takes_no_socket(folder: &Path, state: &Path) -> Option<String> {
    let shown = folder.display();
    match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => Some(format!("{shown} is not a folder")),
        Ok(_) => {
            let writable = access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok();
            (!writable).then(|| format!("this user may not make a socket in the folder {shown}"))
        }
        // The daemon makes its state folder at its first start.
        Err(error) if error.kind() == ErrorKind::NotFound && state.starts_with(folder) => None,
        Err(error) if error.kind() == ErrorKind::NotFound => Some(format!("there is no folder {shown}")),
        Err(error) => Some(format!("the folder {shown} cannot be looked at: {error}")),
    }
}

fn problem(entry: &Effective, message: &str) -> Problem {
    let place = if entry.header.is_empty() { "at the top level".to_owned() } else { format!("in `{}`", entry.header) };
    Problem::new(&entry.file, entry.line, format!("`{}` {place}: {message}", entry.key))
}

fn unreadable(path: &Path) -> Option<String> {
    // Before it is opened: opening a named pipe would wait for ever.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Some(format!("{} is not a file", path.display()));
    }
    File::open(path).err().map(|error| format!("{} cannot be read: {error}", path.display()))
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
