//! A password that cannot print itself.
//!
//! Absent: `Display`, `Serialize`, comparison, and any way out but [`Password::expose`].

use std::fmt;

use zeroize::Zeroizing;

/// A database password; wiped from memory when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes the password over.
    pub fn new(password: impl Into<String>) -> Self {
        Self(Zeroizing::new(password.into()))
    }

    /// The password itself, for the environment of one child.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// `text` with every occurrence of the password replaced.
pub(crate) fn scrub(text: &str, password: Option<&Password>) -> String {
    match password.map(Password::expose) {
        Some(secret) if !secret.is_empty() => text.replace(secret, "********"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_does_not_print() {
        let password = Password::new("s3cret");
        assert!(!format!("{password:?}").contains("s3cret"));
    }

    #[test]
    fn scrubbing_replaces_every_occurrence() {
        let password = Password::new("s3cret");
        assert_eq!(
            scrub("a s3cret b s3cret", Some(&password)),
            "a ******** b ********"
        );
        assert_eq!(scrub("abc", Some(&Password::new(""))), "abc");
        assert_eq!(scrub("abc", None), "abc");
    }
}
