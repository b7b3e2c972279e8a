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

pub(crate) fn count(s: &str) -> Result<u32, String> {
    s.trim()
        .parse()
        .map_err(|_| "say a number, 0 or more".into())
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

/// `500ms`, `2s`, `10m`, `1h 30m`; `0` is none.
pub(crate) fn duration(s: &str) -> Result<Duration, String> {
    if s.trim() == "0" {
        return Ok(Duration::ZERO);
    }
    let wrong = || "say a time with its unit: 500ms, 2s, 10m".to_owned();
    let signed: jiff::SignedDuration = s.trim().parse().map_err(|_| wrong())?;
    Duration::try_from(signed).map_err(|_| wrong())
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
        for wrong in ["5", "-2s", "soon", ""] {
            assert!(duration(wrong).is_err(), "{wrong}");
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
