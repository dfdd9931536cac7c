//! The one certificate that both nodes carry, as the vendor demands of a pair.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::StartError;

/// A self-signed certificate and what clients need to trust it.
pub struct Certificate {
    pub pem: String,
    /// `sha256/<base64>` over the public key's SPKI.
    pub pin: String,
    pub config: Arc<ServerConfig>,
}

impl Certificate {
    /// Makes a fresh key and certificate for these names and addresses.
    pub fn new(names: Vec<String>) -> Result<Self, StartError> {
        let failed = |error: &dyn std::error::Error| StartError::Certificate(error.to_string());
        let key = KeyPair::generate().map_err(|error| failed(&error))?;
        let params = CertificateParams::new(names).map_err(|error| failed(&error))?;
        let certificate = params.self_signed(&key).map_err(|error| failed(&error))?;
        let (_, parsed) = X509Certificate::from_der(certificate.der()).map_err(|error| failed(&error))?;
        let pin = format!("sha256/{}", STANDARD.encode(Sha256::digest(parsed.tbs_certificate.subject_pki.raw)));
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(cheap()))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .map_err(|error| failed(&error))?;
        Ok(Self { pem: certificate.pem(), pin, config: Arc::new(config) })
    }
}

/// What costs least of what is safe, as each call is a connection of its own and a whole run makes more than a thousand: no hybrid key
/// exchange, and SHA-256 rather than SHA-384. P-256 is for clients that know no other curve, as where FIPS is kept to (RFC 8446,
/// section 9.1).
fn cheap() -> CryptoProvider {
    let cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256, cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256];
    CryptoProvider { cipher_suites, kx_groups: vec![kx_group::X25519, kx_group::SECP256R1], ..default_provider() }
}
