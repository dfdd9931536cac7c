//! The daemon's log, on stderr: for people or as JSON.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{Log, LogFormat};

/// Starts the log. A second call in one process changes nothing.
pub fn start(log: &Log) {
    // The config has checked the filter.
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // Where stderr can't be written (a full disk, a pipe that nobody reads) lines are lost. By default the library tells of that
    // on stderr, by a macro that panics there: the run that wanted to log would end, and its alert with it.
    let builder = builder.log_internal_errors(false);
    let started = match log.format {
        LogFormat::Human => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    // A log that is there already is kept.
    drop(started);
}
