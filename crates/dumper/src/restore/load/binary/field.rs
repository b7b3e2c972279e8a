//! The fields of a row of COPY's text format.
//!
//! Absent: what pg_dump does not write: octal and hexadecimal escapes, and a backslash before anything else.

/// A value as it stands in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Null,
    /// Without a backslash.
    Plain(&'a [u8]),
    /// With at least one.
    Escaped(&'a [u8]),
}

impl<'a> Field<'a> {
    /// The first of a row, up to `end`, which is a tab or, of the last field, the line's end; and what is behind. None
    /// where the row has more or fewer fields.
    pub(super) fn cut(text: &'a [u8], end: u8) -> Option<(Self, &'a [u8])> {
        let (mut at, mut escaped) = (0, false);
        loop {
            at += memchr::memchr3(b'\t', b'\n', b'\\', &text[at..])?;
            if text[at] != b'\\' {
                break;
            }
            escaped = true;
            at += 2;
            if at > text.len() {
                return None;
            }
        }
        let (field, behind) = (&text[..at], &text[at + 1..]);
        if text[at] != end {
            return None;
        }
        let field = match (escaped, field) {
            (false, plain) => Self::Plain(plain),
            (true, b"\\N") => Self::Null,
            (true, escaped) => Self::Escaped(escaped),
        };
        Some((field, behind))
    }
}

/// What the escapes of a field stand for, in place of what `out` held.
pub(super) fn unescape(mut text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    while let Some(at) = memchr::memchr(b'\\', text) {
        out.extend_from_slice(&text[..at]);
        out.push(match text.get(at + 1)? {
            b'\\' => b'\\',
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            b'v' => 11,
            _ => return None,
        });
        text = &text[at + 2..];
    }
    out.extend_from_slice(text);
    Some(())
}
