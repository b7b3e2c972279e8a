//! Signatures by a certificate's key, without webpki's reading of the certificate.
//!
//! Absent: cryptography; that is the provider's.

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::SignatureVerificationAlgorithm;
use rustls::{CertificateError, DigitallySignedStruct, Error};
use x509_cert::der::Encode;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

/// The signature of a handshake.
pub(super) fn of_handshake(
    algorithms: &WebPkiSupportedAlgorithms,
    key: &SubjectPublicKeyInfoOwned,
    message: &[u8],
    signed: &DigitallySignedStruct,
) -> Result<(), Error> {
    let schemes = algorithms.mapping.iter();
    let candidates = schemes
        .filter(|(scheme, _)| *scheme == signed.scheme)
        .flat_map(|(_, candidates)| candidates.iter());
    match any(candidates, key, message, signed.signature()) {
        true => Ok(()),
        false => Err(CertificateError::BadSignature.into()),
    }
}

/// The signature of a certificate.
pub(super) fn of_certificate(
    algorithms: &WebPkiSupportedAlgorithms,
    by: &AlgorithmIdentifierOwned,
    key: &SubjectPublicKeyInfoOwned,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let Some(by) = identifier(by) else {
        return false;
    };
    let candidates = algorithms.all.iter();
    let candidates = candidates.filter(|candidate| candidate.signature_alg_id().as_ref() == by);
    any(candidates, key, message, signature)
}

fn any<'a>(
    mut candidates: impl Iterator<Item = &'a &'static dyn SignatureVerificationAlgorithm>,
    key: &SubjectPublicKeyInfoOwned,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let (Some(of), Some(bits)) = (
        identifier(&key.algorithm),
        key.subject_public_key.as_bytes(),
    ) else {
        return false;
    };
    candidates.any(|candidate| {
        candidate.public_key_alg_id().as_ref() == of
            && candidate.verify_signature(bits, message, signature).is_ok()
    })
}

/// An algorithm as the provider names it: the content of the sequence, without its head.
fn identifier(algorithm: &AlgorithmIdentifierOwned) -> Option<Vec<u8>> {
    let mut bytes = algorithm.oid.to_der().ok()?;
    if let Some(parameters) = &algorithm.parameters {
        bytes.extend(parameters.to_der().ok()?);
    }
    Some(bytes)
}
