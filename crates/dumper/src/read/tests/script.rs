//! Programs that play pg_restore: what is believed of them, and what is left of them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// An archive's head, and a program beside it.
struct Played {
    folder: TempDir,
}

impl Played {
    /// By a pg_dump of this version, in its format; `$LAST` in the script is the archive.
    fn new(wrote: &str, format: u8, script: &str) -> Self {
        let played = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs_err::write(played.archive(), head(wrote, format)).unwrap();
        let text = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && {{ echo 'pg_restore (PostgreSQL) 16.3'; exit; }}\n\
             for LAST; do :; done\n{script}\n"
        );
        // written by a child: a descriptor of ours, inherited by a fork in another test, makes exec say "busy"
        let mut child = Command::new("sh")
            .args(["-c", "cat > \"$0\""])
            .arg(played.program())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success());
        fs_err::set_permissions(played.program(), Permissions::from_mode(0o755)).unwrap();
        played
    }

    fn archive(&self) -> PathBuf {
        self.folder.path().join("-a b.dump")
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("pg_restore")
    }

    fn read(&self) -> Result<(String, Digested), VerifyError> {
        let mut reading = open(&self.archive(), Some(&self.program()))?;
        let mut text = Vec::new();
        while let Some(block) = reading.block()? {
            text.extend(block);
        }
        Ok((String::from_utf8(text).unwrap(), reading.finish()?))
    }
}

fn head(wrote: &str, format: u8) -> Vec<u8> {
    let text = |text: &str| [&[0, text.len() as u8, 0, 0, 0], text.as_bytes()].concat();
    let mut bytes = [b"PGDMP\x01".as_slice(), &[format, 0, 4, 8, 1]].concat();
    bytes.resize(bytes.len() + if format < 15 { 5 } else { 1 } + 7 * 5, 0);
    bytes.extend([text("shop"), text("14.2"), text(wrote)].concat());
    bytes
}

#[test]
fn the_script_comes_with_the_hash_of_the_archive() {
    let played = Played::new(
        "15.1",
        14,
        "echo \"$LAST\" \"$1\" ${PGHOST-none}; echo noise >&2",
    );
    let (text, digested) = played.read().unwrap();
    assert_eq!(
        text,
        format!("{} --file=- none\n", played.archive().display())
    );
    let bytes = fs_err::read(played.archive()).unwrap();
    assert_eq!(digested.bytes, bytes.len() as u64);
    let hash = <sha2::Sha256 as sha2::Digest>::digest(&bytes);
    assert_eq!(digested.sha256, crate::compress::hex(&hash));
}

#[test]
fn a_whole_script_of_a_program_that_failed_is_no_script() {
    let played = Played::new(
        "15.1",
        14,
        "echo '-- PostgreSQL database dump complete'; echo 'bad block' >&2; exit 3",
    );
    let error = played.read().unwrap_err();
    assert_eq!(error.class(), "backup-damaged");
    let text = error.to_string();
    assert!(
        text.contains("bad block") && text.contains("exit status: 3"),
        "{text}"
    );
}

#[test]
fn a_killed_program_is_believed_too() {
    let played = Played::new("15.1", 14, "echo 'SELECT 1;'; kill -9 $$");
    assert_eq!(played.read().unwrap_err().class(), "backup-damaged");
}

#[test]
fn an_archive_that_is_newer_is_refused_with_what_to_install() {
    let played = Played::new("18.1", 16, "exit 9");
    let error = played.read().unwrap_err();
    assert_eq!(error.class(), "pg-restore-missing");
    let text = error.to_string();
    assert!(
        text.contains("pg_restore 16.3") && text.contains("pg_dump 18.1"),
        "{text}"
    );
    let hint = error.hint().unwrap();
    assert!(
        hint.contains("postgresql-client-18") && hint.contains("--pg-restore"),
        "{hint}"
    );
}

#[test]
fn what_is_no_pg_restore_is_not_run() {
    let played = Played::new("15.1", 14, "exit 9");
    let error = open(&played.archive(), Some(Path::new("/bin/cat"))).unwrap_err();
    assert_eq!(error.class(), "pg-restore-missing");
    assert!(error.to_string().contains("is not pg_restore"), "{error}");
}

#[test]
fn who_stops_leaves_no_program() {
    let script = "echo $$ > \"$LAST.pid\"; while :; do echo 'SELECT 1;'; done";
    let played = Played::new("15.1", 14, script);
    let mut reading = open(&played.archive(), Some(&played.program())).unwrap();
    reading.block().unwrap().unwrap();
    let pid = fs_err::read_to_string(played.archive().with_file_name("-a b.dump.pid")).unwrap();
    drop(reading);
    let deadline = Instant::now() + Duration::from_secs(10);
    let is_there = || {
        let mut kill = Command::new("kill");
        let kill = kill.args(["-0", pid.trim()]).stderr(Stdio::null());
        kill.status().unwrap().success()
    };
    while is_there() {
        assert!(Instant::now() < deadline, "{pid} is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}
