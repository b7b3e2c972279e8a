//! The command line and the environment of one pg_dump.
//!
//! The password travels as `PGPASSWORD` in the environment of that one child. A passfile was the alternative; it
//! would stay on the disk after a `kill -9` of ours, cannot hold a password with a line break, and is readable by the
//! same two users (its owner and root) as a process's environment is on Linux and macOS. Where no password is given,
//! libpq still reads the user's own password file.
//!
//! Absent: running it (`running`).

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::archive::Format;
use crate::dump::Stored;
use crate::request::{DumpRequest, Selection};

/// What a start of pg_dump needs to know beside the request.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    pub(crate) stored: Stored,
    /// The name by which its sessions are found.
    pub(crate) application: &'a str,
    /// Of an exported snapshot.
    pub(crate) snapshot: Option<&'a str>,
    /// The folder that it writes into; else it writes to `stdout`.
    pub(crate) folder: Option<&'a Path>,
}

/// pg_dump for this request. Nothing secret is in its arguments.
pub(crate) fn command(request: &DumpRequest, start: &Start<'_>, stdout: Stdio) -> Command {
    let mut command = Command::new(&request.pg_dump.path);
    command.args(arguments(request, start));
    if let Some(folder) = start.folder {
        command.arg("--file").arg(folder);
    }
    command
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped());
    command.process_group(0);
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
    // what pg_dump says is read by this program, in English; the server's own messages follow its lc_messages
    command.env("LC_ALL", "C").env_remove("LANGUAGE");
    command.envs(
        request
            .environment
            .iter()
            .map(|(name, value)| (name, value)),
    );
    command.env("PGAPPNAME", start.application);
    if let Some(password) = &request.password {
        command.env("PGPASSWORD", password.expose());
    }
    if let Some(value) = libpq_beside(&request.pg_dump.path) {
        command.env("LD_LIBRARY_PATH", value);
    }
    command
}

/// `-w`: a prompt could not be answered. UTF8 whatever the database's encoding: no reader has to guess.
fn arguments(request: &DumpRequest, start: &Start<'_>) -> Vec<String> {
    let format = start.stored.format;
    let mut arguments = vec![
        format!("--format={}", format.as_str()),
        "--encoding=UTF8".to_owned(),
        "--no-password".to_owned(),
    ];
    arguments.extend(start.stored.argument(request.pg_dump.version));
    if format == Format::Directory {
        // what is written is synced here, once it is private
        arguments.extend([format!("--jobs={}", request.jobs), "--no-sync".to_owned()]);
    }
    arguments.extend(start.snapshot.map(|id| format!("--snapshot={id}")));
    arguments.extend(selected(&request.selection));
    if let Some(timeout) = request.lock_wait_timeout {
        // 0 would switch the limit off
        arguments.push(format!(
            "--lock-wait-timeout={}",
            timeout.as_millis().max(1)
        ));
    }
    arguments.push(format!("--dbname={}", connection_string(&request.database)));
    arguments
}

fn selected(selection: &Selection) -> Vec<String> {
    let Selection {
        schema_only,
        tables,
        exclude_table_data,
    } = selection;
    let mut arguments = Vec::new();
    if *schema_only {
        arguments.push("--schema-only".to_owned());
    }
    arguments.extend(tables.iter().map(|pattern| format!("--table={pattern}")));
    let excluded = exclude_table_data.iter();
    arguments.extend(excluded.map(|pattern| format!("--exclude-table-data={pattern}")));
    arguments
}

/// pg_dump reads `--dbname` as a connection string where it has a `=` or a scheme; this form is never misread, and
/// goes before a service file's `dbname`, which `PGDATABASE` would not.
fn connection_string(database: &str) -> String {
    format!(
        "dbname='{}'",
        database.replace('\\', "\\\\").replace('\'', "\\'")
    )
}

/// The `LD_LIBRARY_PATH` that a pg_dump of a self-contained tree needs: its `../lib`, where that has a libpq.
/// Without it the loader takes the system's libpq, or none.
pub(crate) fn libpq_beside(program: &Path) -> Option<OsString> {
    let real = program.canonicalize().ok()?;
    let library = real.parent()?.parent()?.join("lib");
    let has_libpq = std::fs::read_dir(&library).ok()?.flatten().any(|entry| {
        entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(b"libpq.so")
    });
    if !has_libpq {
        return None;
    }
    let inherited = std::env::var_os("LD_LIBRARY_PATH");
    let rest = inherited.iter().flat_map(std::env::split_paths);
    std::env::join_paths(std::iter::once(library).chain(rest)).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::archive::{Format, Verified};
    use crate::password::Password;
    use crate::pg_dump::{PgDump, Version};
    use crate::request::Selection;

    /// For a server of version 15.
    pub(crate) fn request() -> DumpRequest {
        DumpRequest {
            pg_dump: PgDump {
                path: "/opt/pg/bin/pg_dump".into(),
                version: Version {
                    major: 15,
                    minor: 18,
                },
                version_text: String::new(),
            },
            environment: vec![("PGHOST".into(), "db1".into())],
            password: Some(Password::new("s3cret")),
            database: "it's\\ x=1".into(),
            server_version_num: 150_018,
            system_identifier: None,
            directory: "b".into(),
            timestamp: "20261122_213000".into(),
            created_at: "2026-11-22T21:30:00Z".into(),
            tool_version: "0.1.0".into(),
            format: Format::Plain,
            compression: None,
            jobs: std::num::NonZeroU8::MIN,
            selection: Selection::default(),
            proof: Verified::Trailer,
            connection: pgdriver::ConnectOptions::parse_in(
                "postgresql://shop@db1/shop",
                &pgdriver::Environment::default(),
            )
            .unwrap(),
            lock_wait_timeout: Some(Duration::from_secs(2)),
            estimated_bytes: None,
        }
    }

    fn start(request: &DumpRequest) -> Start<'static> {
        Start {
            stored: Stored::of(request).unwrap(),
            application: "pg_dump 1f",
            snapshot: Some("00000003-0000001B-1"),
            folder: None,
        }
    }

    #[test]
    fn arguments_name_the_database_literally() {
        let request = request();
        let arguments = arguments(&request, &start(&request));
        assert_eq!(
            arguments,
            [
                "--format=plain",
                "--encoding=UTF8",
                "--no-password",
                "--snapshot=00000003-0000001B-1",
                "--lock-wait-timeout=2000",
                r"--dbname=dbname='it\'s\\ x=1'"
            ]
        );
    }

    #[test]
    fn a_folder_has_jobs_and_a_selection_its_patterns() {
        let mut request = request();
        request.format = Format::Directory;
        request.jobs = std::num::NonZeroU8::new(3).unwrap();
        request.lock_wait_timeout = None;
        request.database = "shop".to_owned();
        request.selection = Selection {
            schema_only: true,
            tables: vec!["a*".to_owned(), "\"B\"".to_owned()],
            exclude_table_data: vec!["log".to_owned()],
        };
        let mut start = start(&request);
        start.folder = Some(Path::new("b/x.dir.partial"));
        let command = command(&request, &start, Stdio::null());
        let arguments: Vec<_> = command.get_args().map(|it| it.to_str().unwrap()).collect();
        assert_eq!(
            arguments,
            [
                "--format=directory",
                "--encoding=UTF8",
                "--no-password",
                "--compress=6",
                "--jobs=3",
                "--no-sync",
                "--snapshot=00000003-0000001B-1",
                "--schema-only",
                "--table=a*",
                "--table=\"B\"",
                "--exclude-table-data=log",
                "--dbname=dbname='shop'",
                "--file",
                "b/x.dir.partial",
            ]
        );
    }

    #[test]
    fn the_password_is_in_the_environment_only() {
        let request = request();
        let command = command(&request, &start(&request), Stdio::null());
        assert!(
            command
                .get_args()
                .all(|argument| !argument.to_str().unwrap().contains("s3cret"))
        );
        let value = |wanted: &str| {
            command
                .get_envs()
                .find(|(name, _)| *name == wanted)
                .and_then(|(_, value)| value)
        };
        assert_eq!(value("PGPASSWORD").unwrap(), "s3cret");
        assert_eq!(value("PGHOST").unwrap(), "db1");
        assert_eq!(value("LC_ALL").unwrap(), "C");
        assert_eq!(value("PGAPPNAME").unwrap(), "pg_dump 1f");
    }

    #[test]
    fn a_tree_of_its_own_brings_its_libpq() {
        let tree = tempfile::tempdir().unwrap();
        let program = tree.path().join("bin/pg_dump");
        fs_err::create_dir_all(tree.path().join("bin")).unwrap();
        fs_err::create_dir_all(tree.path().join("lib")).unwrap();
        fs_err::write(&program, "").unwrap();
        assert_eq!(libpq_beside(&program), None);
        fs_err::write(tree.path().join("lib/libpq.so.5"), "").unwrap();
        let value = libpq_beside(&program).unwrap();
        let first = std::env::split_paths(&value).next().unwrap();
        assert_eq!(first, tree.path().canonicalize().unwrap().join("lib"));
    }
}
