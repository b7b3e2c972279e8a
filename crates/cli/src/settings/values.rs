//! Values of settings, read from the text of any layer. Errors say what would be understood.

use std::num::{NonZeroU8, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use dumper::{Compression, Format, GzipLevel, Verified, ZstdLevel};

/// `MODULE:FUNC`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryPoint {
    pub(crate) module: String,
    pub(crate) function: String,
}

/// From which severity on a command ends with 12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FailOn {
    Note,
    Ask,
    Stop,
    Never,
}

/// What is done about sessions that hold a lock which a migration needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnBlocker {
    Wait,
    /// Their query is cancelled.
    Cancel,
    /// Their query is cancelled; where that does not help, the session is ended.
    Terminate,
}

pub(crate) fn on_blocker(s: &str) -> Result<OnBlocker, String> {
    match s {
        "wait" => Ok(OnBlocker::Wait),
        "cancel" => Ok(OnBlocker::Cancel),
        "terminate" => Ok(OnBlocker::Terminate),
        _ => Err("say wait, cancel or terminate".into()),
    }
}

/// More of anything that is counted here than a server has sessions.
const MOST: u32 = 1_000_000;

pub(crate) fn count(s: &str) -> Result<u32, String> {
    let form = || format!("say a whole number from 0 to {MOST}");
    if is_flag(s) {
        return Err(format!("its value is missing: {}", form()));
    }
    let number = s.trim().parse().ok().filter(|n| *n <= MOST);
    number.ok_or_else(form)
}

/// What stands where a value was expected.
fn is_flag(s: &str) -> bool {
    s.starts_with("--")
}

pub(crate) fn text(s: &str) -> Result<String, String> {
    if s.trim().is_empty() {
        Err("it is empty".into())
    } else {
        Ok(s.to_owned())
    }
}

pub(crate) fn path(s: &str) -> Result<PathBuf, String> {
    text(s).map(PathBuf::from)
}

pub(crate) fn boolean(s: &str) -> Result<bool, String> {
    match s.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("say true or false".into()),
    }
}

/// What PostgreSQL takes for a timeout: so many milliseconds, and no less than one.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
const SHORTEST: Duration = Duration::from_millis(1);

/// `500ms`, `2s`, `10m`, `1h 30m`; `0` is none.
pub(crate) fn duration(s: &str) -> Result<Duration, String> {
    let form =
        "say a time with its unit (ms, s, m, h), such as 500ms, 2s or 10m, from 1ms to 596h; or 0";
    let text = s.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if is_flag(text) {
        return Err(format!("its value is missing: {form}"));
    }
    if text.starts_with('-') {
        return Err(format!("it is below 0: {form}"));
    }
    if text.parse::<f64>().is_ok() {
        return Err(format!("it has no unit, is it {text}s? {form}"));
    }
    let signed: jiff::SignedDuration = text.parse().map_err(|_| form.to_owned())?;
    match Duration::try_from(signed) {
        Ok(time) if time.is_zero() => Ok(time),
        Ok(time) if time < SHORTEST => Err(format!("it is too short: {form}")),
        Ok(time) if time <= LONGEST => Ok(time),
        _ => Err(format!("it is too long: {form}")),
    }
}

pub(crate) fn compress(s: &str) -> Result<Compression, String> {
    let (method, level) = match s.split_once(':') {
        Some((method, level)) => (method, Some(level.parse().unwrap_or(0))),
        None => (s, None),
    };
    match (method, level) {
        ("none", None) => Ok(Compression::None),
        ("gzip", None) => Ok(Compression::Gzip(GzipLevel::default())),
        ("gzip", Some(level)) => GzipLevel::new(level)
            .map(Compression::Gzip)
            .ok_or_else(|| "a level of gzip is 1 to 9".into()),
        ("zstd", None) => Ok(Compression::Zstd(ZstdLevel::default())),
        ("zstd", Some(level)) => ZstdLevel::new(level)
            .map(Compression::Zstd)
            .ok_or_else(|| "a level of zstd is 1 to 19".into()),
        _ => Err("say gzip, gzip:1 to gzip:9, zstd, zstd:1 to zstd:19, or none".into()),
    }
}

pub(crate) fn backup_format(s: &str) -> Result<Format, String> {
    match s {
        "plain" => Ok(Format::Plain),
        "custom" => Ok(Format::Custom),
        "directory" => Ok(Format::Directory),
        _ => Err("say plain, custom or directory".into()),
    }
}

pub(crate) fn verify(s: &str) -> Result<Verified, String> {
    match s {
        "trailer" => Ok(Verified::Trailer),
        "counts" => Ok(Verified::Counts),
        "restored" => Ok(Verified::Restored),
        _ => Err("say trailer, counts or restored".into()),
    }
}

/// More than this many sessions at once help no server.
const MOST_JOBS: u8 = 64;

pub(crate) fn jobs(s: &str) -> Result<NonZeroU8, String> {
    let form = || format!("say a whole number from 1 to {MOST_JOBS}");
    if is_flag(s) {
        return Err(format!("its value is missing: {}", form()));
    }
    let number: Option<NonZeroU8> = s.trim().parse().ok();
    number.filter(|n| n.get() <= MOST_JOBS).ok_or_else(form)
}

pub(crate) fn keep(s: &str) -> Result<NonZeroU32, String> {
    NonZeroU32::new(count(s)?)
        .ok_or_else(|| "say 1 or more; the last good backup always stays".into())
}

/// pg_dump's patterns, with commas between them; a comma between double quotes is part of a name.
pub(crate) fn patterns(s: &str) -> Result<Vec<String>, String> {
    let mut quoted = false;
    let between = |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    };
    let patterns: Vec<String> = s.split(between).map(|p| p.trim().to_owned()).collect();
    match patterns.iter().find(|p| p.is_empty() || is_flag(p)) {
        None => Ok(patterns),
        Some(_) => Err("say a pattern of pg_dump's: shop_item, audit.*, \"Quoted\"".into()),
    }
}

pub(crate) fn entry(s: &str) -> Result<EntryPoint, String> {
    match s.split_once(':') {
        Some((module, function)) if !module.is_empty() && !function.is_empty() => Ok(EntryPoint {
            module: module.to_owned(),
            function: function.to_owned(),
        }),
        _ => Err("say MODULE:FUNC, such as myproject.cli:main".into()),
    }
}

pub(crate) fn fail_on(s: &str) -> Result<FailOn, String> {
    match s {
        "note" => Ok(FailOn::Note),
        "ask" => Ok(FailOn::Ask),
        "stop" => Ok(FailOn::Stop),
        "never" => Ok(FailOn::Never),
        _ => Err("say note, ask, stop or never".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(duration("10m").unwrap(), Duration::from_secs(600));
        assert_eq!(duration("0").unwrap(), Duration::ZERO);
        assert_eq!(duration("596h").unwrap(), Duration::from_secs(596 * 3600));
        for (wrong, why) in [
            ("5", "no unit, is it 5s?"),
            ("1.5", "no unit"),
            ("-2s", "below 0"),
            ("-1", "below 0"),
            ("597h", "too long"),
            ("99999999999h", "too long"),
            ("100us", "too short"),
            ("--apply", "value is missing"),
            ("99999d", "such as 500ms, 2s or 10m"),
            ("soon", "such as 500ms, 2s or 10m"),
            ("", "such as 500ms, 2s or 10m"),
        ] {
            let said = duration(wrong).expect_err(wrong);
            assert!(
                said.contains(why) && said.contains("from 1ms to 596h"),
                "{wrong}: {said}"
            );
        }
    }

    #[test]
    fn numbers_have_a_range() {
        assert_eq!(count("0"), Ok(0));
        assert_eq!(count("1000000"), Ok(1_000_000));
        for wrong in ["-1", "1000001", "99999999999", "1.5", "", "many", "--apply"] {
            let said = count(wrong).expect_err(wrong);
            assert!(said.contains("from 0 to 1000000"), "{wrong}: {said}");
        }
    }

    #[test]
    fn compression_is_read_with_its_level() {
        let told = |text: &str| compress(text).map(|c| c.to_string());
        for (text, meant) in [
            ("gzip", "gzip:5"),
            ("gzip:9", "gzip:9"),
            ("zstd", "zstd:1"),
            ("zstd:19", "zstd:19"),
            ("none", "none"),
        ] {
            assert_eq!(told(text).as_deref(), Ok(meant));
        }
        for wrong in [
            "gzip:0", "gzip:10", "gzip:", "gzip:x", "zip", "zstd:0", "zstd:20", "none:1", "",
        ] {
            assert!(compress(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn patterns_are_divided_by_commas_outside_of_quotes() {
        let read = |text: &str| patterns(text).map(|p| p.join("|"));
        assert_eq!(read("audit.*").as_deref(), Ok("audit.*"));
        assert_eq!(read("a, b").as_deref(), Ok("a|b"));
        assert_eq!(read(r#""a,b",c"#).as_deref(), Ok(r#""a,b"|c"#));
        for wrong in ["", "a,,b", "a,", "--apply"] {
            assert!(patterns(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn jobs_and_what_is_kept_are_at_least_one() {
        assert_eq!(jobs("64").map(NonZeroU8::get), Ok(64));
        assert_eq!(keep("3").map(NonZeroU32::get), Ok(3));
        for wrong in ["0", "-1", "65", "300", "two", "", "--apply"] {
            let said = jobs(wrong).expect_err(wrong);
            assert!(said.contains("from 1 to 64"), "{wrong}: {said}");
        }
        assert!(keep("0").expect_err("none").contains("last good backup"));
    }
}
