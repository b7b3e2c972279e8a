//! What can be wrong with connection parameters before anything is opened.

/// A connection string, a keyword or a file named by one that cannot be used. Never carries a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OptionsError {
    keyword: Option<String>,
    message: String,
}

impl OptionsError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            keyword: None,
            message: message.into(),
        }
    }

    pub(crate) fn of(keyword: &str, message: impl Into<String>) -> Self {
        Self {
            keyword: Some(keyword.to_owned()),
            message: message.into(),
        }
    }

    /// The keyword at fault, where one is.
    pub fn keyword(&self) -> Option<&str> {
        self.keyword.as_deref()
    }
}
