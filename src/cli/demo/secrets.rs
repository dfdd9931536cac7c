//! What daemon and simulator both must know.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::aws_lc_rs;
use secrecy::SecretString;

use crate::cli::Failure;
use crate::domain::journal::hex;

/// What daemon and simulator both must know, made anew for each folder.
pub struct Secrets {
    pub client: SecretString,
    /// Of the user at the pages.
    pub console: SecretString,
    /// Base64, as in a key file of a name server.
    pub tsig: SecretString,
    /// `whsec_<base64>`.
    pub hook: SecretString,
}

impl Secrets {
    pub fn generate() -> Result<Self, Failure> {
        Ok(Self {
            client: hex(&random()?).into(),
            console: hex(&random()?).into(),
            tsig: STANDARD.encode(random()?).into(),
            hook: format!("whsec_{}", STANDARD.encode(random()?)).into(),
        })
    }
}

/// From the system.
pub fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    let filled = aws_lc_rs::default_provider().secure_random.fill(&mut bytes);
    filled.map_err(|_| Failure::new("system", "the machine gives no random bytes"))?;
    Ok(bytes)
}
