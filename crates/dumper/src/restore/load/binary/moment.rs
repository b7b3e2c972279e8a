//! Days, times and how long something takes, as pg_dump writes them: in ISO's order, intervals in PostgreSQL's own words.
//!
//! Absent: years before 1 and after 9999, infinite moments, and intervals that go back.

use bytes::{BufMut, BytesMut};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use postgres_protocol::types;

const MICROS: i64 = 1_000_000;
/// 2000-01-01 00:00:00 UTC, from which PostgreSQL counts, in Unix's count.
const EPOCH: i64 = 946_684_800 * MICROS;
const DAY: i64 = 86_400 * MICROS;

pub(super) fn date(text: &[u8], out: &mut BytesMut) -> Option<()> {
    let mut text = Text(text);
    let date = text.date()?;
    text.end()?;
    let since = micros(date.to_datetime(Time::midnight()))? / DAY;
    types::date_to_sql(i32::try_from(since).ok()?, out);
    Some(())
}

pub(super) fn time(text: &[u8], out: &mut BytesMut) -> Option<()> {
    let mut text = Text(text);
    let time = text.time()?;
    text.end()?;
    let whole = i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60;
    let whole = (whole + i64::from(time.second())) * MICROS;
    types::time_to_sql(whole + i64::from(time.subsec_nanosecond() / 1000), out);
    Some(())
}

pub(super) fn timestamp(text: &[u8], out: &mut BytesMut) -> Option<()> {
    let mut text = Text(text);
    let moment = text.moment()?;
    text.end()?;
    types::timestamp_to_sql(micros(moment)?, out);
    Some(())
}

pub(super) fn timestamptz(text: &[u8], out: &mut BytesMut) -> Option<()> {
    let mut text = Text(text);
    let moment = text.moment()?;
    let east = text.offset()?;
    text.end()?;
    types::timestamp_to_sql(micros(moment)? - east * MICROS, out);
    Some(())
}

/// `1 year 2 mons 3 days 04:05:06.789`
pub(super) fn interval(text: &[u8], out: &mut BytesMut) -> Option<()> {
    let text = std::str::from_utf8(text).ok()?;
    let (mut months, mut days, mut micros) = (0_i32, 0_i32, 0_i64);
    let mut words = text.split(' ');
    while let Some(word) = words.next() {
        if word.contains(':') {
            micros = duration(word)?;
            if words.next().is_some() {
                return None;
            }
            break;
        }
        let number: i32 = digits(word.as_bytes())?.try_into().ok()?;
        match words.next()? {
            "year" | "years" => months = months.checked_add(number.checked_mul(12)?)?,
            "mon" | "mons" => months = months.checked_add(number)?,
            "day" | "days" => days = days.checked_add(number)?,
            _ => return None,
        }
    }
    out.put_i64(micros);
    out.put_i32(days);
    out.put_i32(months);
    Some(())
}

/// `04:05:06.789`, of which the hours may be any number.
fn duration(text: &str) -> Option<i64> {
    let (hours, rest) = text.split_once(':')?;
    let mut rest = Text(rest.as_bytes());
    let minutes = rest.two()?;
    rest.eat(b':')?;
    let seconds = rest.two()?;
    let fraction = rest.fraction()?;
    rest.end()?;
    if minutes > 59 || seconds > 59 {
        return None;
    }
    let hours = digits(hours.as_bytes())?;
    let seconds = i64::from(minutes) * 60 + i64::from(seconds);
    let whole = hours.checked_mul(3600)?.checked_add(seconds)?;
    whole.checked_mul(MICROS)?.checked_add(i64::from(fraction))
}

/// Since 2000, as if it were UTC.
fn micros(moment: DateTime) -> Option<i64> {
    let moment = Offset::UTC.to_timestamp(moment).ok()?;
    Some(moment.as_microsecond() - EPOCH)
}

/// Up to eighteen digits, and nothing else.
fn digits(text: &[u8]) -> Option<i64> {
    let fit = (1..=18).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    fit.then(|| {
        let next = |value, digit: &u8| value * 10 + i64::from(digit - b'0');
        text.iter().fold(0, next)
    })
}

/// What is left of a value.
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    fn moment(&mut self) -> Option<DateTime> {
        let date = self.date()?;
        self.eat(b' ')?;
        Some(date.to_datetime(self.time()?))
    }

    fn date(&mut self) -> Option<Date> {
        let year = self.number(4)?;
        self.eat(b'-')?;
        let month = self.two()?;
        self.eat(b'-')?;
        let day = self.two()?;
        // there is no year 0 in PostgreSQL
        Date::new(
            i16::try_from(year).ok().filter(|year| *year > 0)?,
            month,
            day,
        )
        .ok()
    }

    fn time(&mut self) -> Option<Time> {
        let hour = self.two()?;
        self.eat(b':')?;
        let minute = self.two()?;
        self.eat(b':')?;
        let second = self.two()?;
        let nanos = self.fraction()? * 1000;
        Time::new(hour, minute, second, nanos).ok()
    }

    /// Microseconds.
    fn fraction(&mut self) -> Option<i32> {
        if self.eat(b'.').is_none() {
            return Some(0);
        }
        let count = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if !(1..=6).contains(&count) {
            return None;
        }
        let scale = 10_i32.pow(6 - u32::try_from(count).ok()?);
        Some(self.number(count)? * scale)
    }

    /// Seconds to the east: `+02`, `-03:30`, `+00:19:32`.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.0.first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.0 = &self.0[1..];
        let mut seconds = i64::from(self.two()?) * 3600;
        for unit in [60, 1] {
            if self.eat(b':').is_some() {
                let part = self.two().filter(|part| *part < 60)?;
                seconds += i64::from(part) * unit;
            }
        }
        // the farthest that PostgreSQL takes (MAX_TZDISP_HOUR)
        (seconds < 16 * 3600).then_some(sign * seconds)
    }

    fn two(&mut self) -> Option<i8> {
        i8::try_from(self.number(2)?).ok()
    }

    fn number(&mut self, count: usize) -> Option<i32> {
        let (number, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        i32::try_from(digits(number)?).ok()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[byte])?;
        Some(())
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
