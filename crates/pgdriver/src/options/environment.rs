//! What libpq finds around a process, as a value; and the variables that tell a child the same.
//!
//! Absent: who uses it. [`super::resolve`] decides over these values alone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::keywords::KEYWORDS;
use super::{
    ChannelBinding, ClientCertificate, ConnectOptions, Host, Place, SessionAttrs, TlsVersion,
};

/// Variables, files and names that libpq consults. The default is an environment with nothing in it.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    home: Option<PathBuf>,
    os_user: Option<String>,
    socket_folder: Option<PathBuf>,
    files: FileAccess,
}

/// Whether files that keywords name may be opened.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum FileAccess {
    #[default]
    None,
    Real,
}

/// A password file as it was found.
pub(super) enum Passfile {
    Text(String),
    Missing,
    /// Others may read it: libpq ignores such a file, and says so.
    TooOpen,
}

impl Environment {
    /// That of this process. The only place that reads the environment.
    pub fn of_process() -> Self {
        let home = std::env::home_dir();
        Self {
            // getpwuid(geteuid()), as libpq; $USER may be stale (su, sudo -u) or missing (cron, containers)
            os_user: whoami::username().ok(),
            // Debian and Red Hat build libpq with the first, PostgreSQL's sources with the second
            socket_folder: ["/var/run/postgresql", "/tmp"]
                .iter()
                .map(PathBuf::from)
                .find(|f| f.is_dir()),
            variables: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            home,
            files: FileAccess::Real,
        }
    }

    /// Given variables and home folder; files are read.
    pub fn of(variables: BTreeMap<String, String>, home: Option<PathBuf>, os_user: &str) -> Self {
        let os_user = Some(os_user.to_owned());
        Self {
            variables,
            home,
            os_user,
            socket_folder: None,
            files: FileAccess::Real,
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variable_as_it_is(name)
            .filter(|value| !value.is_empty())
    }

    /// Empty too.
    pub(super) fn variable_as_it_is(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    pub(super) fn os_user(&self) -> Option<&str> {
        self.os_user.as_deref()
    }

    pub(super) fn socket_folder(&self) -> Option<&Path> {
        self.socket_folder.as_deref()
    }

    pub(super) fn home_file(&self, name: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(name))
    }

    pub(super) fn read(&self, path: &Path) -> Option<String> {
        (self.files == FileAccess::Real)
            .then(|| read_text(path).ok())
            .flatten()
    }

    pub(super) fn read_passfile(&self, path: &Path) -> Passfile {
        if self.files == FileAccess::None {
            return Passfile::Missing;
        }
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => Passfile::Missing,
            Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => Passfile::TooOpen,
            Ok(_) => read_text(path).map_or(Passfile::Missing, Passfile::Text),
            Err(_) => Passfile::Missing,
        }
    }
}

/// libpq reads bytes: a comment in another encoding must not cost the file.
fn read_text(path: &Path) -> std::io::Result<String> {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// See [`ConnectOptions::libpq_environment`].
pub(super) fn variables_of(options: &ConnectOptions) -> Vec<(String, String)> {
    let list = |texts: Vec<String>| texts.join(",");
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let values = [
        (
            "host",
            Some(list(options.hosts.iter().map(host_name).collect())),
        ),
        ("hostaddr", hostaddrs(&options.hosts)),
        (
            "port",
            Some(list(
                options
                    .hosts
                    .iter()
                    .map(|host| host.port.to_string())
                    .collect(),
            )),
        ),
        ("user", Some(options.user.clone())),
        ("dbname", Some(options.database.clone())),
        ("sslmode", Some(options.tls.mode.as_str().to_owned())),
        ("sslrootcert", options.tls.root_cert.clone()),
        ("sslcert", path(&options.tls.cert)),
        ("sslkey", path(&options.tls.key)),
        ("sslcrl", path(&options.tls.revoked)),
        (
            "sslcertmode",
            certificate_mode(options.tls.client_certificate),
        ),
        ("sslsni", (!options.tls.server_name).then(|| "0".to_owned())),
        (
            "ssl_min_protocol_version",
            (options.tls.oldest != TlsVersion::V1_2)
                .then(|| options.tls.oldest.as_str().to_owned()),
        ),
        (
            "ssl_max_protocol_version",
            options
                .tls
                .newest
                .map(|version| version.as_str().to_owned()),
        ),
        (
            "sslnegotiation",
            options.tls.direct.then(|| "direct".to_owned()),
        ),
        (
            "connect_timeout",
            options
                .connect_timeout
                .map(|limit| limit.as_secs().max(1).to_string()),
        ),
        ("options", options.options.clone()),
        ("application_name", options.application_name.clone()),
        ("channel_binding", channel_binding(options.channel_binding)),
        ("target_session_attrs", session_attrs(options.session_attrs)),
    ];
    values
        .into_iter()
        .filter_map(|(name, value)| Some((variable_of(name)?.to_owned(), value?)))
        .collect()
}

fn variable_of(name: &str) -> Option<&'static str> {
    KEYWORDS
        .iter()
        .find(|keyword| keyword.name == name)?
        .variable
}

fn host_name(host: &Host) -> String {
    match &host.place {
        Place::Tcp(name) => name.clone(),
        Place::Socket(folder) => folder.display().to_string(),
    }
}

fn hostaddrs(hosts: &[Host]) -> Option<String> {
    let texts: Vec<_> = hosts
        .iter()
        .map(|host| host.address.map(|a| a.to_string()).unwrap_or_default())
        .collect();
    texts
        .iter()
        .any(|text| !text.is_empty())
        .then(|| texts.join(","))
}

fn channel_binding(value: ChannelBinding) -> Option<String> {
    match value {
        ChannelBinding::Prefer => None,
        ChannelBinding::Disable => Some("disable".to_owned()),
        ChannelBinding::Require => Some("require".to_owned()),
    }
}

fn certificate_mode(value: ClientCertificate) -> Option<String> {
    match value {
        ClientCertificate::Allow => None,
        ClientCertificate::Disable => Some("disable".to_owned()),
        ClientCertificate::Require => Some("require".to_owned()),
    }
}

fn session_attrs(value: SessionAttrs) -> Option<String> {
    let word = match value {
        SessionAttrs::Any => return None,
        SessionAttrs::ReadWrite => "read-write",
        SessionAttrs::ReadOnly => "read-only",
        SessionAttrs::Primary => "primary",
        SessionAttrs::Standby => "standby",
        SessionAttrs::PreferStandby => "prefer-standby",
    };
    Some(word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::Environment;

    #[test]
    fn the_user_is_the_one_that_the_system_names() {
        let id = std::process::Command::new("id")
            .arg("-un")
            .output()
            .unwrap();
        let name = String::from_utf8(id.stdout).unwrap();
        let environment = Environment::of_process();
        assert_eq!(environment.os_user(), Some(name.trim()));
    }
}
