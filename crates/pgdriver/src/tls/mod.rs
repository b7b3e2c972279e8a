//! libpq's `sslmode` on rustls. libpq's rules are those of `initialize_SSL` in `fe-secure-openssl.c`.
//!
//! Absent: folders of revocation lists (`sslcrldir` is listed as ignored), encrypted client keys, TLS before 1.2.

mod connector;
mod error;
mod files;
mod name;
mod plain_chain;
mod provider;
mod revoked;
mod shown;
mod signature;
mod trust;
mod verify;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

pub(crate) use connector::Connector;
pub(crate) use error::TlsError;

use crate::options::{Host, Place, SslMode, TlsOptions, TlsVersion};
use revoked::Revoked;
use shown::Shown;
use trust::Trust;
use verify::{Policy, Verifier};

/// One try at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    Plain,
    Encrypted,
}

/// What to try, in order. libpq ignores `sslmode` on a socket, and a socket where there is a `hostaddr`.
pub(crate) fn attempts(mode: SslMode, host: &Host) -> &'static [Attempt] {
    let socket = matches!(host.place, Place::Socket(_)) && host.address.is_none();
    match (socket, mode) {
        (true, _) | (_, SslMode::Disable) => &[Attempt::Plain],
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

/// A connector that follows the `ssl*` keywords for one host. Files that cannot be used are an error of the handshake:
/// libpq looks at them once the server has said that it speaks TLS.
pub(crate) fn connector(options: &TlsOptions, host: &Host) -> Connector {
    match config(options, host) {
        Ok((config, shown)) => Connector::new(config, shown),
        Err(error) => Connector::broken(error),
    }
}

fn config(options: &TlsOptions, host: &Host) -> Result<(ClientConfig, Arc<Shown>), TlsError> {
    let provider = provider::provider();
    let algorithms = provider.signature_verification_algorithms;
    let (policy, trust) = match files::roots(options)? {
        Some(roots) => {
            let policy = match options.mode {
                SslMode::VerifyFull => Policy::ChainAndName(host_name(host)),
                // libpq verifies the chain in every mode once a root certificate is there
                _ => Policy::Chain,
            };
            let trust = Trust::new(roots, files::revoked(options)?, algorithms);
            (policy, trust)
        }
        None if matches!(options.mode, SslMode::VerifyCa | SslMode::VerifyFull) => {
            return Err(files::no_roots(options));
        }
        None => (
            Policy::Nothing,
            Trust::new(Vec::new(), Revoked::default(), algorithms),
        ),
    };
    let verifier = Verifier::new(policy, trust, algorithms);
    let shown = Arc::new(Shown::new(files::client_certificate(options)?, &provider)?);
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(options)?)
        .map_err(|cause| TlsError::config(&cause))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(shown.clone());
    config.enable_sni = options.server_name;
    if options.direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok((config, shown))
}

fn versions(
    options: &TlsOptions,
) -> Result<Vec<&'static rustls::SupportedProtocolVersion>, TlsError> {
    let newest = options.newest.unwrap_or(TlsVersion::V1_3);
    let spoken = [
        (TlsVersion::V1_2, &rustls::version::TLS12),
        (TlsVersion::V1_3, &rustls::version::TLS13),
    ];
    let versions: Vec<_> = spoken
        .into_iter()
        .filter(|(version, _)| (options.oldest..=newest).contains(version))
        .map(|(_, version)| version)
        .collect();
    match versions.is_empty() {
        true => Err(TlsError::new(format!(
            "ssl_max_protocol_version={}: TLS before 1.2 is not supported",
            newest.as_str()
        ))),
        false => Ok(versions),
    }
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
    use crate::options::SslMode;
    use crate::{ConnectOptions, Environment, Host};

    #[test]
    fn attempts_of_each_mode() {
        let host = |dsn: &str| -> Host {
            let dsn = format!("user=u {dsn}");
            let options = ConnectOptions::parse_in(&dsn, &Environment::default());
            options.unwrap().hosts()[0].clone()
        };
        let tcp = host("host=db1");
        let (plain, encrypted) = (Attempt::Plain, Attempt::Encrypted);
        assert_eq!(attempts(SslMode::Disable, &tcp), [plain]);
        assert_eq!(attempts(SslMode::Allow, &tcp), [plain, encrypted]);
        assert_eq!(attempts(SslMode::Prefer, &tcp), [encrypted, plain]);
        for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
            assert_eq!(attempts(mode, &tcp), [encrypted]);
            assert_eq!(attempts(mode, &host("host=/tmp")), [plain]);
            let elsewhere = host("host=/tmp hostaddr=::1");
            assert_eq!(attempts(mode, &elsewhere), [encrypted]);
        }
    }
}
