//! Values that are neither numbers nor moments.

use std::net::IpAddr;

use bytes::{BufMut, BytesMut};
use postgres_protocol::types;

pub(super) fn bool(text: &[u8], out: &mut BytesMut) -> Option<()> {
    let value = match text {
        b"t" => true,
        b"f" => false,
        _ => return None,
    };
    types::bool_to_sql(value, out);
    Some(())
}

/// `\x…`; the older notation is left to the server.
pub(super) fn bytea(text: &[u8], out: &mut BytesMut) -> Option<()> {
    let hex = text.strip_prefix(b"\\x")?;
    let (pairs, rest) = hex.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    out.reserve(pairs.len());
    for pair in pairs {
        out.put_u8(byte(*pair)?);
    }
    Some(())
}

/// `01234567-89ab-cdef-0123-456789abcdef`
pub(super) fn uuid(text: &[u8], out: &mut BytesMut) -> Option<()> {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    if text.len() != 36 {
        return None;
    }
    let mut value = [0; 16];
    let (mut from, mut to) = (0, 0);
    for length in GROUPS {
        if from > 0 {
            if text[from] != b'-' {
                return None;
            }
            from += 1;
        }
        for pair in text[from..from + length].as_chunks::<2>().0 {
            value[to] = byte(*pair)?;
            to += 1;
        }
        from += length;
    }
    types::uuid_to_sql(value, out);
    Some(())
}

/// An address, with or without the length of its network.
pub(super) fn inet(text: &[u8], out: &mut BytesMut) -> Option<()> {
    let text = std::str::from_utf8(text).ok()?;
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(all);
    if bits > all {
        return None;
    }
    types::inet_to_sql(address, bits, out);
    Some(())
}

fn byte([high, low]: [u8; 2]) -> Option<u8> {
    const NONE: u8 = 0xFF;
    const DIGITS: [u8; 256] = {
        let mut digits = [NONE; 256];
        let mut value = 0;
        while value < 16 {
            digits[b"0123456789abcdef"[value] as usize] = value as u8;
            digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
            value += 1;
        }
        digits
    };
    let (high, low) = (DIGITS[usize::from(high)], DIGITS[usize::from(low)]);
    (high != NONE && low != NONE).then_some(high << 4 | low)
}
