//! PostgreSQL's version numbers, as programs print them and as servers report them.
//!
//! Absent: betas and release candidates, which count as minor 0 of their major.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `15.18`; of the old scheme (`9.6.24`) the third number is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Version {
    /// 15
    pub major: u32,
    /// 18
    pub minor: u32,
}

impl Version {
    /// From the server setting `server_version_num`: 150018, or 90624 for 9.6.24.
    pub fn from_num(server_version_num: u32) -> Self {
        let major = server_version_num / 10_000;
        let rest = server_version_num % 10_000;
        Self {
            major,
            minor: if major >= 10 { rest } else { rest / 100 },
        }
    }

    /// From what `--version` prints of the program of this name.
    pub(crate) fn from_program(name: &str, text: &str) -> Option<Self> {
        let number = text
            .strip_prefix(name)?
            .strip_prefix(" (")?
            .split_once(')')?
            .1
            .split_whitespace()
            .next()?;
        Self::parse(number)
    }

    /// From what begins with a number: `15.18 (Debian 15.18-0+deb12u1)`.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Self::parse(text.split_whitespace().next()?)
    }

    fn parse(number: &str) -> Option<Self> {
        let end = number
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(number.len());
        let major = number[..end].parse().ok()?;
        let minor = match number[end..].strip_prefix('.') {
            Some(rest) => rest
                .split(|c: char| !c.is_ascii_digit())
                .next()?
                .parse()
                .ok()?,
            None => 0,
        };
        Some(Self { major, minor })
    }

    /// Whether a pg_dump of this version accepts a server of that one: pg_dump compares majors, which before 10 had
    /// two numbers.
    pub fn can_dump(self, server: Self) -> bool {
        if self.major >= 10 {
            self.major >= server.major
        } else {
            self >= server
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not a version"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(u32, u32)>) {
        assert_eq!(
            Version::from_program("pg_dump", text),
            expected.map(|(major, minor)| Version { major, minor }),
            "{text}"
        );
    }

    #[test]
    fn reads_what_pg_dump_prints() {
        check(
            "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n",
            Some((15, 18)),
        );
        check("pg_dump (PostgreSQL) 18.6\n", Some((18, 6)));
        check("pg_dump (PostgreSQL) 19beta1\n", Some((19, 0)));
        check("pg_dump (PostgreSQL) 18rc1\n", Some((18, 0)));
        check("pg_dump (PostgreSQL) 9.6.24\n", Some((9, 6)));
        check("pg_dump (EDB Postgres Extended) 16.3\n", Some((16, 3)));
        check("pg_restore (PostgreSQL) 15.18\n", None);
        check("pg_dump: command not found", None);
        check("", None);
    }

    #[test]
    fn reads_what_servers_report() {
        assert_eq!(
            Version::from_num(150_018),
            Version {
                major: 15,
                minor: 18
            }
        );
        assert_eq!(
            Version::from_num(180_006),
            Version {
                major: 18,
                minor: 6
            }
        );
        assert_eq!(Version::from_num(90_624), Version { major: 9, minor: 6 });
    }

    #[test]
    fn minors_do_not_matter_but_majors_do() {
        let version = |major, minor| Version { major, minor };
        assert!(version(15, 1).can_dump(version(15, 18)));
        assert!(version(18, 0).can_dump(version(14, 22)));
        assert!(!version(15, 18).can_dump(version(16, 0)));
        assert!(!version(9, 5).can_dump(version(9, 6)));
        assert!(version(9, 6).can_dump(version(9, 6)));
    }
}
