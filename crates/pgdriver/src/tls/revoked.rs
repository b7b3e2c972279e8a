//! Certificates that an authority took back: its lists, as webpki and as [`super::plain_chain`] read them.
//!
//! Absent: lists that are fetched from where a certificate says. libpq fetches none.

use rustls::CertificateError;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateRevocationListDer, UnixTime};
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_cert::Certificate;
use x509_cert::crl::CertificateList;
use x509_cert::der::{Decode, Encode};

use super::signature;

/// Empty where there are none: then nothing is asked of anybody.
#[derive(Debug, Default)]
pub(super) struct Revoked {
    pub(super) for_webpki: Vec<CertRevocationList<'static>>,
    lists: Vec<CertificateList>,
}

impl Revoked {
    pub(super) fn read(lists: &[CertificateRevocationListDer<'_>]) -> Result<Self, String> {
        let mut read = Self::default();
        for der in lists {
            let list = OwnedCertRevocationList::from_der(der).map_err(|e| e.to_string())?;
            read.for_webpki.push(list.into());
            let list = CertificateList::from_der(der).map_err(|e| e.to_string())?;
            read.lists.push(list);
        }
        Ok(read)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// What the list of this issuer says of the certificate. Without lists nobody is asked.
    pub(super) fn check(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        algorithms: &WebPkiSupportedAlgorithms,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        if self.is_empty() {
            return Ok(());
        }
        let speaks = |list: &&CertificateList| is_of(list, issuer, algorithms);
        let Some(list) = self.lists.iter().find(speaks) else {
            return Err(CertificateError::UnknownRevocationStatus);
        };
        let now = std::time::Duration::from_secs(now.as_secs());
        let until = list.tbs_cert_list.next_update;
        if until.is_none_or(|until| now >= until.to_unix_duration()) {
            return Err(CertificateError::ExpiredRevocationList);
        }
        let serial = &certificate.tbs_certificate.serial_number;
        let mut revoked = list.tbs_cert_list.revoked_certificates.iter().flatten();
        match revoked.any(|entry| entry.serial_number == *serial) {
            true => Err(CertificateError::Revoked),
            false => Ok(()),
        }
    }
}

/// Signed by the issuer, and about all that it issued: a narrower scope is marked as critical.
fn is_of(
    list: &CertificateList,
    issuer: &Certificate,
    algorithms: &WebPkiSupportedAlgorithms,
) -> bool {
    let tbs = &list.tbs_cert_list;
    let narrow = tbs.crl_extensions.iter().flatten().any(|e| e.critical);
    if narrow || tbs.issuer != issuer.tbs_certificate.subject {
        return false;
    }
    let (Ok(signed), Some(bits)) = (tbs.to_der(), list.signature.as_bytes()) else {
        return false;
    };
    let key = &issuer.tbs_certificate.subject_public_key_info;
    signature::of_certificate(algorithms, &list.signature_algorithm, key, &signed, bits)
}
