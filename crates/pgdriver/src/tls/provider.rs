//! The one place that chooses the cryptography: ring.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
