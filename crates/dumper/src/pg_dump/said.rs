//! What pg_dump said on stderr, and what that means.
//!
//! Absent: messages of servers whose `lc_messages` is not English. They end in `Failed` with their text.

use std::process::ExitStatus;

use crate::error::{DumpError, Refusal};
use crate::pg_dump::Version;
use crate::request::DumpRequest;

/// Kept of what a program says: an endless stream of warnings must not fill the memory.
const KEPT: usize = 16 * 1024;

/// The end of a program's stderr.
#[derive(Debug, Default)]
pub(crate) struct Said {
    bytes: Vec<u8>,
    cut: bool,
}

impl Said {
    /// Adds what was read, dropping from the front.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > KEPT {
            self.bytes.drain(..self.bytes.len() - KEPT);
            self.cut = true;
        }
    }

    /// Its lines, the first one left out where its beginning is lost.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let whole = if self.cut {
            text.split_once('\n').map_or("", |(_, rest)| rest)
        } else {
            &text
        };
        whole.trim_end().to_owned()
    }
}

/// Why pg_dump failed, by its own words (scrubbed of the password before).
pub(crate) fn classify(request: &DumpRequest, status: ExitStatus, said: &str) -> DumpError {
    let words = said.to_owned();
    if said.contains("server version mismatch") {
        let (found, path) = (request.pg_dump.version, request.pg_dump.path.clone());
        return DumpError::PgDumpTooOld {
            found,
            path,
            needed: Version::from_num(request.server_version_num),
        };
    }
    if let Some(refusal) = refusal(said) {
        return DumpError::Refused {
            refusal,
            said: words,
        };
    }
    if is_other_snapshot(said) {
        return DumpError::SnapshotLost { reason: words };
    }
    if is_no_match(said) {
        return DumpError::NoMatch { said: words };
    }
    if is_out_of_disk(said) {
        return DumpError::OutOfDisk {
            path: request.directory.clone(),
            written: 0,
            free: None,
            estimated: request.estimated_bytes,
        };
    }
    if is_gone(said) {
        return DumpError::SchemaChanged { said: words };
    }
    if let Some(waited) = request.lock_wait_timeout.filter(|_| is_lock_timeout(said)) {
        return DumpError::LockTimeout {
            tables: locked_tables(said),
            waited,
            holders: Vec::new(),
            said: words,
        };
    }
    if let Some(established) = connection(said) {
        return DumpError::ConnectionLost {
            established,
            said: words,
        };
    }
    DumpError::Failed {
        status,
        said: words,
    }
}

/// The session that exported it is gone, or pg_dump was led to another server than that one.
fn is_other_snapshot(said: &str) -> bool {
    said.contains("SET TRANSACTION SNAPSHOT")
        && (said.contains("invalid snapshot identifier")
            || said.contains("could not import the requested snapshot")
            || (said.contains("snapshot \"") && said.contains("does not exist")))
}

/// Whoever else has sessions takes the place of pg_dump's.
pub(crate) fn is_full(said: &str) -> bool {
    const FULL: &[&str] = &[
        "too many connections for role",
        "too many connections for database",
        "sorry, too many clients already",
        "remaining connection slots are reserved",
    ];
    FULL.iter().any(|text| said.contains(text))
}

/// `pg_dump: error: no matching tables were found`, `… for pattern "x"`, and what is no pattern at all.
fn is_no_match(said: &str) -> bool {
    said.contains("no matching tables were found")
        || said.contains("improper qualified name (too many dotted names)")
        || said.contains("cross-database references are not implemented")
}

/// pg_dump wrote into a folder itself: `could not write to file`, `could not close data file …: No space left on device`.
fn is_out_of_disk(said: &str) -> bool {
    let ours = |line: &str| line.starts_with("pg_dump: ") && !line.contains("ERROR:");
    said.lines().any(|line| {
        ours(line)
            && (line.contains("No space left on device") || line.contains("Disk quota exceeded"))
    })
}

/// A table that was in the snapshot was gone when pg_dump wanted its lock.
fn is_gone(said: &str) -> bool {
    let gone = |line: &str| {
        line.contains("ERROR:") && line.contains("relation ") && line.ends_with(" does not exist")
    };
    said.contains("LOCK TABLE") && said.lines().any(gone)
        || said.contains("could not open relation with OID")
}

fn refusal(said: &str) -> Option<Refusal> {
    const LOGIN: &[&str] = &[
        "password authentication failed",
        "no password supplied",
        "authentication failed for user",
        "no pg_hba.conf entry",
        "pg_hba.conf rejects",
        "is not permitted to log in",
        "permission denied for database",
        "User does not have CONNECT privilege",
    ];
    if let Some(table) = after(
        said,
        "query would be affected by row-level security policy for table ",
    ) {
        return Some(Refusal::RowSecurity {
            table: unquote(table),
        });
    }
    if LOGIN.iter().any(|text| said.contains(text)) || missing_login(said) {
        return Some(Refusal::Login);
    }
    let object = after(said, "permission denied for ")?;
    Some(Refusal::Privilege {
        object: object.to_owned(),
    })
}

/// `FATAL:  database "x" does not exist`, `FATAL:  role "x" does not exist`
fn missing_login(said: &str) -> bool {
    said.lines().any(|line| {
        line.contains("FATAL:")
            && line.ends_with(" does not exist")
            && (line.contains("database \"") || line.contains("role \""))
    })
}

/// pg_dump sets statement_timeout, not lock_timeout, for `--lock-wait-timeout`.
fn is_lock_timeout(said: &str) -> bool {
    let timed_out =
        said.contains("due to statement timeout") || said.contains("due to lock timeout");
    timed_out && said.contains("LOCK TABLE")
}

/// `… query was: LOCK TABLE public.a, public.b IN ACCESS SHARE MODE`; 15.? and older lock one at a time.
fn locked_tables(said: &str) -> Vec<String> {
    let Some((_, rest)) = said.split_once("LOCK TABLE ") else {
        return Vec::new();
    };
    let Some((tables, _)) = rest.split_once(" IN ACCESS SHARE MODE") else {
        return Vec::new();
    };
    tables
        .split(", ")
        .map(|table| table.trim_start_matches("ONLY ").to_owned())
        .collect()
}

/// Whether a connection had been made before it failed; `None` where the words are about something else.
fn connection(said: &str) -> Option<bool> {
    const LOST: &[&str] = &[
        "server closed the connection unexpectedly",
        "terminating connection due to",
        "connection to server was lost",
        "no connection to the server",
        "SSL connection has been closed unexpectedly",
        "could not receive data from server",
        "could not send data to server",
    ];
    const UNREACHABLE: &[&str] = &[
        "could not connect to server",
        "could not translate host name",
    ];
    let attempt = said
        .lines()
        .any(|line| line.contains("connection to server ") && line.contains(" failed: "));
    if attempt || UNREACHABLE.iter().any(|text| said.contains(text)) {
        return Some(false);
    }
    LOST.iter().any(|text| said.contains(text)).then_some(true)
}

/// The rest of the line after the first `text`.
fn after<'a>(said: &'a str, text: &str) -> Option<&'a str> {
    said.split_once(text)
        .and_then(|(_, rest)| rest.lines().next())
        .map(str::trim_end)
}

fn unquote(name: &str) -> String {
    name.trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_in_whole_lines() {
        let mut said = Said::default();
        for number in 0..10_000 {
            said.push(format!("pg_dump: warning: line {number}\n").as_bytes());
        }
        let text = said.text();
        assert!(text.len() <= KEPT);
        assert!(text.starts_with("pg_dump: warning: line "));
        assert!(text.ends_with("line 9999"));
    }

    #[track_caller]
    fn check_class(said: &str, expected: &str) {
        use std::os::unix::process::ExitStatusExt;
        let request = crate::pg_dump::tests::request();
        let error = classify(&request, ExitStatus::from_raw(256), said);
        assert_eq!(error.class(), expected, "{said}");
    }

    #[test]
    fn other_words_have_classes_too() {
        let snapshot = "pg_dump: error: query failed: ERROR:  invalid snapshot identifier: \"00000003-00000005-1\"\n\
                        pg_dump: detail: Query was: SET TRANSACTION SNAPSHOT '00000003-00000005-1'";
        check_class(snapshot, "backup-snapshot-lost");
        check_class(
            "pg_dump: error: no matching tables were found",
            "backup-no-match",
        );
        check_class(
            "pg_dump: error: no matching tables were found for pattern \"x\"",
            "backup-no-match",
        );
        check_class(
            "pg_dump: error: could not write to file: No space left on device",
            "out-of-disk",
        );
        // the server's own disk is another matter
        check_class(
            "pg_dump: error: query failed: ERROR:  could not extend file \"base/5/1\": No space left on device",
            "backup-failed",
        );
        let dropped = "pg_dump: error: query failed: ERROR:  relation \"public.a\" does not exist\n\
                       pg_dump: detail: Query was: LOCK TABLE public.a, public.b IN ACCESS SHARE MODE";
        check_class(dropped, "backup-schema-changed");
        check_class(
            "pg_dump: error: query failed: ERROR:  relation \"a\" does not exist",
            "backup-failed",
        );
    }

    #[track_caller]
    fn check_refusal(said: &str, expected: Option<&Refusal>) {
        assert_eq!(refusal(said).as_ref(), expected, "{said}");
    }

    #[test]
    fn refusals() {
        let login = [
            "pg_dump: error: connection to server at \"127.0.0.1\", port 5433 failed: FATAL:  password authentication failed for user \"app\"",
            "pg_dump: error: connection to server at \"db1\" (10.0.0.1), port 5432 failed: fe_sendauth: no password supplied",
            "pg_dump: error: connection to server on socket \"/run/.s.PGSQL.5432\" failed: FATAL:  role \"nobody\" does not exist",
            "pg_dump: error: connection to server on socket \"/run/.s.PGSQL.5432\" failed: FATAL:  database \"x\" does not exist",
            "pg_dump: error: connection to server at \"db1\", port 5432 failed: FATAL:  no pg_hba.conf entry for host \"10.0.0.2\", user \"app\"",
        ];
        for said in login {
            check_refusal(said, Some(&Refusal::Login));
        }
        check_refusal(
            "pg_dump: error: query failed: ERROR:  permission denied for table secret\npg_dump: detail: Query was: LOCK TABLE public.secret IN ACCESS SHARE MODE",
            Some(&Refusal::Privilege {
                object: "table secret".into(),
            }),
        );
        check_refusal(
            "pg_dump: error: query failed: ERROR:  permission denied for schema audit\npg_dump: detail: Query was: LOCK",
            Some(&Refusal::Privilege {
                object: "schema audit".into(),
            }),
        );
        check_refusal(
            "pg_dump: error: query failed: ERROR:  query would be affected by row-level security policy for table \"own\"\npg_dump: hint: To disable",
            Some(&Refusal::RowSecurity {
                table: "own".into(),
            }),
        );
        check_refusal("pg_dump: error: relation \"x\" does not exist", None);
    }

    #[test]
    fn lock_timeouts_name_the_tables() {
        let said = "pg_dump: error: query failed: ERROR:  canceling statement due to statement timeout\n\
                    pg_dump: detail: Query was: LOCK TABLE public.a, ONLY public.\"B c\" IN ACCESS SHARE MODE";
        assert!(is_lock_timeout(said));
        assert_eq!(locked_tables(said), ["public.a", "public.\"B c\""]);
        assert!(!is_lock_timeout(
            "ERROR:  canceling statement due to statement timeout\nQuery was: SELECT 1"
        ));
    }

    #[test]
    fn connections() {
        let unreachable = "pg_dump: error: connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?";
        assert_eq!(connection(unreachable), Some(false));
        let lost = "pg_dump: error: Dumping the contents of table \"big\" failed: PQgetResult() failed.\npg_dump: detail: Error message from server: FATAL:  terminating connection due to administrator command";
        assert_eq!(connection(lost), Some(true));
        assert_eq!(connection("pg_dump: error: out of memory"), None);
    }
}
