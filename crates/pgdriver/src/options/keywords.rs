//! libpq's connection keywords, with the `PG*` variable that stands for each: PostgreSQL's documentation, 34.1.2 and
//! 34.15, up to release 18.
//!
//! Absent: what a keyword does. [`super`] reads the ones that it follows and lists the rest as ignored.

/// A keyword, and the environment variable that libpq reads for it.
pub(super) struct Keyword {
    pub(super) name: &'static str,
    pub(super) variable: Option<&'static str>,
}

const fn keyword(name: &'static str, variable: Option<&'static str>) -> Keyword {
    Keyword { name, variable }
}

pub(super) const KEYWORDS: &[Keyword] = &[
    keyword("host", Some("PGHOST")),
    keyword("hostaddr", Some("PGHOSTADDR")),
    keyword("port", Some("PGPORT")),
    keyword("dbname", Some("PGDATABASE")),
    keyword("user", Some("PGUSER")),
    keyword("password", Some("PGPASSWORD")),
    keyword("passfile", Some("PGPASSFILE")),
    keyword("service", Some("PGSERVICE")),
    keyword("servicefile", Some("PGSERVICEFILE")),
    keyword("options", Some("PGOPTIONS")),
    keyword("application_name", Some("PGAPPNAME")),
    keyword("fallback_application_name", None),
    keyword("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    keyword("client_encoding", Some("PGCLIENTENCODING")),
    keyword("sslmode", Some("PGSSLMODE")),
    keyword("sslnegotiation", Some("PGSSLNEGOTIATION")),
    keyword("sslcompression", Some("PGSSLCOMPRESSION")),
    keyword("sslcert", Some("PGSSLCERT")),
    keyword("sslkey", Some("PGSSLKEY")),
    keyword("sslpassword", None),
    keyword("sslcertmode", Some("PGSSLCERTMODE")),
    keyword("sslrootcert", Some("PGSSLROOTCERT")),
    keyword("sslcrl", Some("PGSSLCRL")),
    keyword("sslcrldir", Some("PGSSLCRLDIR")),
    keyword("sslsni", Some("PGSSLSNI")),
    keyword("ssl_min_protocol_version", Some("PGSSLMINPROTOCOLVERSION")),
    keyword("ssl_max_protocol_version", Some("PGSSLMAXPROTOCOLVERSION")),
    keyword("sslkeylogfile", None),
    keyword("requirepeer", Some("PGREQUIREPEER")),
    keyword("require_auth", Some("PGREQUIREAUTH")),
    keyword("requiressl", Some("PGREQUIRESSL")),
    keyword("channel_binding", Some("PGCHANNELBINDING")),
    keyword("min_protocol_version", Some("PGMINPROTOCOLVERSION")),
    keyword("max_protocol_version", Some("PGMAXPROTOCOLVERSION")),
    keyword("krbsrvname", Some("PGKRBSRVNAME")),
    keyword("gsslib", Some("PGGSSLIB")),
    keyword("gssencmode", Some("PGGSSENCMODE")),
    keyword("gssdelegation", Some("PGGSSDELEGATION")),
    keyword("keepalives", None),
    keyword("keepalives_idle", None),
    keyword("keepalives_interval", None),
    keyword("keepalives_count", None),
    keyword("tcp_user_timeout", None),
    keyword("replication", None),
    keyword("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
    keyword("load_balance_hosts", Some("PGLOADBALANCEHOSTS")),
    keyword("scram_client_key", None),
    keyword("scram_server_key", None),
    keyword("oauth_issuer", None),
    keyword("oauth_client_id", None),
    keyword("oauth_client_secret", None),
    keyword("oauth_scope", None),
];

/// Not followed here, and given by somebody who wants to be safe from a server or a network: leaving these out in
/// silence would be a promise broken. (`sslpassword` is not among them: without it an encrypted key fails loudly.)
pub(super) const SAFEGUARDS: &[&str] = &["require_auth", "requirepeer", "sslcrldir"];

/// libpq would accept this keyword in a connection string.
pub(super) fn is_keyword(name: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.name == name)
}
