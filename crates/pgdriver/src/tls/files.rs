//! Root certificates, client certificate and key: from the keywords, else from `~/.postgresql` as libpq does.
//!
//! Absent: what is done with them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::TlsError;
use super::revoked::Revoked;
use crate::options::{ClientCertificate, TlsOptions};

/// Trusted certificates; none where there is no file, which libpq takes as "do not verify".
pub(super) fn roots(
    options: &TlsOptions,
) -> Result<Option<Vec<CertificateDer<'static>>>, TlsError> {
    if options.root_cert.as_deref() == Some("system") {
        return system_roots().map(Some);
    }
    let Some(path) = root_file(options).filter(|path| path.exists()) else {
        return Ok(None);
    };
    let certificates = certificates("root certificate file", &path)?;
    Ok(Some(certificates))
}

/// libpq's message for `verify-*` without a root certificate.
pub(super) fn no_roots(options: &TlsOptions) -> TlsError {
    let file = match root_file(options) {
        Some(path) => format!(
            "root certificate file \"{}\" does not exist",
            path.display()
        ),
        None => "there is no home folder in which to look for the root certificate".to_owned(),
    };
    TlsError::new(format!(
        "{file} (sslmode={} needs it)",
        options.mode.as_str()
    ))
}

/// Revocation lists. libpq passes over a file that is missing or holds none.
pub(super) fn revoked(options: &TlsOptions) -> Result<Revoked, TlsError> {
    let file = options.revoked.clone();
    let Some(path) = file.or_else(|| default_file(options, "root.crl")) else {
        return Ok(Revoked::default());
    };
    let lists = CertificateRevocationListDer::pem_file_iter(&path)
        .and_then(|lists| lists.collect::<Result<Vec<_>, _>>());
    Revoked::read(&lists.unwrap_or_default())
        .map_err(|cause| TlsError::file("certificate revocation list", &path, &cause))
}

/// Chain and key to show to the server; none where there is no certificate file, as in libpq.
pub(super) fn client_certificate(
    options: &TlsOptions,
) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, TlsError> {
    if options.client_certificate == ClientCertificate::Disable {
        return Ok(None);
    }
    let file = options
        .cert
        .clone()
        .or_else(|| default_file(options, "postgresql.crt"));
    let Some(file) = file.filter(|path| path.exists()) else {
        return Ok(None);
    };
    let chain = certificates("certificate file", &file)?;
    let key_file = options
        .key
        .clone()
        .or_else(|| default_file(options, "postgresql.key"));
    let Some(key_file) = key_file.filter(|path| path.exists()) else {
        return Err(TlsError::new(format!(
            "certificate present, but not private key file (for \"{}\")",
            file.display()
        )));
    };
    check_private(&key_file)?;
    let key =
        PrivateKeyDer::from_pem_file(&key_file).map_err(|cause| {
            match fs::read_to_string(&key_file).is_ok_and(|text| text.contains("ENCRYPTED")) {
                true => TlsError::file(
                    "private key file",
                    &key_file,
                    &"it is encrypted, which is not supported (sslpassword)",
                ),
                false => TlsError::file("private key file", &key_file, &cause),
            }
        })?;
    Ok(Some((chain, key)))
}

fn root_file(options: &TlsOptions) -> Option<PathBuf> {
    options
        .root_cert
        .as_ref()
        .map(PathBuf::from)
        .or_else(|| default_file(options, "root.crt"))
}

fn default_file(options: &TlsOptions, name: &str) -> Option<PathBuf> {
    let own = || std::env::home_dir().map(|home| home.join(".postgresql"));
    options
        .folder
        .clone()
        .or_else(own)
        .map(|folder| folder.join(name))
}

fn certificates(what: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let found = read().map_err(|cause| TlsError::file(what, path, &cause))?;
    if found.is_empty() {
        return Err(TlsError::file(what, path, &"no certificate in it"));
    }
    Ok(found)
}

fn system_roots() -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let loaded = rustls_native_certs::load_native_certs();
    match (loaded.certs.is_empty(), loaded.errors.first()) {
        (false, _) => Ok(loaded.certs),
        (true, Some(error)) => Err(TlsError::new(format!(
            "could not load system root certificates: {error}"
        ))),
        (true, None) => Err(TlsError::new(
            "the system has no root certificates (sslrootcert=system)",
        )),
    }
}

/// libpq: nobody else may read the key, except the group of a key that root owns.
fn check_private(path: &Path) -> Result<(), TlsError> {
    let metadata =
        fs::metadata(path).map_err(|cause| TlsError::file("private key file", path, &cause))?;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.permissions().mode() & forbidden == 0 {
        return Ok(());
    }
    Err(TlsError::new(format!(
        "private key file \"{}\" has group or world access; it must be 0600 or less, or 0640 when owned by root",
        path.display()
    )))
}
