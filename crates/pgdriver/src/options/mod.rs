//! Where and how to connect, as libpq users say it.
//!
//! Absent: I/O, except for the one edge [`Environment::of_process`]. Certificates are read when a connection is made.

mod dsn;
mod environment;
mod error;
mod keywords;
mod passfile;
mod read;
mod resolve;
mod service;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use environment::Environment;
pub use error::OptionsError;

use crate::{Secret, Session};

/// One server to try: where it is, and the password that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// A name or address, or the folder of a socket.
    pub place: Place,
    /// `hostaddr`: where to connect, while `place` is the name that is shown and verified.
    pub address: Option<IpAddr>,
    /// The port, also part of a socket's file name.
    pub port: u16,
    /// From `.pgpass`, which may differ for each host. `password=` goes before it.
    pub(crate) password: Option<Secret>,
}

/// How a [`Host`] is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A host name or a numeric address.
    Tcp(String),
    /// The folder that holds `.s.PGSQL.<port>`.
    Socket(PathBuf),
}

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Never TLS.
    Disable,
    /// TLS only where the server refuses without.
    Allow,
    /// TLS first, without where that fails.
    Prefer,
    /// TLS; the certificate is verified only where a root certificate is at hand.
    Require,
    /// TLS with a certificate of a trusted authority.
    VerifyCa,
    /// [`SslMode::VerifyCa`], and the certificate names the host.
    VerifyFull,
}

impl SslMode {
    /// libpq's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// libpq's `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionAttrs {
    /// Whatever answers.
    Any,
    /// Sessions that are not read-only by default, on a primary.
    ReadWrite,
    /// The opposite.
    ReadOnly,
    /// Not in recovery.
    Primary,
    /// In recovery.
    Standby,
    /// A standby where there is one, else anything.
    PreferStandby,
}

/// The `ssl*` keywords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// `sslmode`
    pub mode: SslMode,
    /// `sslrootcert`: a file, or `system`; none is `~/.postgresql/root.crt` where that exists.
    pub root_cert: Option<String>,
    /// `sslcert`; none is `~/.postgresql/postgresql.crt` where that exists.
    pub cert: Option<PathBuf>,
    /// `sslkey`; none is `~/.postgresql/postgresql.key`.
    pub key: Option<PathBuf>,
    /// `sslnegotiation=direct`: a TLS handshake at once (PostgreSQL 17).
    pub direct: bool,
    /// `sslcrl`: certificates that were taken back; none is `~/.postgresql/root.crl` where that exists.
    pub revoked: Option<PathBuf>,
    /// `sslcertmode`
    pub client_certificate: ClientCertificate,
    /// `sslsni`: the server hears which name it was asked by.
    pub server_name: bool,
    /// `ssl_min_protocol_version`
    pub oldest: TlsVersion,
    /// `ssl_max_protocol_version`; none is the newest.
    pub newest: Option<TlsVersion>,
    /// Where libpq's default files are; none is `~/.postgresql` of this process.
    pub(crate) folder: Option<PathBuf>,
}

/// libpq's `sslcertmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Never shown.
    Disable,
    /// Shown where there is one and the server asks.
    Allow,
    /// The server must ask for it, and get it.
    Require,
}

/// Versions of the protocol, as `ssl_min_protocol_version` names them. Those before 1.2 are known, and not spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// `TLSv1`
    V1_0,
    /// `TLSv1.1`
    V1_1,
    /// `TLSv1.2`
    V1_2,
    /// `TLSv1.3`
    V1_3,
}

impl TlsVersion {
    /// libpq's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "TLSv1",
            Self::V1_1 => "TLSv1.1",
            Self::V1_2 => "TLSv1.2",
            Self::V1_3 => "TLSv1.3",
        }
    }
}

/// TCP keepalive; none is the system's own value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalives {
    pub(crate) enabled: bool,
    pub(crate) idle: Option<Duration>,
    pub(crate) interval: Option<Duration>,
    pub(crate) count: Option<u32>,
    pub(crate) tcp_user_timeout: Option<Duration>,
}

/// libpq's `channel_binding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChannelBinding {
    Disable,
    Prefer,
    Require,
}

/// Everything that is needed to open a session. `Debug` shows no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    pub(crate) hosts: Vec<Host>,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) password: Option<Secret>,
    pub(crate) tls: TlsOptions,
    pub(crate) options: Option<String>,
    pub(crate) application_name: Option<String>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) session_attrs: SessionAttrs,
    pub(crate) keepalives: Keepalives,
    pub(crate) channel_binding: ChannelBinding,
    pub(crate) shuffle_hosts: bool,
    pub(crate) ignored: Vec<String>,
}

/// What `connect_timeout` is where nobody says: libpq would wait for ever.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl ConnectOptions {
    /// From keywords that libpq has resolved already (psycopg's `info.get_parameters()`): no environment, no files.
    pub fn from_keywords(
        keywords: &BTreeMap<String, String>,
        password: Option<Secret>,
    ) -> Result<Self, OptionsError> {
        let mut keywords = keywords.clone();
        let written = keywords
            .remove("password")
            .filter(|text| !text.is_empty())
            .map(Secret::from);
        read::options(&keywords, password.or(written), &Environment::default())
    }

    /// From `postgresql://…` or `key=value …`; what it leaves out comes from this process's `PG*` variables,
    /// `.pgpass` and `pg_service.conf`, as with libpq.
    pub fn parse(dsn: &str) -> Result<Self, OptionsError> {
        Self::parse_in(dsn, &Environment::of_process())
    }

    /// [`ConnectOptions::parse`] in a given environment.
    pub fn parse_in(dsn: &str, environment: &Environment) -> Result<Self, OptionsError> {
        Self::resolve(&dsn::parse(dsn)?, environment)
    }

    /// Explicit keywords, then the service, then the environment, then libpq's defaults.
    pub fn resolve(
        explicit: &BTreeMap<String, String>,
        environment: &Environment,
    ) -> Result<Self, OptionsError> {
        resolve::resolve(explicit, environment)
    }

    /// The servers to try, in order.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The role.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The password of the first host, where one is known.
    pub fn password(&self) -> Option<&Secret> {
        self.hosts.first().and_then(|host| self.password_for(host))
    }

    pub(crate) fn password_for<'a>(&'a self, host: &'a Host) -> Option<&'a Secret> {
        self.password.as_ref().or(host.password.as_ref())
    }

    /// The `ssl*` keywords.
    pub fn tls(&self) -> &TlsOptions {
        &self.tls
    }

    /// The limit for opening a session to one address; none is without end (`connect_timeout=0`).
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    /// Keywords that were given and are not followed.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Those of [`ConnectOptions::ignored`] that somebody gave for safety's sake.
    pub fn ignored_safeguards(&self) -> impl Iterator<Item = &str> {
        let names = self.ignored.iter().map(String::as_str);
        names.filter(|name| keywords::SAFEGUARDS.contains(name))
    }

    /// The same with another `application_name`.
    #[must_use]
    pub fn with_application_name(mut self, name: &str) -> Self {
        self.application_name = Some(name.to_owned());
        self
    }

    /// The same with another database.
    #[must_use]
    pub fn with_database(mut self, name: &str) -> Self {
        name.clone_into(&mut self.database);
        self
    }

    /// The same, and to the very server that this session of theirs is on: of several hosts that one, of a name's several
    /// addresses that one. What only that server has, such as an exported snapshot, is found there alone.
    #[must_use]
    pub fn at_server_of(mut self, session: &Session) -> Self {
        self.hosts = vec![session.host().clone()];
        self.session_attrs = SessionAttrs::Any;
        self.shuffle_hosts = false;
        self
    }

    /// The same with another limit for opening a session.
    #[must_use]
    pub fn with_connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = Some(limit);
        self
    }

    /// The same role by another way: hosts, ports and TLS of a connection string, which may leave out the rest. For a
    /// project in a container whose host name resolves only there. Where the string names a database it is that one,
    /// so that the caller can see whether it is the same.
    pub fn by_way_of(mut self, dsn: &str, environment: &Environment) -> Result<Self, OptionsError> {
        let mut keywords = dsn::parse(dsn)?;
        let own = [("user", &self.user), ("dbname", &self.database)];
        for (name, value) in own {
            let given = keywords.entry(name.to_owned()).or_default();
            if given.is_empty() {
                given.clone_from(value);
            }
        }
        let other = Self::resolve(&keywords, environment)?;
        self.hosts = other.hosts;
        self.tls = other.tls;
        self.database = other.database;
        self.ignored.extend(other.ignored);
        self.ignored.sort();
        self.ignored.dedup();
        if self.password.is_none() {
            self.password = other.password;
        }
        Ok(self)
    }

    /// `shop@db1:5432/shop`; never a password.
    pub fn describe(&self) -> String {
        let places: Vec<_> = self.hosts.iter().map(Host::describe).collect();
        format!(
            "{}@{}/{}",
            self.user,
            places.join(","),
            without_credentials(&self.database)
        )
    }

    /// The `PG*` variables with which a child (`pg_dump`) reaches the same place. `PGOPTIONS` stands among them where
    /// `options` are set, since they may choose a role or a search path. The password is left to the caller:
    /// [`ConnectOptions::password`].
    pub fn libpq_environment(&self) -> Vec<(String, String)> {
        environment::variables_of(self)
    }
}

impl Host {
    /// `db1:5432`, `[::1]:5432`, `/var/run/postgresql:5432`
    pub fn describe(&self) -> String {
        match &self.place {
            Place::Tcp(name) if without_credentials(name) != name => format!("…:{}", self.port),
            Place::Tcp(name) if name.contains(':') => format!("[{name}]:{}", self.port),
            Place::Tcp(name) => format!("{name}:{}", self.port),
            Place::Socket(folder) => format!("{}:{}", folder.display(), self.port),
        }
    }
}

/// A URL that was given as a database's or host's name has a password in it.
fn without_credentials(name: &str) -> &str {
    let after_a_colon = name.split_once(':').map(|(_, rest)| rest);
    match after_a_colon.is_some_and(|rest| rest.starts_with("//") || rest.contains('@')) {
        true => "…",
        false => name,
    }
}
