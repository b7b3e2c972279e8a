//! Does a certificate name this host? libpq's rules (`fe-secure-common.c`): subject alternative names of the host's
//! kind, else the common name, which rustls no longer looks at and PostgreSQL's own documentation still uses.
//!
//! Absent: trust.

use std::net::IpAddr;

use x509_cert::Certificate;
use x509_cert::der::asn1::{PrintableStringRef, TeletexStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::CN;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The certificate is for `host`, a name or a numeric address.
pub(super) fn matches(certificate: &Certificate, host: &str) -> bool {
    let address = host.parse::<IpAddr>().ok();
    let mut common_name_counts = true;
    for name in alternative_names(certificate) {
        match (name, address) {
            (GeneralName::DnsName(pattern), address) => {
                common_name_counts &= address.is_some();
                if dns_matches(pattern.as_str(), host) {
                    return true;
                }
            }
            (GeneralName::IpAddress(bytes), Some(address)) => {
                common_name_counts = false;
                if bytes.as_bytes() == octets(address) {
                    return true;
                }
            }
            _ => {}
        }
    }
    common_name_counts && common_name(certificate).is_some_and(|name| dns_matches(&name, host))
}

fn alternative_names(certificate: &Certificate) -> Vec<GeneralName> {
    match certificate.tbs_certificate.get::<SubjectAltName>() {
        Ok(Some((_, names))) => names.0,
        _ => Vec::new(),
    }
}

fn common_name(certificate: &Certificate) -> Option<String> {
    let names = &certificate.tbs_certificate.subject.0;
    let value = &names
        .iter()
        .rev()
        .flat_map(|set| set.0.iter())
        .find(|pair| pair.oid == CN)?
        .value;
    let text = value
        .decode_as::<Utf8StringRef<'_>>()
        .map(|text| text.as_str().to_owned())
        .or_else(|_| {
            value
                .decode_as::<PrintableStringRef<'_>>()
                .map(|text| text.as_str().to_owned())
        })
        .or_else(|_| {
            value
                .decode_as::<TeletexStringRef<'_>>()
                .map(|text| text.as_str().to_owned())
        });
    text.ok()
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Exactly, or `*.` for one label.
fn dns_matches(pattern: &str, host: &str) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    match (pattern.strip_prefix("*."), host.split_once('.')) {
        (Some(suffix), Some((label, rest))) => {
            !suffix.is_empty() && !label.is_empty() && suffix.eq_ignore_ascii_case(rest)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::dns_matches;

    #[test]
    fn wildcards_stand_for_one_label() {
        for (pattern, host, expected) in [
            ("db1", "db1", true),
            ("DB1.example.com", "db1.EXAMPLE.com", true),
            ("*.example.com", "db1.example.com", true),
            ("*.example.com", "a.db1.example.com", false),
            ("*.example.com", "example.com", false),
            ("*", "db1", false),
            ("*.", "db1.", false),
            ("d*.example.com", "db1.example.com", false),
        ] {
            assert_eq!(dns_matches(pattern, host), expected, "{pattern} {host}");
        }
    }
}
