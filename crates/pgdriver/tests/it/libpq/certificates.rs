//! A private authority and the certificates that people make with one, the odd ones too.
//!
//! Absent: servers.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, SigningKey as _, date_time_ymd,
};
use x509_cert::der::asn1::BitString;
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{Decode, DecodePem, Encode, EncodePem};
use x509_cert::{Certificate, TbsCertificate, Version};

/// Somebody who signs.
pub(crate) struct Authority {
    pub(crate) pem: String,
    pub(crate) issuer: Issuer<'static, KeyPair>,
}

/// What a server shows, and its key.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) chain: String,
    pub(crate) key: String,
}

fn ca(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn root(params: CertificateParams) -> Authority {
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Authority {
        pem,
        issuer: Issuer::new(params, key),
    }
}

/// Its own root.
pub(crate) fn authority(name: &str) -> Authority {
    root(ca(name))
}

/// One whose time is over.
pub(crate) fn expired_authority(name: &str) -> Authority {
    let mut params = ca(name);
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
    root(params)
}

/// One that another vouches for.
pub(crate) fn intermediate(name: &str, of: &Authority) -> Authority {
    let key = KeyPair::generate().unwrap();
    let params = ca(name);
    let pem = params.signed_by(&key, &of.issuer).unwrap().pem();
    Authority {
        pem,
        issuer: Issuer::new(params, key),
    }
}

/// One that another vouches for, with something that sets limits to it.
pub(crate) fn limited(
    name: &str,
    of: &Authority,
    limit: impl FnOnce(&mut CertificateParams),
) -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = ca(name);
    limit(&mut params);
    let pem = params.signed_by(&key, &of.issuer).unwrap().pem();
    Authority {
        pem,
        issuer: Issuer::new(params, key),
    }
}

/// Only a common name, as PostgreSQL's documentation makes certificates.
pub(crate) fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A common name and alternative names, DNS or address.
pub(crate) fn alternative(common: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common);
    params
}

pub(crate) fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
    params
}

pub(crate) fn not_yet_valid(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2090, 1, 1);
    params
}

/// Marked as an authority, as `openssl req -x509` does by default.
pub(crate) fn marked_as_ca(mut params: CertificateParams) -> CertificateParams {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

pub(crate) fn for_clients_only(mut params: CertificateParams) -> CertificateParams {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

pub(crate) fn for_signing_certificates_only(mut params: CertificateParams) -> CertificateParams {
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

pub(crate) fn with_serial(mut params: CertificateParams, serial: u64) -> CertificateParams {
    params.serial_number = Some(SerialNumber::from(serial));
    params
}

pub(crate) fn issued(authority: &Authority, params: &CertificateParams) -> Shown {
    let key = KeyPair::generate().unwrap();
    Shown {
        chain: params.signed_by(&key, &authority.issuer).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

pub(crate) fn self_signed(params: &CertificateParams) -> Shown {
    let key = KeyPair::generate().unwrap();
    Shown {
        chain: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

/// X.509 version 1: what `openssl x509 -req` made of PostgreSQL's documentation (19.9.5) until OpenSSL 3.4, no
/// extensions at all.
pub(crate) fn version_1(authority: &Authority, name: &str) -> Shown {
    let shown = issued(authority, &named(name));
    let made = Certificate::from_pem(&shown.chain).unwrap();
    let tbs = TbsCertificate {
        version: Version::V1,
        extensions: None,
        ..made.tbs_certificate
    };
    let signature = authority.issuer.key().sign(&tbs.to_der().unwrap()).unwrap();
    let old = Certificate {
        tbs_certificate: tbs,
        signature_algorithm: made.signature_algorithm,
        signature: BitString::from_bytes(&signature).unwrap(),
    };
    // what was written can be read
    Certificate::from_der(&old.to_der().unwrap()).unwrap();
    Shown {
        chain: old.to_pem(LineEnding::LF).unwrap(),
        key: shown.key,
    }
}

/// What has been taken back, by serial number.
pub(crate) fn revocations(authority: &Authority, serials: &[u64], expires: i32) -> String {
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2001, 1, 1),
        next_update: date_time_ymd(expires, 1, 1),
        crl_number: SerialNumber::from(1u64),
        issuing_distribution_point: None,
        revoked_certs: serials
            .iter()
            .map(|serial| RevokedCertParams {
                serial_number: SerialNumber::from(*serial),
                revocation_time: date_time_ymd(2001, 1, 1),
                reason_code: None,
                invalidity_date: None,
            })
            .collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(&authority.issuer).unwrap().pem().unwrap()
}

/// A file that nobody else may read, by its path.
pub(crate) fn file(folder: &std::path::Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, private).unwrap();
    path.display().to_string()
}
