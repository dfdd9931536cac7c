//! Secrets and certificates, read from the files that the config names.

use std::path::Path;

use secrecy::SecretString;

use crate::config::TlsTrust;
use crate::drivers::tls;

/// A secret's file; line ends at its end are not part of it.
pub(super) fn secret(path: &Path) -> Result<SecretString, String> {
    let text =
        plain(path).and_then(std::fs::read_to_string).map_err(|error| format!("secret file {}: {error}", path.display()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() { Err(format!("secret file {} is empty", path.display())) } else { Ok(SecretString::from(secret)) }
}

/// The path again, if opening it is no endless wait, as for whoever writes into a named pipe.
pub(super) fn plain(path: &Path) -> std::io::Result<&Path> {
    if std::fs::metadata(path)?.is_file() { Ok(path) } else { Err(std::io::Error::other("is not a plain file")) }
}

pub(super) fn trust(trust: &TlsTrust) -> Result<tls::TlsTrust, String> {
    Ok(match trust {
        TlsTrust::System => tls::TlsTrust::System,
        TlsTrust::CaFile(path) => {
            let read = plain(path).and_then(std::fs::read);
            tls::TlsTrust::Ca(read.map_err(|error| format!("{}: {error}", path.display()))?)
        }
        TlsTrust::Pins(pins) => tls::TlsTrust::Pins(pins.clone()),
    })
}
