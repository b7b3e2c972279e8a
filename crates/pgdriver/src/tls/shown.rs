//! The client's certificate, and whether the server asked for it (`sslcertmode=require`).
//!
//! Absent: files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::TlsError;

/// Handed to rustls, which asks it when the server asks.
#[derive(Debug)]
pub(super) struct Shown {
    key: Option<Arc<CertifiedKey>>,
    requested: AtomicBool,
}

impl Shown {
    pub(super) fn new(
        pair: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
        provider: &CryptoProvider,
    ) -> Result<Self, TlsError> {
        let key = pair
            .map(|(chain, key)| CertifiedKey::from_der(chain, key, provider))
            .transpose()
            .map_err(|cause| TlsError::new(format!("could not load private key file: {cause}")))?;
        Ok(Self {
            key: key.map(Arc::new),
            requested: AtomicBool::new(false),
        })
    }

    /// Why `sslcertmode=require` is not content, in libpq's words.
    pub(super) fn complaint(&self) -> Option<&'static str> {
        match (self.requested.load(Ordering::Relaxed), &self.key) {
            (false, _) => Some("server did not request an SSL certificate"),
            (true, None) => Some("server accepted connection without a valid SSL certificate"),
            (true, Some(_)) => None,
        }
    }
}

impl ResolvesClientCert for Shown {
    /// The authorities that the server names are hints; libpq shows its certificate whatever they are.
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.requested.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        // asked even without one, so that it is known that the server asked
        true
    }
}
