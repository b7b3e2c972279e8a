//! Values of settings, read from the text of any layer. Errors say what would be understood.

use std::path::PathBuf;
use std::time::Duration;

/// How a backup is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compress {
    /// Level 1 to 9.
    Gzip(u32),
    None,
}

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

pub(crate) fn compress(s: &str) -> Result<Compress, String> {
    match s.split_once(':') {
        None if s == "gzip" => Ok(Compress::Gzip(6)),
        None if s == "none" => Ok(Compress::None),
        Some(("gzip", level)) => match level.parse() {
            Ok(level @ 1..=9) => Ok(Compress::Gzip(level)),
            _ => Err("a gzip level is 1 to 9".into()),
        },
        _ => Err("say gzip, gzip:1 to gzip:9, or none".into()),
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
        assert_eq!(compress("gzip:9").unwrap(), Compress::Gzip(9));
        assert_eq!(compress("none").unwrap(), Compress::None);
        for wrong in ["gzip:0", "gzip:", "zip", "zstd"] {
            assert!(compress(wrong).is_err(), "{wrong}");
        }
    }
}
