//! Certificates that webpki does not read and OpenSSL does: version 1, which is what `openssl x509 -req` made of
//! PostgreSQL's own documentation for twenty years, and servers' certificates that are marked as an authority, which
//! is what `openssl req -x509 -CA` makes.
//!
//! A chain of names and signatures up to a self-signed certificate of the root file, each in its time and each allowed
//! to sign. Absent: everything rarer. A chain with name constraints or with critical extensions that are not known here
//! is refused.

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, Error};
use x509_cert::Certificate;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ID_KP_SERVER_AUTH};
use x509_cert::der::{Encode, asn1::ObjectIdentifier};
use x509_cert::ext::pkix::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, NameConstraints, SubjectAltName,
};

use super::revoked::Revoked;
use super::signature;
use super::trust::{authority, is_self_issued, signs_certificates};
use super::verify::{parse, verify_dates};

/// A server may send as many certificates as it likes; we do not compute as long as it likes.
const SIGNATURES: u32 = 64;

/// More links than anybody has.
const LINKS: usize = 8;

struct Chain<'a> {
    links: Vec<Link>,
    revoked: &'a Revoked,
    algorithms: &'a WebPkiSupportedAlgorithms,
    now: UnixTime,
    left: u32,
    why: CertificateError,
}

struct Link {
    certificate: Certificate,
    trusted: bool,
}

pub(super) fn verify(
    leaf: &Certificate,
    sent: &[CertificateDer<'_>],
    trusted: &[CertificateDer<'_>],
    revoked: &Revoked,
    algorithms: &WebPkiSupportedAlgorithms,
    now: UnixTime,
) -> Result<(), Error> {
    verify_dates(leaf, now)?;
    if !serves(leaf) || !is_known(leaf) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    let link = |trusted| {
        move |der: &CertificateDer<'_>| {
            let certificate = parse(der).ok()?;
            Some(Link {
                certificate,
                trusted,
            })
        }
    };
    let links = trusted.iter().filter_map(link(true));
    let links = links.chain(sent.iter().filter_map(link(false))).collect();
    let mut chain = Chain {
        links,
        revoked,
        algorithms,
        now,
        left: SIGNATURES,
        why: CertificateError::UnknownIssuer,
    };
    match chain.leads_to_trust(leaf, 0) {
        true => Ok(()),
        false => Err(chain.why.into()),
    }
}

impl Chain<'_> {
    /// `below` certificates stand between the server's and the one that is asked about.
    fn leads_to_trust(&mut self, certificate: &Certificate, below: usize) -> bool {
        for at in 0..self.links.len() {
            let link = &self.links[at];
            let issuer = &link.certificate;
            let is_root = link.trusted && is_self_issued(issuer);
            if issuer.tbs_certificate.subject != certificate.tbs_certificate.issuer
                || !may_sign(issuer, is_root, below)
                || verify_dates(issuer, self.now).is_err()
            {
                continue;
            }
            let Some(left) = self.left.checked_sub(1) else {
                return false;
            };
            self.left = left;
            if !is_signed_by(certificate, issuer, self.algorithms) {
                continue;
            }
            let issuer = issuer.clone();
            let taken_back = self
                .revoked
                .check(certificate, &issuer, self.algorithms, self.now);
            if let Err(why) = taken_back {
                self.why = why;
                continue;
            }
            if is_root || below < LINKS && self.leads_to_trust(&issuer, below + 1) {
                return true;
            }
        }
        false
    }
}

fn may_sign(issuer: &Certificate, is_root: bool, below: usize) -> bool {
    let extensions = &issuer.tbs_certificate.extensions;
    // a root of version 1 cannot say that it is one
    if is_root && extensions.is_none() {
        return true;
    }
    let allows = |constraints: BasicConstraints| {
        let most = constraints.path_len_constraint;
        most.is_none_or(|most| below <= usize::from(most))
    };
    authority(issuer).is_some_and(allows) && signs_certificates(issuer) && is_known(issuer)
}

fn serves(leaf: &Certificate) -> bool {
    match leaf.tbs_certificate.get::<ExtendedKeyUsage>() {
        Ok(None) => true,
        Ok(Some((_, ExtendedKeyUsage(uses)))) => {
            uses.contains(&ID_KP_SERVER_AUTH) || uses.contains(&ANY_EXTENDED_KEY_USAGE)
        }
        Err(_) => false,
    }
}

fn is_known(certificate: &Certificate) -> bool {
    const KNOWN: [ObjectIdentifier; 4] = [
        BasicConstraints::OID,
        KeyUsage::OID,
        ExtendedKeyUsage::OID,
        SubjectAltName::OID,
    ];
    let mut extensions = certificate.tbs_certificate.extensions.iter().flatten();
    extensions.all(|extension| match extension.extn_id {
        NameConstraints::OID => false,
        id => !extension.critical || KNOWN.contains(&id),
    })
}

fn is_signed_by(
    certificate: &Certificate,
    issuer: &Certificate,
    algorithms: &WebPkiSupportedAlgorithms,
) -> bool {
    if certificate.signature_algorithm != certificate.tbs_certificate.signature {
        return false;
    }
    let (Ok(signed), Some(signature)) = (
        certificate.tbs_certificate.to_der(),
        certificate.signature.as_bytes(),
    ) else {
        return false;
    };
    let key = &issuer.tbs_certificate.subject_public_key_info;
    let by = &certificate.signature_algorithm;
    signature::of_certificate(algorithms, by, key, &signed, signature)
}
