//! How a server is made and told to run: initdb's arguments and a `postgresql.conf`, as pure text.
//!
//! Absent: durability, autovacuum (its locks would be measured as if the migrations had taken them) and a door to the
//! network.

use std::fmt::Write as _;
use std::io;
use std::net::TcpListener;
use std::path::Path;

/// The superuser of every such server.
pub(super) const SUPERUSER: &str = "postgres";

/// The port that names the socket, which is in a folder of its own.
const SOCKET_PORT: u16 = 5432;

/// A socket's path has at most so many bytes.
const LONGEST: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Beyond the defaults.
#[derive(Debug, Clone, Default)]
pub(crate) struct StartOptions {
    /// Of the databases: `LATIN1`; UTF8 where nobody says.
    pub(crate) encoding: Option<String>,
    /// Of the databases: `de_DE.UTF-8`, which this machine has to have; C where nobody says, which is on every machine.
    pub(crate) locale: Option<String>,
    /// Settings as `postgresql.conf` has them, over our own: (`timezone`, `Europe/Berlin`).
    pub(crate) settings: Vec<(String, String)>,
}

impl StartOptions {
    pub(super) fn initdb_arguments(&self) -> Vec<String> {
        let encoding = self.encoding.as_deref().unwrap_or("UTF8");
        let locale = match &self.locale {
            Some(locale) => format!("--locale={locale}"),
            None => "--no-locale".to_owned(),
        };
        vec![
            format!("--username={SUPERUSER}"),
            "--auth=scram-sha-256".to_owned(),
            format!("--encoding={encoding}"),
            locale,
            // messages are read by this program, whatever the locale of the databases is
            "--lc-messages=C".to_owned(),
            "--no-sync".to_owned(),
        ]
    }

    /// What initdb found out about the machine, then ours, then the caller's; the door last, since nobody may move it.
    pub(super) fn configuration(&self, door: &Door, folder: &Path) -> String {
        let mut text = "include 'data/postgresql.conf'\n".to_owned();
        let mut line = |name: &str, value: &str| {
            // a String takes every write
            let _ = writeln!(text, "{name} = {}", quoted(value));
        };
        for (name, value) in DEFAULTS {
            line(name, value);
        }
        for (name, value) in &self.settings {
            line(name, value);
        }
        for (name, value) in door.settings(folder) {
            line(name, &value);
        }
        text
    }
}

/// Nothing is durable, little is shared.
const DEFAULTS: [(&str, &str); 7] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("autovacuum", "off"),
    ("max_connections", "50"),
    ("shared_buffers", "64MB"),
    // stderr is the log file
    ("logging_collector", "off"),
];

/// Where the server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// A socket in its folder, which nobody else may enter.
    Socket,
    /// The loopback, where the socket's path would be too long. Between our choice of a free port and the server's use
    /// of it somebody else may take it; the server then says so and does not start.
    Port(u16),
}

impl Door {
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        if fits(folder) {
            return Ok(Self::Socket);
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(Self::Port(port))
    }

    /// Host and port, as libpq understands them.
    pub(super) fn address(self, folder: &Path) -> (String, u16) {
        match self {
            Self::Socket => (folder.display().to_string(), SOCKET_PORT),
            Self::Port(port) => ("127.0.0.1".to_owned(), port),
        }
    }

    fn settings(self, folder: &Path) -> [(&'static str, String); 3] {
        let (listen, socket) = match self {
            // a list, in which a quoted folder may have any character
            Self::Socket => ("", format!("\"{}\"", folder.display())),
            Self::Port(_) => ("127.0.0.1", String::new()),
        };
        [
            ("listen_addresses", listen.to_owned()),
            ("unix_socket_directories", socket),
            ("port", self.address(folder).1.to_string()),
        ]
    }
}

fn fits(folder: &Path) -> bool {
    let name = format!("/.s.PGSQL.{SOCKET_PORT}");
    folder.as_os_str().len() + name.len() <= LONGEST
}

/// A value as `guc-file.l` reads it.
fn quoted(value: &str) -> String {
    let value = value
        .replace('\\', r"\\")
        .replace('\'', "''")
        .replace('\n', r"\n");
    format!("'{value}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initdb_is_told_encoding_and_locale_and_never_trusts_anybody() {
        let arguments = StartOptions::default().initdb_arguments().join(" ");
        assert_eq!(
            arguments,
            "--username=postgres --auth=scram-sha-256 --encoding=UTF8 --no-locale --lc-messages=C --no-sync"
        );
        let options = StartOptions {
            encoding: Some("LATIN1".to_owned()),
            locale: Some("de_DE.ISO-8859-1".to_owned()),
            settings: Vec::new(),
        };
        let arguments = options.initdb_arguments().join(" ");
        assert!(
            arguments.contains("--encoding=LATIN1 --locale=de_DE.ISO-8859-1"),
            "{arguments}"
        );
    }

    #[test]
    fn the_callers_settings_go_over_ours_and_the_door_over_both() {
        let options = StartOptions {
            settings: vec![
                ("autovacuum".to_owned(), "on".to_owned()),
                ("shop.note".to_owned(), "it's C:\\\n".to_owned()),
                ("listen_addresses".to_owned(), "*".to_owned()),
            ],
            ..StartOptions::default()
        };
        let text = options.configuration(&Door::Socket, Path::new("/tmp/a"));
        let place = |line: &str| text.lines().position(|it| it == line).expect(line);
        assert_eq!(place("include 'data/postgresql.conf'"), 0);
        assert!(place("autovacuum = 'off'") < place("autovacuum = 'on'"));
        assert!(place("listen_addresses = '*'") < place("listen_addresses = ''"));
        place(r"shop.note = 'it''s C:\\\n'");
        place("unix_socket_directories = '\"/tmp/a\"'");
        place("port = '5432'");
    }

    #[test]
    fn only_a_path_that_is_too_long_for_a_socket_opens_a_port() {
        assert_eq!(Door::of(Path::new("/tmp/a")).unwrap(), Door::Socket);
        let long = format!("/tmp/{}", "a".repeat(100));
        let door = Door::of(Path::new(&long)).unwrap();
        let Door::Port(port) = door else {
            panic!("{door:?}");
        };
        assert_eq!(
            door.settings(Path::new(&long)),
            [
                ("listen_addresses", "127.0.0.1".to_owned()),
                ("unix_socket_directories", String::new()),
                ("port", port.to_string()),
            ]
        );
        let last = format!("/{}", "a".repeat(LONGEST - "/.s.PGSQL.5432".len() - 1));
        assert!(fits(Path::new(&last)));
        assert!(!fits(Path::new(&format!("{last}a"))));
    }
}
