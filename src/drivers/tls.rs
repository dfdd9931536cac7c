//! TLS for appliances: system roots, own CA, or pins. There is no way to trust anything else.
//!
//! Appliances often carry certificates that no public authority signed, so a site may name its own CA or pin the key.
//! The provider is aws-lc-rs, named explicitly, so that nothing depends on what a process installed as its default.
//! Resumption is off: a resumed session would skip the certificate, and calls are rare enough to pay for each handshake.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// SHA-256 of a certificate's SubjectPublicKeyInfo.
pub type Pin = [u8; 32];

/// Whom a driver believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsTrust {
    /// The roots that this machine trusts.
    System,
    /// Only these authorities: one or more PEM certificates.
    Ca(Vec<u8>),
    /// Only a certificate with one of these keys. Two at once let an update renew the key.
    Pins(Vec<Pin>),
}

/// Whether the name that is called must be in the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// As the trust has it: always, except that a pin alone identifies the box.
    ByTrust,
    /// Always: what a client of the service would see is to be proven.
    Always,
}

/// The trust of a node can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("`{0}` is no pin; expected `sha256/` and the base64 of the 32-byte SHA-256 of the certificate's public key info")]
    NotAPin(String),
    #[error("no pin is given; expected at least one")]
    NoPins,
    #[error("the CA file holds no certificate; expected at least one `BEGIN CERTIFICATE` block")]
    NoCertificates,
    #[error("the CA file can't be read: {0}")]
    BadCa(String),
    #[error("TLS can't be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Reads `sha256/<base64>`.
///
/// # Errors
/// [`TlsError::NotAPin`] for any other form or length.
pub fn parse_pin(text: &str) -> Result<Pin, TlsError> {
    let bad = || TlsError::NotAPin(text.to_owned());
    let encoded = text.trim().strip_prefix("sha256/").ok_or_else(bad)?;
    STANDARD.decode(encoded).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(bad)
}

/// Writes a pin as [`parse_pin`] reads it.
pub fn format_pin(pin: &Pin) -> String {
    format!("sha256/{}", STANDARD.encode(pin))
}

/// The pin of a certificate in DER; `None` if it is no certificate.
pub fn pin_of(certificate: &[u8]) -> Option<Pin> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(Sha256::digest(parsed.public_key().raw).into())
}

/// The last moment at which a certificate in DER is valid; `None` if it is no certificate.
pub fn valid_until(certificate: &[u8]) -> Option<Timestamp> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()
}

/// Makes a client's configuration for one kind of trust.
///
/// # Errors
/// See [`TlsError`]; nothing is ever replaced by a weaker check.
pub fn client_config(trust: &TlsTrust, names: Names) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        TlsTrust::System => Arc::new(rustls_platform_verifier::Verifier::new(provider.clone())?),
        TlsTrust::Ca(pem) => ca_verifier(pem, provider.clone())?,
        TlsTrust::Pins(pins) if pins.is_empty() => return Err(TlsError::NoPins),
        TlsTrust::Pins(pins) => Arc::new(PinVerifier { pins: pins.clone(), names, provider: provider.clone() }),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous() // rustls' word for any own verifier; each of the three verifies.
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn ca_verifier(pem: &[u8], provider: Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| TlsError::BadCa(error.to_string()))?;
        roots.add(certificate).map_err(|error| TlsError::BadCa(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(TlsError::NoCertificates);
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    verifier.build().map_err(|error| TlsError::BadCa(error.to_string()))
}

/// Believes a key. The pin stands for the chain and the issuer, not for the rest: an expired certificate is refused, since
/// clients of the service would refuse it too, and the handshake must be signed by the pinned key.
#[derive(Debug)]
struct PinVerifier {
    pins: Vec<Pin>,
    names: Names,
    provider: Arc<CryptoProvider>,
}

/// What was found instead of a pinned key; shown so that a person can compare it with the box.
struct WrongPin {
    found: Pin,
}

/// As `Display`: rustls prints the cause of a refused certificate by `Debug`.
impl fmt::Debug for WrongPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for WrongPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate's key is {}, which is none of the pinned ones", format_pin(&self.found))
    }
}

impl std::error::Error for WrongPin {}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The key that the handshake's signature is checked with, read by the same parser.
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let found: Pin = Sha256::digest(certificate.subject_public_key_info()).into();
        if !self.pins.contains(&found) {
            return Err(CertificateError::Other(OtherError(Arc::new(WrongPin { found }))).into());
        }
        check_validity(end_entity, now)?;
        if self.names == Names::Always {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn check_validity(certificate: &[u8], now: UnixTime) -> Result<(), CertificateError> {
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    if now < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet);
    }
    if now > validity.not_after.timestamp() {
        return Err(CertificateError::Expired);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use rustls::pki_types::PrivateKeyDer;
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    use rustls::version::{TLS12, TLS13};
    use rustls::{ClientConnection, ServerConfig, ServerConnection, SupportedProtocolVersion};

    use super::*;

    fn certificate(from: i32, to: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["box.example.com".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn verify(pins: Vec<Pin>, names: Names, certificate: &CertificateDer<'_>, name: &str, year: u64) -> Result<(), String> {
        let verifier = PinVerifier { pins, names, provider: Arc::new(aws_lc_rs::default_provider()) };
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 365 * 86_400 + 100 * 86_400));
        verifier.verify_server_cert(certificate, &[], &name, &[], now).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn a_pin_replaces_the_chain_and_nothing_else() {
        let good = certificate(2020, 2040);
        let pin = pin_of(&good).unwrap();
        let name = "box.example.com";
        assert_eq!(verify(vec![[0; 32], pin], Names::Always, &good, name, 2026), Ok(()));
        assert_eq!(verify(vec![pin], Names::ByTrust, &good, "other.example.com", 2026), Ok(()));
        assert!(verify(vec![pin], Names::Always, &good, "other.example.com", 2026).is_err());
        let wrong = verify(vec![[0; 32]], Names::ByTrust, &good, name, 2026).unwrap_err();
        assert!(wrong.contains(&format_pin(&pin)), "{wrong}");
        assert!(verify(vec![pin], Names::ByTrust, &good, name, 2041).unwrap_err().contains("Expired"));
        assert!(verify(vec![pin], Names::ByTrust, &good, name, 2018).unwrap_err().contains("NotValidYet"));
        assert!(verify(vec![pin], Names::ByTrust, &CertificateDer::from(vec![1, 2, 3]), name, 2026).is_err());
    }

    /// A server that shows a certificate and signs with a key that may not be the certificate's.
    fn server(
        certificate: CertificateDer<'static>,
        key: &KeyPair,
        version: &'static SupportedProtocolVersion,
    ) -> ServerConnection {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let key = provider.key_provider.load_private_key(key).unwrap();
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let shown = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key));
        ServerConnection::new(Arc::new(config.with_no_client_auth().with_cert_resolver(Arc::new(shown)))).unwrap()
    }

    fn handshake(mut client: ClientConnection, mut server: ServerConnection) -> Result<(), rustls::Error> {
        while client.is_handshaking() {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets()?;
            wire.clear();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(())
    }

    #[test]
    fn a_certificate_tells_its_end() {
        assert_eq!(valid_until(&certificate(2020, 2031)), "2031-01-01T00:00:00Z".parse().ok());
        assert_eq!(valid_until(&[1, 2, 3]), None);
    }

    #[test]
    fn a_pinned_certificate_without_its_key_proves_nothing() {
        let (own, stolen) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let certificate = CertificateParams::new(vec!["box".to_owned()]).unwrap().self_signed(&own).unwrap().der().clone();
        let trust = TlsTrust::Pins(vec![pin_of(&certificate).unwrap()]);
        for version in [&TLS12, &TLS13] {
            for (key, believed) in [(&own, true), (&stolen, false)] {
                let config = Arc::new(client_config(&trust, Names::ByTrust).unwrap());
                let client = ClientConnection::new(config, "box".try_into().unwrap()).unwrap();
                let result = handshake(client, server(certificate.clone(), key, version));
                assert_eq!(result.is_ok(), believed, "{version:?}: {result:?}");
            }
        }
    }

    #[test]
    fn a_self_signed_certificate_may_be_its_own_ca_and_is_checked_as_any_other() {
        let good = certificate(2020, 2040);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(&good));
        let verifier = ca_verifier(pem.as_bytes(), Arc::new(aws_lc_rs::default_provider())).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_795_309_323));
        let check = |certificate: &CertificateDer<'_>, name: &'static str| {
            verifier.verify_server_cert(certificate, &[], &ServerName::try_from(name).unwrap(), &[], now).is_ok()
        };
        assert!(check(&good, "box.example.com"));
        assert!(!check(&good, "other.example.com"));
        assert!(!check(&certificate(2020, 2040), "box.example.com"));
    }

    #[test]
    fn pins_are_read_as_written() {
        let pin = [7; 32];
        assert_eq!(parse_pin(&format_pin(&pin)).ok(), Some(pin));
        for text in ["", "sha256/", "sha256/AAAA", "sha1/AAAA", "sha256/!!!", &format_pin(&pin)["sha256/".len()..]] {
            assert!(parse_pin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_trust_that_names_nobody_is_refused() {
        for trust in [
            TlsTrust::Pins(Vec::new()),
            TlsTrust::Ca(Vec::new()),
            TlsTrust::Ca(b"hello".to_vec()),
            TlsTrust::Ca(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec()),
            TlsTrust::Ca(b"-----BEGIN CERTIFICATE-----\nAAAA\n".to_vec()),
        ] {
            assert!(client_config(&trust, Names::ByTrust).is_err(), "{trust:?}");
        }
    }
}
