//! `changeover.toml`.

use std::path::PathBuf;

use tracing_subscriber::EnvFilter;

use super::freezes::{self, Freezes};
use super::hooks::{self, Hooks};
use super::people;
use super::reader::{At, Reader, Section};
use super::settings::{Accounts, Api, Log, LogFormat};
use super::values;
use crate::domain::backups::Retention;
use crate::domain::people::People;

/// The longest path that a Unix socket can be bound to on Linux: `sun_path` has 108 bytes, one of them the final zero (unix(7)).
const MAX_SOCKET_PATH: usize = 107;

/// What the main file says; any part may be missing for its problems.
pub(super) struct MainInput {
    pub(super) state: Option<PathBuf>,
    /// The folder, and whether the file names it.
    pub(super) sites: Option<(At<PathBuf>, bool)>,
    pub(super) procedures_dir: Option<PathBuf>,
    pub(super) api: Option<Api>,
    pub(super) log: Option<Log>,
    pub(super) accounts: Option<Accounts>,
    pub(super) backups: Option<Retention>,
    pub(super) hooks: Hooks,
    pub(super) people: People,
    /// Of all sites.
    pub(super) freezes: Freezes,
}

pub(super) fn read(reader: &mut Reader, root: &Section) -> MainInput {
    reader.refuse_strangers(root);
    let state = reader.path(root, "state").map(|path| path.value);
    let named = root.item(reader.source, "sites").is_some();
    let sites = reader.path(root, "sites").map(|path| (path, named));
    let procedures_dir = reader.path(root, "procedures").map(|path| path.value);
    let (api, log, backups) = (api(reader, root), log(reader, root), backups(reader, root));
    let hooks = hooks::read(reader, root);
    let (people, freezes) = (people::read(reader, root), freezes::read(reader, root, "freezes"));
    let accounts = accounts(reader, root);
    MainInput { state, sites, procedures_dir, api, log, accounts, backups, hooks, people, freezes }
}

fn accounts(reader: &mut Reader, root: &Section) -> Option<Accounts> {
    let section = reader.child(root, "accounts", "accounts")?;
    reader.refuse_strangers(&section);
    let mut at_most = |name: &str, most: u32| {
        let count = reader.count(&section, name)?;
        if count.value <= most {
            return Some(count.value);
        }
        let message = format!("`{name}` in `[accounts]` is {}; the vendor allows an account {most}", count.value);
        reader.problem(count.line, message);
        None
    };
    let (per_second, per_hour) = (at_most("calls_per_second", 20), at_most("calls_per_hour", 15_000));
    Some(Accounts { calls_per_second: per_second?, calls_per_hour: per_hour? })
}

fn api(reader: &mut Reader, root: &Section) -> Option<Api> {
    let section = reader.child(root, "api", "api")?;
    reader.refuse_strangers(&section);
    let socket = reader.path(&section, "socket");
    let listen = reader.value(&section, "listen", values::listen).map(|listen| listen.value);
    let socket = socket?;
    let length = socket.value.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        let path = socket.value.display();
        let message = format!("`socket` in `[api]`: {path} has {length} bytes; a socket's path has at most {MAX_SOCKET_PATH}");
        reader.problem(socket.line, message);
    }
    Some(Api { socket: socket.value, listen })
}

fn backups(reader: &mut Reader, root: &Section) -> Option<Retention> {
    let section = reader.child(root, "backups", "backups")?;
    reader.refuse_strangers(&section);
    let keep = reader.count(&section, "keep");
    let keep_for = reader.value(&section, "keep_for", values::duration);
    Some(Retention { keep: keep?.value, keep_for: keep_for?.value })
}

fn log(reader: &mut Reader, root: &Section) -> Option<Log> {
    let section = reader.child(root, "log", "log")?;
    reader.refuse_strangers(&section);
    let format = reader.word(&section, "format");
    let filter = reader.value(&section, "filter", |text| match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("`{text}` is not a log filter: {error}")),
    });
    let format = if format?.value == "json" { LogFormat::Json } else { LogFormat::Human };
    Some(Log { format, filter: filter?.value })
}
