//! The head of an archive in one of pg_dump's own formats (`ReadHead` of pg_backup_archiver.c): which pg_dump wrote it.
//!
//! Absent: the table of contents behind it, which is pg_restore's business.

use crate::pg_dump::Version;

pub(super) const MAGIC: &[u8] = b"PGDMP";
const DAMAGED: &str = "its head, where pg_dump says what wrote it, cannot be read";

/// What the head says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// Of the archive's format: 1.14 up to PostgreSQL 15, 1.15 in 16, 1.16 since 17.
    pub(crate) format: (u8, u8),
    /// Of the pg_dump that wrote it.
    pub(crate) pg_dump_version: Option<Version>,
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut head = Head { bytes };
        if head.take(MAGIC.len())? != MAGIC {
            return Err(DAMAGED);
        }
        let [major, minor, _revision, int_size, _offset_size, _format] = *head.take(6)? else {
            return Err(DAMAGED);
        };
        let format = (major, minor);
        if !(1..=8).contains(&int_size) || format < (1, 10) {
            return Err(DAMAGED);
        }
        let int_size = usize::from(int_size);
        if format < (1, 15) {
            head.int(int_size)?; // the compression's level
        } else {
            head.take(1)?; // its algorithm
        }
        for _ in 0..7 {
            head.int(int_size)?; // when
        }
        head.text(int_size)?; // the database
        head.text(int_size)?; // the server's version
        let version = head.text(int_size)?;
        Ok(Self {
            format,
            pg_dump_version: version.as_deref().and_then(Version::from_text),
        })
    }

    /// Whether a pg_restore of this version reads it: whatever is older than itself, and what is newer as long as the
    /// format is not.
    pub(crate) fn is_read_by(&self, pg_restore: Version) -> bool {
        let newest = match pg_restore.major {
            ..12 => return false, // `-f -` would be a file
            12..=15 => (1, 14),
            16 => (1, 15),
            _ => (1, 16),
        };
        let as_new = |version: Version| version.major <= pg_restore.major;
        self.pg_dump_version.is_some_and(as_new) || self.format <= newest
    }
}

struct Head<'a> {
    bytes: &'a [u8],
}

impl<'a> Head<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(DAMAGED)?;
        self.bytes = rest;
        Ok(taken)
    }

    /// A sign, and the bytes from the lowest on.
    fn int(&mut self, size: usize) -> Result<i64, &'static str> {
        let negative = self.take(1)?[0] != 0;
        let bytes = self.take(size)?;
        let value = bytes.iter().rev().try_fold(0_i64, |value, byte| {
            value.checked_mul(256)?.checked_add(i64::from(*byte))
        });
        let value = value.ok_or(DAMAGED)?;
        Ok(if negative { -value } else { value })
    }

    fn text(&mut self, size: usize) -> Result<Option<String>, &'static str> {
        let length = self.int(size)?;
        if length < 0 {
            return Ok(None);
        }
        let text = self.take(usize::try_from(length).map_err(|_| DAMAGED)?)?;
        Ok(Some(String::from_utf8_lossy(text).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        let mut bytes = vec![0, text.len() as u8, 0, 0, 0];
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    fn header(minor: u8, version: &str) -> Vec<u8> {
        let mut bytes = b"PGDMP\x01".to_vec();
        bytes.extend_from_slice(&[minor, 0, 4, 8, 1]);
        bytes.resize(bytes.len() + if minor < 15 { 5 } else { 1 } + 7 * 5, 0);
        bytes.extend([text("shop"), text("14.2"), text(version)].concat());
        bytes
    }

    #[test]
    fn old_and_new_heads_tell_who_wrote_them() {
        for (minor, text, version) in [
            (14, "15.18 (Debian 15.18-0+deb12u1)", "15.18"),
            (15, "16.1", "16.1"),
            (16, "18beta1", "18.0"),
        ] {
            let found = Header::read(&header(minor, text)).unwrap();
            assert_eq!(found.format, (1, minor));
            assert_eq!(found.pg_dump_version.unwrap().to_string(), version);
        }
    }

    #[test]
    fn cut_and_wild_heads_are_refused() {
        let whole = header(14, "15.18");
        for length in 0..whole.len() {
            assert!(Header::read(&whole[..length]).is_err(), "cut at {length}");
        }
        let mut wild = whole.clone();
        wild[8] = 200;
        assert!(Header::read(&wild).is_err());
        wild[8] = 8;
        wild[11..].fill(0xff);
        assert!(Header::read(&wild).is_err());
    }

    #[test]
    fn an_older_program_reads_what_is_in_its_format() {
        let check = |minor, wrote: &str, program, expected| {
            let header = Header::read(&header(minor, wrote)).unwrap();
            let program = Version {
                major: program,
                minor: 0,
            };
            assert_eq!(header.is_read_by(program), expected, "{wrote} {program}");
        };
        check(14, "15.1", 14, true);
        check(14, "12.1", 18, true);
        check(15, "16.1", 15, false);
        check(16, "17.1", 16, false);
        check(16, "18.1", 17, true);
        check(17, "19.1", 18, false);
        check(17, "19.1", 19, true);
        check(14, "13.1", 11, false);
    }
}
