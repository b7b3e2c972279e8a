//! What can be wrong with TLS before a byte is sent.

use std::path::Path;

/// Certificates or keys that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TlsError(String);

impl TlsError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    pub(super) fn file(what: &str, path: &Path, cause: &dyn std::fmt::Display) -> Self {
        Self(format!(
            "could not read {what} \"{}\": {cause}",
            path.display()
        ))
    }

    pub(super) fn config(cause: &rustls::Error) -> Self {
        Self(format!("TLS cannot be set up: {cause}"))
    }
}
