//! The verifier: libpq's three degrees of trust in a server's certificate.
//!
//! Absent: where the roots come from.

use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::trust::Trust;
use super::{name, signature};

/// What is asked of the certificate.
#[derive(Debug)]
pub(super) enum Policy {
    Nothing,
    Chain,
    /// And it names this host.
    ChainAndName(String),
}

#[derive(Debug)]
pub(super) struct Verifier {
    policy: Policy,
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(policy: Policy, trust: Trust, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self {
            policy,
            trust,
            algorithms,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _handshake_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.policy {
            Policy::Nothing => {}
            Policy::Chain => self.trust.verify(certificate, intermediates, now)?,
            Policy::ChainAndName(host) => {
                self.trust.verify(certificate, intermediates, now)?;
                if !name::matches(&parse(certificate)?, host) {
                    return Err(CertificateError::NotValidForName.into());
                }
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.policy {
            // an unverified certificate proves nothing by its signature; old forms of it (X.509 v1) must still pass
            Policy::Nothing => Ok(HandshakeSignatureValid::assertion()),
            _ => match webpki::EndEntityCert::try_from(certificate) {
                Ok(_) => verify_tls12_signature(message, certificate, signature, &self.algorithms),
                Err(_) => self.by_key(message, certificate, signature),
            },
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.policy {
            Policy::Nothing => Ok(HandshakeSignatureValid::assertion()),
            _ => match webpki::EndEntityCert::try_from(certificate) {
                Ok(_) => verify_tls13_signature(message, certificate, signature, &self.algorithms),
                Err(_) => self.by_key(message, certificate, signature),
            },
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl Verifier {
    /// For a certificate that webpki does not read: version 1.
    fn by_key(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = parse(certificate)?.tbs_certificate.subject_public_key_info;
        signature::of_handshake(&self.algorithms, &key, message, signed)?;
        Ok(HandshakeSignatureValid::assertion())
    }
}

pub(super) fn parse(certificate: &CertificateDer<'_>) -> Result<Certificate, Error> {
    Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding.into())
}

pub(super) fn verify_dates(certificate: &Certificate, now: UnixTime) -> Result<(), Error> {
    let validity = &certificate.tbs_certificate.validity;
    let now = Duration::from_secs(now.as_secs());
    if now < validity.not_before.to_unix_duration() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.to_unix_duration() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}
