//! Settings: fragment → input → settings, errors with file and line. Imports: domain only.
//!
//! *Fragment*: a file as TOML tables whose keys and values know their place. *Input*: the typed values of one file, with their
//! lines, any of them missing or wrong. *Settings*: complete and checked across all files. Every problem of every file is
//! reported in one go.
//!
//! The one thing to know: a line of a file is never quoted, since a secret may stand on it; a problem has file, line and key.
//! [`keys`] is the one table of all keys; reading, defaults, suggestions and `docs/reference/config.md` follow from it.

mod calendar;
mod console;
mod cross;
mod freezes;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gates;
mod hooks;
pub mod keys;
mod leads;
mod load;
mod main_file;
mod nodes;
mod people;
mod policy;
mod problem;
mod reader;
mod reference;
mod sections;
mod settings;
mod show;
mod single;
mod site_file;
mod source;
mod suggest;
mod traffic;
mod values;
mod windows;
mod wiring;

pub use load::{load, load_single};
pub use problem::{ConfigErrors, Problem};
pub use reference::reference;
pub use settings::{
    ANY_EVENT, Account, Accounts, Api, Console, CredentialSet, Editions, Effective, Hands, Hook, HookTarget, Leads, Log,
    LogFormat, Login, NodeDriver, Product, Settings, SiteSettings, TlsTrust, TrafficDriver, TsigAlgorithm, WindowTexts,
};
pub use show::show;
pub use single::SingleSettings;
pub use wiring::{check_files, no_site, unknown_procedures, warnings};
