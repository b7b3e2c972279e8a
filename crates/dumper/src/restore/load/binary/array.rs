//! Arrays of one dimension that begin at 1.
//!
//! Absent: more dimensions, and other lower bounds.

use bytes::{BufMut, BytesMut};

use super::column::Value;
use super::{NULL, sized};

/// `{a,"b c",NULL}`
pub(super) fn put(value: Value, oid: u32, text: &[u8], out: &mut BytesMut) -> Option<()> {
    let inner = text.strip_prefix(b"{")?.strip_suffix(b"}")?;
    let at = out.len();
    out.put_i32(0); // dimensions
    out.put_i32(0); // whether there are nulls
    out.put_u32(oid);
    if inner.is_empty() {
        return Some(());
    }
    out.put_i32(0); // how many
    out.put_i32(1); // the first one's number
    let (mut count, mut nulls) = (0_i32, 0_i32);
    let mut rest = inner;
    let mut scratch = Vec::new();
    loop {
        let (element, behind) = element(rest, &mut scratch)?;
        match element {
            Element::Null => {
                out.put_i32(NULL);
                nulls = 1;
            }
            Element::Plain(text) => sized(out, |out| value.put(text, out))?,
            Element::Quoted => sized(out, |out| value.put(&scratch, out))?,
        }
        count = count.checked_add(1)?;
        match behind.split_first() {
            Some((b',', behind)) => rest = behind,
            Some(_) => return None,
            None => break,
        }
    }
    for (place, number) in [(0, 1), (4, nulls), (12, count)] {
        out[at + place..at + place + 4].copy_from_slice(&number.to_be_bytes());
    }
    Some(())
}

enum Element<'a> {
    Null,
    Plain(&'a [u8]),
    /// It is in the scratch.
    Quoted,
}

/// The first of these, and what is behind it.
fn element<'a>(text: &'a [u8], scratch: &mut Vec<u8>) -> Option<(Element<'a>, &'a [u8])> {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let behind = unquote(quoted, scratch)?;
        return Some((Element::Quoted, behind));
    }
    let end = memchr::memchr(b',', text).unwrap_or(text.len());
    let (element, behind) = text.split_at(end);
    // array_out puts quotes around all of these, and spaces without quotes do not count
    let special = |byte: &u8| b"\"\\{}".contains(byte) || byte.is_ascii_whitespace() || *byte == 11;
    if element.is_empty() || element.iter().any(special) {
        return None;
    }
    let element = match element.eq_ignore_ascii_case(b"NULL") {
        true => Element::Null,
        false => Element::Plain(element),
    };
    Some((element, behind))
}

/// What is behind the closing quote.
fn unquote<'a>(mut text: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    out.clear();
    loop {
        let at = memchr::memchr2(b'"', b'\\', text)?;
        out.extend_from_slice(&text[..at]);
        if text[at] == b'"' {
            return Some(&text[at + 1..]);
        }
        out.push(*text.get(at + 1)?);
        text = &text[at + 2..];
    }
}
