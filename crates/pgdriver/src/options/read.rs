//! Resolved keywords → [`ConnectOptions`]: types, lists, and libpq's rules between keywords.
//!
//! Absent: where a keyword came from; that is [`super::resolve`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::{
    ChannelBinding, ClientCertificate, ConnectOptions, DEFAULT_CONNECT_TIMEOUT, Environment, Host,
    Keepalives, OptionsError, Place, SessionAttrs, SslMode, TlsOptions, TlsVersion,
};
use crate::Secret;

/// Followed here, or settled before (`service`, `passfile`), or without a meaning for this client.
const HANDLED: &[&str] = &[
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "passfile",
    "service",
    "servicefile",
    "options",
    "application_name",
    "fallback_application_name",
    "connect_timeout",
    "sslmode",
    "sslnegotiation",
    "sslcert",
    "sslkey",
    "sslrootcert",
    "sslcrl",
    "sslcertmode",
    "sslsni",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "channel_binding",
    "gssencmode",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "target_session_attrs",
    "load_balance_hosts",
];

/// Given with these values a keyword changes nothing, so it is not reported as ignored: psycopg lists defaults too.
const HARMLESS: &[(&str, &str)] = &[
    ("sslcompression", "0"),
    ("krbsrvname", "postgres"),
    ("gssdelegation", "0"),
    ("replication", "false"),
    ("client_encoding", "UTF8"),
    ("client_encoding", "utf-8"),
    ("client_encoding", "utf8"),
];

pub(super) fn options(
    keywords: &BTreeMap<String, String>,
    password: Option<Secret>,
    environment: &Environment,
) -> Result<ConnectOptions, OptionsError> {
    let given = Given(keywords);
    if given.text("gssencmode") == Some("require") {
        return Err(OptionsError::of(
            "gssencmode",
            "gssencmode=require: GSSAPI encryption is not supported",
        ));
    }
    let user = match given.text("user").or(environment.os_user()) {
        Some(user) => user.to_owned(),
        None => return Err(OptionsError::of("user", "no user is given")),
    };
    Ok(ConnectOptions {
        hosts: hosts(given, environment)?,
        database: given.text("dbname").unwrap_or(&user).to_owned(),
        user,
        password,
        tls: tls(given, environment)?,
        options: given.owned("options"),
        application_name: given
            .owned("application_name")
            .or(given.owned("fallback_application_name")),
        connect_timeout: connect_timeout(given)?,
        session_attrs: session_attrs(given)?,
        keepalives: keepalives(given)?,
        channel_binding: channel_binding(given)?,
        shuffle_hosts: given.choice(
            "load_balance_hosts",
            &[("disable", false), ("random", true)],
            false,
        )?,
        ignored: ignored(keywords),
    })
}

/// Keywords; an empty value is none, as with libpq, but where there is a choice of words.
#[derive(Clone, Copy)]
struct Given<'a>(&'a BTreeMap<String, String>);

impl<'a> Given<'a> {
    fn text(self, name: &str) -> Option<&'a str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    fn owned(self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    fn number<T: FromStr>(self, name: &str) -> Result<Option<T>, OptionsError> {
        self.text(name)
            .map(|value| value.trim().parse().map_err(|_| invalid(name, value)))
            .transpose()
    }

    fn choice<T: Copy>(
        self,
        name: &str,
        choices: &[(&str, T)],
        default: T,
    ) -> Result<T, OptionsError> {
        match self.0.get(name).map(String::as_str) {
            None => Ok(default),
            Some(value) => match choices.iter().find(|(word, _)| *word == value) {
                Some((_, choice)) => Ok(*choice),
                None => Err(invalid(name, value)),
            },
        }
    }

    fn list(self, name: &str) -> Vec<&'a str> {
        self.text(name)
            .map(|value| value.split(',').map(str::trim).collect())
            .unwrap_or_default()
    }
}

fn invalid(name: &str, value: &str) -> OptionsError {
    // what stands for a port in a URL may be a password whose host is missing
    if name == "port" && value.parse::<i64>().is_err() {
        return OptionsError::of(name, "invalid port value: not a number");
    }
    OptionsError::of(name, format!("invalid {name} value: \"{value}\""))
}

fn hosts(given: Given<'_>, environment: &Environment) -> Result<Vec<Host>, OptionsError> {
    let names = given.list("host");
    let addresses = given.list("hostaddr");
    let ports = given.list("port");
    let count = names.len().max(addresses.len()).max(1);
    if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len() {
        let message = format!(
            "could not match {} host names to {} hostaddr values",
            names.len(),
            addresses.len()
        );
        return Err(OptionsError::of("hostaddr", message));
    }
    if ports.len() > 1 && ports.len() != count {
        let message = format!(
            "could not match {} port numbers to {count} hosts",
            ports.len()
        );
        return Err(OptionsError::of("port", message));
    }
    (0..count)
        .map(|at| {
            let address = match addresses.get(at).filter(|text| !text.is_empty()) {
                Some(text) => Some(IpAddr::from_str(text).map_err(|_| invalid("hostaddr", text))?),
                None => None,
            };
            let port = ports.get(at).or(ports.first()).copied().unwrap_or("");
            Ok(Host {
                place: place(names.get(at).copied().unwrap_or(""), address, environment),
                address,
                port: port_number(port)?,
                password: None,
            })
        })
        .collect()
}

fn place(name: &str, address: Option<IpAddr>, environment: &Environment) -> Place {
    match (name, address) {
        ("", Some(address)) => Place::Tcp(address.to_string()),
        ("", None) => match environment.socket_folder() {
            Some(folder) => Place::Socket(folder.to_owned()),
            None => Place::Tcp("localhost".to_owned()),
        },
        (name, _) if name.starts_with(['/', '@']) => Place::Socket(PathBuf::from(name)),
        (name, _) => Place::Tcp(name.to_owned()),
    }
}

fn port_number(text: &str) -> Result<u16, OptionsError> {
    match text {
        "" => Ok(5432),
        text => text
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| invalid("port", text)),
    }
}

fn tls(given: Given<'_>, environment: &Environment) -> Result<TlsOptions, OptionsError> {
    let root_cert = given.owned("sslrootcert");
    let system = root_cert.as_deref() == Some("system");
    let default = if system {
        SslMode::VerifyFull
    } else {
        SslMode::Prefer
    };
    let modes = [
        SslMode::Disable,
        SslMode::Allow,
        SslMode::Prefer,
        SslMode::Require,
        SslMode::VerifyCa,
        SslMode::VerifyFull,
    ];
    let mode = given.choice("sslmode", &modes.map(|mode| (mode.as_str(), mode)), default)?;
    if system && mode != SslMode::VerifyFull {
        let message = format!(
            "weak sslmode \"{}\" may not be used with sslrootcert=system (use \"verify-full\")",
            mode.as_str()
        );
        return Err(OptionsError::of("sslmode", message));
    }
    let direct = given.choice(
        "sslnegotiation",
        &[("postgres", false), ("direct", true)],
        false,
    )?;
    if direct && matches!(mode, SslMode::Disable | SslMode::Allow | SslMode::Prefer) {
        let message = format!(
            "weak sslmode \"{}\" may not be used with sslnegotiation=direct (use \"require\")",
            mode.as_str()
        );
        return Err(OptionsError::of("sslmode", message));
    }
    let file = |name| given.text(name).map(PathBuf::from);
    let (oldest, newest) = tls_versions(given)?;
    let certificate_modes = [
        ("disable", ClientCertificate::Disable),
        ("allow", ClientCertificate::Allow),
        ("require", ClientCertificate::Require),
    ];
    Ok(TlsOptions {
        mode,
        root_cert,
        cert: file("sslcert"),
        key: file("sslkey"),
        direct,
        revoked: file("sslcrl"),
        client_certificate: given.choice(
            "sslcertmode",
            &certificate_modes,
            ClientCertificate::Allow,
        )?,
        // libpq looks at the first character only
        server_name: given.text("sslsni").is_none_or(|value| value != "0"),
        oldest,
        newest,
        folder: environment.home_file(".postgresql"),
    })
}

/// libpq starts at 1.2 where nobody says otherwise, and takes the words in any case.
fn tls_versions(given: Given<'_>) -> Result<(TlsVersion, Option<TlsVersion>), OptionsError> {
    let version = |name: &str| -> Result<Option<TlsVersion>, OptionsError> {
        let Some(text) = given.text(name) else {
            return Ok(None);
        };
        let all = [
            TlsVersion::V1_0,
            TlsVersion::V1_1,
            TlsVersion::V1_2,
            TlsVersion::V1_3,
        ];
        let found = all
            .into_iter()
            .find(|version| version.as_str().eq_ignore_ascii_case(text));
        found.map(Some).ok_or_else(|| invalid(name, text))
    };
    let oldest = version("ssl_min_protocol_version")?.unwrap_or(TlsVersion::V1_2);
    let newest = version("ssl_max_protocol_version")?;
    if newest.is_some_and(|newest| newest < oldest) {
        return Err(OptionsError::of(
            "ssl_max_protocol_version",
            "invalid SSL protocol version range",
        ));
    }
    Ok((oldest, newest))
}

/// libpq: 0 and less wait without end. Where nothing is said, we do not.
fn connect_timeout(given: Given<'_>) -> Result<Option<Duration>, OptionsError> {
    Ok(match given.number::<i64>("connect_timeout")? {
        None => Some(DEFAULT_CONNECT_TIMEOUT),
        Some(seconds) => u64::try_from(seconds)
            .ok()
            .filter(|s| *s > 0)
            .map(Duration::from_secs),
    })
}

fn session_attrs(given: Given<'_>) -> Result<SessionAttrs, OptionsError> {
    let choices = [
        ("any", SessionAttrs::Any),
        ("read-write", SessionAttrs::ReadWrite),
        ("read-only", SessionAttrs::ReadOnly),
        ("primary", SessionAttrs::Primary),
        ("standby", SessionAttrs::Standby),
        ("prefer-standby", SessionAttrs::PreferStandby),
    ];
    given.choice("target_session_attrs", &choices, SessionAttrs::Any)
}

/// libpq: 0 is the system's own, which are hours. Where nothing is said, a silent network ends a connection in a minute.
fn keepalives(given: Given<'_>) -> Result<Keepalives, OptionsError> {
    let number = |name, ours: u64| -> Result<Option<u64>, OptionsError> {
        let given = given.number::<u64>(name)?;
        Ok(Some(given.unwrap_or(ours)).filter(|n| *n > 0))
    };
    Ok(Keepalives {
        enabled: given.number::<i32>("keepalives")? != Some(0),
        idle: number("keepalives_idle", 30)?.map(Duration::from_secs),
        interval: number("keepalives_interval", 10)?.map(Duration::from_secs),
        count: number("keepalives_count", 3)?.and_then(|n| u32::try_from(n).ok()),
        tcp_user_timeout: number("tcp_user_timeout", 60_000)?.map(Duration::from_millis),
    })
}

fn channel_binding(given: Given<'_>) -> Result<ChannelBinding, OptionsError> {
    let choices = [
        ("disable", ChannelBinding::Disable),
        ("prefer", ChannelBinding::Prefer),
        ("require", ChannelBinding::Require),
    ];
    given.choice("channel_binding", &choices, ChannelBinding::Prefer)
}

fn ignored(keywords: &BTreeMap<String, String>) -> Vec<String> {
    let harmless = |name: &str, value: &str| value.is_empty() || HARMLESS.contains(&(name, value));
    keywords
        .iter()
        .filter(|(name, value)| !HANDLED.contains(&name.as_str()) && !harmless(name, value))
        .map(|(name, _)| name.clone())
        .collect()
}
