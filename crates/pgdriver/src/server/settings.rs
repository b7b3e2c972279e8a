//! Settings that decide over a migration's life, with the place that says so: what a new session of this role has.
//!
//! Absent: what a session has set for itself, and changing any of them.

use std::fmt;
use std::time::Duration;

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const SETTINGS: Sql = sql!("read the server's settings", "settings.sql", TEXT_ARRAY);

/// Those that end a statement, a transaction, a wait or a session.
pub const TIMEOUTS: [&str; 7] = [
    "lock_timeout",
    "statement_timeout",
    "transaction_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "deadlock_timeout",
    "client_connection_check_interval",
];

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `lock_timeout`
    pub name: String,
    /// In `unit`.
    pub value: String,
    /// `ms`, `s`, `min`; none for what has no unit.
    pub unit: Option<String>,
    /// Who says so.
    pub origin: SettingOrigin,
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingOrigin {
    /// Nobody says otherwise.
    Default,
    /// postgresql.conf and its like; the place is hidden from roles without pg_read_all_settings.
    File {
        /// `/etc/postgresql/15/main/postgresql.conf:710`
        place: Option<String>,
    },
    /// The server's command line.
    CommandLine,
    /// `ALTER ROLE ALL SET`
    AllRoles,
    /// `ALTER DATABASE … SET`
    Database,
    /// `ALTER ROLE … SET`
    Role,
    /// `ALTER ROLE … IN DATABASE … SET`
    RoleInDatabase,
    /// `options=-c …` of the connection, or `PGOPTIONS`.
    Client,
    /// Another, in the server's word.
    Other(String),
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { place: Some(place) } => f.write_str(place),
            Self::File { place: None } => f.write_str("configuration file"),
            Self::CommandLine => f.write_str("the server's command line"),
            Self::AllRoles => f.write_str("ALTER ROLE ALL"),
            Self::Database => f.write_str("ALTER DATABASE"),
            Self::Role => f.write_str("ALTER ROLE"),
            Self::RoleInDatabase => f.write_str("ALTER ROLE … IN DATABASE"),
            Self::Client => f.write_str("the connection's options"),
            Self::Other(word) => f.write_str(word),
        }
    }
}

impl Setting {
    /// A timeout as a length of time; none where it is off (0 or -1), or no time at all.
    pub fn duration(&self) -> Option<Duration> {
        let number: u64 = self.value.parse().ok().filter(|n| *n > 0)?;
        let ms = match self.unit.as_deref()? {
            "ms" => 1,
            "s" => 1_000,
            "min" => 60_000,
            _ => return None,
        };
        Some(Duration::from_millis(number.saturating_mul(ms)))
    }
}

/// [`TIMEOUTS`], as far as this version has them, in that order.
pub async fn timeouts(session: &Session) -> Result<Vec<Setting>, QueryError> {
    let mut found = settings(session, &TIMEOUTS).await?;
    let place = |setting: &Setting| TIMEOUTS.iter().position(|name| *name == setting.name);
    found.sort_by_key(place);
    Ok(found)
}

/// Those of the settings that this version has, in order of name.
pub async fn settings(session: &Session, names: &[&str]) -> Result<Vec<Setting>, QueryError> {
    let rows = SETTINGS.rows(session, &[&names]).await?;
    rows.iter().map(setting).collect()
}

fn setting(row: &Row) -> Result<Setting, QueryError> {
    let file: Option<String> = row.get("file")?;
    let line: Option<i32> = row.get("line")?;
    let place = file.zip(line).map(|(file, line)| format!("{file}:{line}"));
    Ok(Setting {
        name: row.get("name")?,
        value: row.get("value")?,
        unit: row.get("unit")?,
        origin: match row.get("source")? {
            "default" => SettingOrigin::Default,
            "configuration file" => SettingOrigin::File { place },
            "command line" => SettingOrigin::CommandLine,
            "global" => SettingOrigin::AllRoles,
            "database" => SettingOrigin::Database,
            "user" => SettingOrigin::Role,
            "database user" => SettingOrigin::RoleInDatabase,
            "client" => SettingOrigin::Client,
            other => SettingOrigin::Other(other.to_owned()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{Setting, SettingOrigin};
    use std::time::Duration;

    #[test]
    fn a_timeout_that_is_off_is_none() {
        let duration = |value: &str, unit: Option<&str>| {
            let setting = Setting {
                name: "lock_timeout".into(),
                value: value.into(),
                unit: unit.map(Into::into),
                origin: SettingOrigin::Default,
            };
            setting.duration()
        };
        assert_eq!(duration("3000", Some("ms")), Some(Duration::from_secs(3)));
        assert_eq!(duration("2", Some("min")), Some(Duration::from_secs(120)));
        for (value, unit) in [
            ("0", Some("ms")),
            ("-1", Some("ms")),
            ("on", None),
            ("8", Some("8kB")),
        ] {
            assert_eq!(duration(value, unit), None, "{value}");
        }
    }
}
