//! Numbers.

use bytes::{BufMut, BytesMut};
use postgres_protocol::types;

pub(super) fn int2(text: &[u8], out: &mut BytesMut) -> Option<()> {
    types::int2_to_sql(parsed(text)?, out);
    Some(())
}

pub(super) fn int4(text: &[u8], out: &mut BytesMut) -> Option<()> {
    types::int4_to_sql(parsed(text)?, out);
    Some(())
}

pub(super) fn int8(text: &[u8], out: &mut BytesMut) -> Option<()> {
    types::int8_to_sql(parsed(text)?, out);
    Some(())
}

pub(super) fn oid(text: &[u8], out: &mut BytesMut) -> Option<()> {
    types::oid_to_sql(parsed(text)?, out);
    Some(())
}

pub(super) fn float4(text: &[u8], out: &mut BytesMut) -> Option<()> {
    let value: f32 = parsed(text)?;
    is_plain(text, value.is_finite(), value == 0.0)?;
    types::float4_to_sql(value, out);
    Some(())
}

pub(super) fn float8(text: &[u8], out: &mut BytesMut) -> Option<()> {
    let value: f64 = parsed(text)?;
    is_plain(text, value.is_finite(), value == 0.0)?;
    types::float8_to_sql(value, out);
    Some(())
}

fn parsed<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A number that is too large or too small for its type is an error of the server's, and none of Rust's.
fn is_plain(text: &[u8], is_finite: bool, is_zero: bool) -> Option<()> {
    const SPECIAL: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];
    const ZERO: [&[u8]; 2] = [b"0", b"-0"];
    let plain = match (is_finite, is_zero) {
        (false, _) => SPECIAL.contains(&text),
        (true, true) => ZERO.contains(&text),
        (true, false) => true,
    };
    plain.then_some(())
}

/// Digits of base 10,000 with the weight of the first, and how many decimal digits stand behind the point
/// (`numeric_recv` in src/backend/utils/adt/numeric.c).
pub(super) fn numeric(text: &[u8], out: &mut BytesMut) -> Option<()> {
    const POSITIVE: u16 = 0;
    const NEGATIVE: u16 = 0x4000;
    // the most digits that a numeric without a scale may have
    const MOST: (usize, usize) = (131_072, 16_383);
    let special = match text {
        b"NaN" => Some(0xC000),
        b"Infinity" => Some(0xD000),
        b"-Infinity" => Some(0xF000),
        _ => None,
    };
    if let Some(sign) = special {
        header(out, 0, 0, sign, 0);
        return Some(());
    }
    let (sign, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (NEGATIVE, digits),
        None => (POSITIVE, text),
    };
    let (whole, fraction) = match memchr::memchr(b'.', digits) {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, &[][..]),
    };
    let all_digits = whole.iter().chain(fraction).all(u8::is_ascii_digit);
    if whole.is_empty() || !all_digits || whole.len() > MOST.0 || fraction.len() > MOST.1 {
        return None;
    }
    let zeros = whole.iter().take_while(|digit| **digit == b'0').count();
    let whole = &whole[zeros..];
    let at = out.len();
    header(out, 0, 0, 0, 0);
    let first = out.len();
    let (head, groups) = whole.split_at(whole.len() % 4);
    let mut weight = i16::try_from(whole.len().div_ceil(4)).ok()? - 1;
    let head = (!head.is_empty()).then_some(head);
    let behind_point = fraction.chunks(4).map(|group| {
        // its missing digits are zeros
        value(group) * 10_i16.pow(4 - u32::try_from(group.len()).unwrap_or(4))
    });
    let groups = head.into_iter().chain(groups.chunks(4)).map(value);
    for group in groups.chain(behind_point) {
        match group {
            0 if out.len() == first => weight -= 1,
            group => out.put_i16(group),
        }
    }
    while out.len() > first && out.ends_with(&[0, 0]) {
        out.truncate(out.len() - 2);
    }
    let count = i16::try_from((out.len() - first) / 2).ok()?;
    let (sign, weight) = if count == 0 {
        (POSITIVE, 0)
    } else {
        (sign, weight)
    };
    let scale = u16::try_from(fraction.len()).ok()?;
    let mut head = BytesMut::with_capacity(8);
    header(&mut head, count, weight, sign, scale);
    out[at..first].copy_from_slice(&head);
    Some(())
}

fn value(group: &[u8]) -> i16 {
    group
        .iter()
        .fold(0, |value, digit| value * 10 + i16::from(digit - b'0'))
}

fn header(out: &mut BytesMut, digits: i16, weight: i16, sign: u16, scale: u16) {
    out.put_i16(digits);
    out.put_i16(weight);
    out.put_u16(sign);
    out.put_u16(scale);
}
