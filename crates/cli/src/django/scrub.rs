//! Takes known secrets out of what a process prints, before anybody sees or keeps a line.
//!
//! The bridge does the same for its answers; this is for what the project itself prints, and before it has answered.
//! Absent here: guessing what might be a secret from how it looks.

use std::collections::BTreeSet;

/// Shorter secrets are taken out as whole words only: the password `shop` must not tear the table `shop_item` apart.
const LONG: usize = 8;

/// Every secret that is known by now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scrubber {
    /// Longest first, so that a secret that holds another goes whole.
    secrets: Vec<Hidden>,
}

impl Scrubber {
    /// [`Scrubber::of_environment`] of this process, which its children inherit.
    pub(crate) fn of_process() -> Self {
        Self::of_environment(std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    /// What settings are probably made of, known before they are read: variables named after a secret, and passwords
    /// in addresses.
    pub(crate) fn of_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut scrubber = Self::default();
        for (name, value) in variables {
            let name = name.to_ascii_uppercase();
            if ["PASSWORD", "PASSWD", "SECRET", "TOKEN"]
                .iter()
                .any(|word| name.contains(word))
            {
                scrubber.add(&value);
            } else if value.contains("://") {
                passwords(&value).for_each(|password| scrubber.add(&password));
            }
        }
        scrubber
    }

    /// From now on this shows nowhere; ignored where it is no secret (empty, or one letter).
    pub(crate) fn add(&mut self, secret: &str) {
        if secret.chars().count() < 2 {
            return;
        }
        let all: BTreeSet<String> = [secret.to_owned(), percent(secret)].into();
        for text in all {
            if !self.secrets.iter().any(|known| known.0 == text) {
                self.secrets.push(Hidden(text));
            }
        }
        self.secrets
            .sort_by_key(|known| std::cmp::Reverse(known.0.len()));
    }

    pub(crate) fn scrub(&self, line: &str) -> String {
        self.secrets
            .iter()
            .fold(line.to_owned(), |line, secret| secret.out_of(&line))
    }
}

/// A text that never prints itself.
#[derive(Clone)]
struct Hidden(String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Hidden {
    fn out_of(&self, line: &str) -> String {
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(at) = rest.find(&self.0) {
            let (before, after) = (&rest[..at], &rest[at + self.0.len()..]);
            let in_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            let previous = before
                .chars()
                .next_back()
                .or_else(|| out.chars().next_back());
            let part = self.0.len() < LONG && (in_word(previous) || in_word(after.chars().next()));
            out.push_str(before);
            out.push_str(if part { &self.0 } else { "***" });
            rest = after;
        }
        out + rest
    }
}

/// The password of an address, as it is written there and as it is meant.
fn passwords(address: &str) -> impl Iterator<Item = String> {
    let authority = address.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let written = authority
        .rsplit_once('@')
        .and_then(|(login, _)| login.split_once(':'))
        .map(|(_, p)| p.to_owned());
    let meant = written.as_deref().map(decoded);
    written.into_iter().chain(meant)
}

/// What `%40` and the like stand for.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail
            .get(..2)
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn percent(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], line: &str, expected: &str) {
        let variables = variables
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        assert_eq!(Scrubber::of_environment(variables).scrub(line), expected);
    }

    #[test]
    fn secrets_of_the_environment_are_known_from_the_start() {
        let url = [(
            "DATABASE_URL",
            "postgres://shop:tr0ub4dor@db:5432/shop?sslmode=require",
        )];
        check(
            &url,
            "using postgres://shop:tr0ub4dor@db:5432/shop",
            "using postgres://shop:***@db:5432/shop",
        );
        check(
            &[("PGPASSWORD", "tr0ub4dor")],
            "login tr0ub4dor!",
            "login ***!",
        );
        check(&[("api_token", "abcdefgh1")], "abcdefgh12", "***2");
        check(&[("HOME", "tr0ub4dor")], "tr0ub4dor", "tr0ub4dor");
        check(
            &[("REDIS_URL", "redis://:s3cretpass@cache")],
            "s3cretpass",
            "***",
        );
    }

    #[test]
    fn an_encoded_password_is_hidden_both_ways() {
        let url = [("DATABASE_URL", "postgres://shop:p%40ssw%3Ard@db/shop")];
        check(&url, "p%40ssw%3Ard is p@ssw:rd", "*** is ***");
    }

    #[test]
    fn a_short_secret_is_hidden_as_a_word_only() {
        let short = [("PASSWORD", "shop")];
        check(
            &short,
            "shop_item, shop and workshop",
            "shop_item, *** and workshop",
        );
        check(&[("PASSWORD", "x")], "x is no secret", "x is no secret");
    }

    #[test]
    fn a_scrubber_does_not_print_its_secrets() {
        let mut scrubber = Scrubber::default();
        scrubber.add("tr0ub4dor");
        assert!(!format!("{scrubber:?}").contains("tr0ub4dor"));
    }
}
