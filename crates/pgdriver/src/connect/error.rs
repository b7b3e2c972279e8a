//! Why a session could not be opened, sorted, with what to do.
//!
//! Absent: errors of queries; those are [`crate::QueryError`].

/// The sort of a failure to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectErrorKind {
    /// Nobody listens there.
    Refused,
    /// The name does not resolve.
    NoSuchHost,
    /// No route to the host.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// Wrong or missing password.
    WrongPassword,
    /// Another login method than a password said no: peer, ident, certificate, LDAP, …
    LoginRefused,
    /// `database "x" does not exist`
    NoSuchDatabase,
    /// `role "x" does not exist`
    NoSuchRole,
    /// The role has no CONNECT privilege on the database.
    NoConnectPrivilege,
    /// `ALLOW_CONNECTIONS false`: nobody may connect to the database.
    DatabaseClosed,
    /// pg_hba.conf has no entry for this client, or rejects it.
    NoHbaEntry,
    /// The server has no TLS, wants TLS, or the handshake failed.
    TlsRefused,
    /// The server's certificate is not trusted, or is for another host.
    TlsNotVerified,
    /// No connection is free.
    TooManyConnections,
    /// Starting up, or recovering.
    ServerStarting,
    /// Shutting down.
    ServerStopping,
    /// What answers does not speak PostgreSQL's protocol.
    NotPostgres,
    /// `target_session_attrs` matches none of the servers.
    WrongSessionAttrs,
    /// The connection parameters themselves cannot be used.
    BadOptions,
    /// Anything else.
    Other,
}

impl ConnectErrorKind {
    /// What to do about it.
    pub fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::Refused => {
                "is PostgreSQL running there, on that port, and listening for TCP (listen_addresses)?"
            }
            Self::NoSuchHost => {
                "check the host's name; a container's name resolves only inside its network (--dsn may give another way)"
            }
            Self::Unreachable => "check the address, the network and the firewall",
            Self::Timeout => "check host, port and firewall; connect_timeout raises the limit",
            Self::WrongPassword => {
                "check user and password: settings, PGPASSWORD, .pgpass (which must be private: chmod 0600)"
            }
            Self::LoginRefused => {
                "pg_hba.conf, and the role's LOGIN, decide how this user may log in from here"
            }
            Self::NoSuchDatabase => "check the database's name, or create it",
            Self::NoSuchRole => "check the user's name, or create the role",
            Self::NoConnectPrivilege => "GRANT CONNECT ON DATABASE … TO … lets this role in",
            Self::DatabaseClosed => {
                "ALTER DATABASE … ALLOW_CONNECTIONS true opens it; ask who closed it, and whether it is a template"
            }
            Self::NoHbaEntry => {
                "pg_hba.conf needs an entry for this user, database and client address (and for TLS or none)"
            }
            Self::TlsRefused => "sslmode and the server's ssl setting do not fit each other",
            Self::TlsNotVerified => {
                "sslrootcert must name the authority that signed the server's certificate, and with sslmode=verify-full the certificate must name the host"
            }
            Self::TooManyConnections => {
                "wait until sessions end, or raise max_connections (or the role's or database's CONNECTION LIMIT; behind a pooler its pool_size or max_client_conn)"
            }
            Self::ServerStarting => "the server is starting: try again in a moment",
            Self::ServerStopping => "the server is shutting down: try again when it is back",
            Self::NotPostgres => {
                "check the port: what answers is no PostgreSQL server, or its proxy has none behind it"
            }
            Self::WrongSessionAttrs => "none of the hosts is what target_session_attrs asks for",
            Self::BadOptions | Self::Other => return None,
        })
    }
}

/// A session could not be opened.
#[derive(Debug, Clone, thiserror::Error)]
#[error("connection to {target} failed: {message}")]
pub struct ConnectError {
    kind: ConnectErrorKind,
    target: String,
    message: String,
    sqlstate: Option<String>,
    fallback: Fallback,
}

/// What `sslmode=allow` and `prefer` do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fallback {
    None,
    /// Try the same address with TLS after plain, or plain after TLS.
    OtherEncryption,
}

impl ConnectError {
    pub(super) fn new(kind: ConnectErrorKind, target: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            target: target.to_owned(),
            message: message.into(),
            sqlstate: None,
            fallback: Fallback::None,
        }
    }

    pub(super) fn with_fallback(mut self, fallback: Fallback) -> Self {
        self.fallback = fallback;
        self
    }

    pub(super) fn fallback(&self) -> Fallback {
        self.fallback
    }

    pub(super) fn with_sqlstate(mut self, sqlstate: &str) -> Self {
        self.sqlstate = Some(sqlstate.to_owned());
        self
    }

    pub(super) fn with_message(mut self, message: String) -> Self {
        self.message = message;
        self
    }

    /// The sort.
    pub fn kind(&self) -> ConnectErrorKind {
        self.kind
    }

    /// `shop@db1:5432/shop`
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What happened, without the target.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where a server answered.
    pub fn sqlstate(&self) -> Option<&str> {
        self.sqlstate.as_deref()
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        self.kind.hint()
    }

    /// A server answered, so another host of the list would not be asked (libpq's rule; "cannot connect now" is its
    /// exception).
    pub(super) fn is_final(&self) -> bool {
        self.sqlstate
            .as_deref()
            .is_some_and(|sqlstate| sqlstate != "57P03")
    }
}
