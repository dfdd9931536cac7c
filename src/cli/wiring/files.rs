//! Secrets and certificates, read from the files that the config names.

use std::path::Path;

use secrecy::SecretString;

use crate::config::TlsTrust;
use crate::drivers::tls;

/// A secret's file; line ends at its end are not part of it.
pub(super) fn secret(path: &Path) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("secret file {}: {error}", path.display()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() { Err(format!("secret file {} is empty", path.display())) } else { Ok(SecretString::from(secret)) }
}

pub(super) fn trust(trust: &TlsTrust) -> Result<tls::TlsTrust, String> {
    Ok(match trust {
        TlsTrust::System => tls::TlsTrust::System,
        TlsTrust::CaFile(path) => tls::TlsTrust::Ca(std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?),
        TlsTrust::Pins(pins) => tls::TlsTrust::Pins(pins.clone()),
    })
}
