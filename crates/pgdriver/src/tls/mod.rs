//! libpq's `sslmode` on rustls. libpq's rules are those of `initialize_SSL` in `fe-secure-openssl.c`.
//!
//! Absent: certificate revocation lists (`sslcrl` is listed as ignored), encrypted client keys, TLS before 1.2.

mod connector;
mod error;
mod files;
mod name;
mod provider;
mod verify;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

pub(crate) use connector::Connector;
pub(crate) use error::TlsError;

use crate::options::{Host, Place, SslMode, TlsOptions};
use verify::{Policy, Verifier};

/// One try at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    Plain,
    Encrypted,
}

/// What to try, in order. libpq ignores `sslmode` on a socket.
pub(crate) fn attempts(mode: SslMode, place: &Place) -> &'static [Attempt] {
    match (place, mode) {
        (Place::Socket(_), _) | (_, SslMode::Disable) => &[Attempt::Plain],
        (_, SslMode::Allow) => &[Attempt::Plain, Attempt::Encrypted],
        (_, SslMode::Prefer) => &[Attempt::Encrypted, Attempt::Plain],
        (_, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => &[Attempt::Encrypted],
    }
}

/// The name for the handshake (SNI). Where the host's name is none that TLS knows, its address stands in; what is
/// verified is the host as it was given, whatever stands here.
pub(crate) fn handshake_name(host: &str, address: std::net::IpAddr) -> String {
    match ServerName::try_from(host) {
        Ok(_) => host.to_owned(),
        Err(_) => address.to_string(),
    }
}

/// A connector that follows the `ssl*` keywords for one host.
pub(crate) fn connector(options: &TlsOptions, host: &Host) -> Result<Connector, TlsError> {
    let provider = provider::provider();
    let roots = files::roots(options)?;
    let policy = match (&roots, options.mode) {
        (None, SslMode::VerifyCa | SslMode::VerifyFull) => return Err(files::no_roots(options)),
        (None, _) => Policy::Nothing,
        (Some(_), SslMode::VerifyFull) => Policy::ChainAndName(host_name(host)),
        // libpq verifies the chain in every mode once a root certificate is there
        (Some(_), _) => Policy::Chain,
    };
    let verifier = Verifier::new(
        policy,
        roots.unwrap_or_default(),
        provider.signature_verification_algorithms,
    );
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| TlsError::config(&cause))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match files::client_certificate(options)? {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|cause| TlsError::config(&cause))?,
        None => builder.with_no_client_auth(),
    };
    if options.direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(Connector::new(config))
}

fn host_name(host: &Host) -> String {
    match &host.place {
        Place::Tcp(name) => name.clone(),
        Place::Socket(folder) => folder.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempt, attempts};
    use crate::options::{Place, SslMode};

    #[test]
    fn attempts_of_each_mode() {
        let tcp = Place::Tcp("db1".to_owned());
        assert_eq!(attempts(SslMode::Disable, &tcp), [Attempt::Plain]);
        assert_eq!(
            attempts(SslMode::Allow, &tcp),
            [Attempt::Plain, Attempt::Encrypted]
        );
        assert_eq!(
            attempts(SslMode::Prefer, &tcp),
            [Attempt::Encrypted, Attempt::Plain]
        );
        for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
            assert_eq!(attempts(mode, &tcp), [Attempt::Encrypted]);
            assert_eq!(
                attempts(mode, &Place::Socket("/tmp".into())),
                [Attempt::Plain]
            );
        }
    }
}
