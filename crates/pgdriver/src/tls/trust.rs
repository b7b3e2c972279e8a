//! Whether a chain of certificates leads to a trusted one, by OpenSSL's rules as libpq sets them: webpki's, and
//! - only a self-signed certificate of the root file ends a chain, and its dates count; others in that file are links;
//! - key usage counts;
//! - with a revocation list, every certificate of the chain must be on the scope of one that has not run out.
//!
//! Absent: certificates that webpki does not read; those are [`super::plain_chain`]'s. Names.

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use rustls::{CertificateError, Error, OtherError};
use webpki::{
    EndEntityCert, ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder,
    UnknownStatusPolicy, VerifiedPath,
};
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage as Uses, KeyUsages};

use super::plain_chain;
use super::revoked::Revoked;
use super::verify::{parse, verify_dates};

/// What is trusted, and what was taken back.
#[derive(Debug)]
pub(super) struct Trust {
    /// Of the root file, in its order.
    trusted: Vec<CertificateDer<'static>>,
    anchors: Vec<TrustAnchor<'static>>,
    revoked: Revoked,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Trust {
    pub(super) fn new(
        trusted: Vec<CertificateDer<'static>>,
        revoked: Revoked,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        let anchors = trusted
            .iter()
            .filter(|der| parse(der).is_ok_and(|certificate| is_self_issued(&certificate)))
            .filter_map(|der| webpki::anchor_from_trusted_cert(der).ok())
            .map(|anchor| anchor.to_owned())
            .collect();
        Self {
            trusted,
            anchors,
            revoked,
            algorithms,
        }
    }

    /// The server's own certificate and the others that it sent.
    pub(super) fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = parse(leaf)?;
        may_serve(&parsed)?;
        if is_self_issued(&parsed) && self.trusted.iter().any(|trusted| trusted == leaf) {
            return match self.revoked.is_empty() {
                true => verify_dates(&parsed, now),
                false => Err(CertificateError::UnknownRevocationStatus.into()),
            };
        }
        match self.by_webpki(leaf, sent, now) {
            Err(webpki::Error::UnsupportedCertVersion | webpki::Error::CaUsedAsEndEntity) => {
                plain_chain::verify(
                    &parsed,
                    sent,
                    &self.trusted,
                    &self.revoked,
                    &self.algorithms,
                    now,
                )
            }
            result => result.map_err(told),
        }
    }

    fn by_webpki(
        &self,
        leaf: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), webpki::Error> {
        let leaf = EndEntityCert::try_from(leaf)?;
        let links: Vec<_> = sent.iter().chain(&self.trusted).cloned().collect();
        let lists: Vec<_> = self.revoked.for_webpki.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|options| {
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Deny)
                .with_expiration_policy(ExpirationPolicy::Enforce)
                .build()
        });
        let path = |path: &VerifiedPath<'_>| self.path(path, now);
        leaf.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            &links,
            now,
            KeyUsage::server_auth(),
            revocation,
            Some(&path),
        )
        .map(|_| ())
    }

    /// What webpki leaves out: dates of the trusted certificate, key usage of those between.
    fn path(&self, path: &VerifiedPath<'_>, now: UnixTime) -> Result<(), webpki::Error> {
        let anchor = path.anchor();
        let in_time = self.trusted.iter().any(|der| {
            webpki::anchor_from_trusted_cert(der).is_ok_and(|own| own == *anchor)
                && parse(der)
                    .is_ok_and(|root| verify_dates(&root, now).is_ok() && signs_certificates(&root))
        });
        if !in_time {
            return Err(webpki::Error::UnknownIssuer);
        }
        let mut between = path.intermediate_certificates();
        match between.all(|link| parse(&link.der()).is_ok_and(|link| signs_certificates(&link))) {
            true => Ok(()),
            false => Err(webpki::Error::UnknownIssuer),
        }
    }
}

pub(super) fn is_self_issued(certificate: &Certificate) -> bool {
    let tbs = &certificate.tbs_certificate;
    tbs.subject == tbs.issuer
}

/// `check_purpose_ssl_server` in OpenSSL's `v3_purp.c`; webpki looks at extended usages itself.
fn may_serve(certificate: &Certificate) -> Result<(), Error> {
    let serves = KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment | KeyUsages::KeyAgreement;
    match uses(certificate)? {
        Some(Uses(uses)) if uses.is_disjoint(serves) => {
            Err(CertificateError::InvalidPurpose.into())
        }
        _ => Ok(()),
    }
}

pub(super) fn signs_certificates(certificate: &Certificate) -> bool {
    uses(certificate)
        .is_ok_and(|uses| uses.is_none_or(|Uses(uses)| uses.contains(KeyUsages::KeyCertSign)))
}

fn uses(certificate: &Certificate) -> Result<Option<Uses>, Error> {
    match certificate.tbs_certificate.get::<Uses>() {
        Ok(found) => Ok(found.map(|(_, uses)| uses)),
        Err(_) => Err(CertificateError::BadEncoding.into()),
    }
}

/// `CA:TRUE`, and how many may stand below.
pub(super) fn authority(certificate: &Certificate) -> Option<BasicConstraints> {
    let (_, constraints) = certificate
        .tbs_certificate
        .get::<BasicConstraints>()
        .ok()??;
    constraints.ca.then_some(constraints)
}

/// As rustls itself puts webpki's errors, which it keeps to itself.
fn told(error: webpki::Error) -> Error {
    use webpki::Error as E;
    match error {
        E::BadDer | E::BadDerTime | E::TrailingData(_) => CertificateError::BadEncoding,
        E::CertExpired { .. } => CertificateError::Expired,
        E::CertNotValidYet { .. } => CertificateError::NotValidYet,
        E::UnknownIssuer => CertificateError::UnknownIssuer,
        E::CertRevoked => CertificateError::Revoked,
        E::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus,
        E::CrlExpired { .. } => CertificateError::ExpiredRevocationList,
        E::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        E::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        other => CertificateError::Other(OtherError(std::sync::Arc::new(other))),
    }
    .into()
}
