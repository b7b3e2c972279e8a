//! Real servers: what they are told, and that nothing of them stays, however their owner ends.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pgdriver::connect;
use xtask::env::Env;

use super::*;

/// Set in the process that is killed: it owns a server.
const OWNER: &str = "DJANGO_MIGRATE_TEST_OWNS_A_SERVER";

fn bin(major: u32) -> PathBuf {
    Env::open().unwrap().postgres(major).unwrap().bin_dir
}

fn binaries(major: u32) -> Binaries {
    Binaries::find(Some(&bin(major)), major).unwrap()
}

fn setting(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The process id of the server in this folder.
fn postmaster(folder: &Path) -> String {
    let file = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    file.lines().next().unwrap().to_owned()
}

fn runs(pid: &str) -> bool {
    let mut command = Command::new("kill");
    command.args(["-0", pid]).stderr(Stdio::null());
    command.status().unwrap().success()
}

#[track_caller]
fn gone_within_seconds(folder: &Path, pid: &str) {
    let begun = Instant::now();
    while folder.exists() || runs(pid) {
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "{} or {pid} is still there",
            folder.display()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

async fn asked(server: &LocalServer, sql: &str) -> String {
    let session = connect(&server.options().unwrap()).await.unwrap();
    let rows = session.query_text(sql).await.unwrap();
    session.close().await;
    rows[0][0].clone().unwrap()
}

#[tokio::test]
async fn a_server_of_either_version_starts_answers_and_leaves_nothing() {
    for major in [17, 15] {
        let options = StartOptions {
            settings: vec![setting("timezone", "Asia/Tokyo")],
            ..StartOptions::default()
        };
        let server = LocalServer::start(binaries(major), options).await.unwrap();
        assert_eq!(server.version().major, major);
        let (folder, pid) = (server.folder().to_owned(), postmaster(server.folder()));
        assert!(room(&folder).is_some_and(|bytes| bytes > 0));
        assert!(!folder.join("password").exists());
        for (sql, expected) in [
            ("SELECT 1", "1"),
            ("SHOW server_encoding", "UTF8"),
            (
                "SELECT datctype FROM pg_database WHERE datname = current_database()",
                "C",
            ),
            ("SHOW fsync", "off"),
            ("SHOW autovacuum", "off"),
            ("SHOW max_connections", "50"),
            ("SHOW listen_addresses", ""),
            ("SHOW timezone", "Asia/Tokyo"),
            ("SELECT current_user", "postgres"),
            (
                "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'",
                "0",
            ),
        ] {
            assert_eq!(asked(&server, sql).await, expected, "{sql}");
        }
        server.stop().await.unwrap();
        assert!(!folder.exists());
        assert!(!runs(&pid));
    }
}

#[tokio::test]
async fn encoding_and_locale_are_those_that_were_asked_for() {
    let options = StartOptions {
        encoding: Some("LATIN1".to_owned()),
        locale: Some("POSIX".to_owned()),
        settings: Vec::new(),
    };
    let server = LocalServer::start(binaries(17), options).await.unwrap();
    assert_eq!(asked(&server, "SHOW server_encoding").await, "LATIN1");
    let folder = server.folder().to_owned();
    drop(server);
    assert!(!folder.exists());
}

#[tokio::test]
async fn without_a_socket_it_is_reached_by_a_port_of_the_loopback() {
    let parent = tempfile::tempdir_in("/tmp").unwrap();
    let long = parent.path().join("a".repeat(90));
    std::fs::create_dir(&long).unwrap();
    open_to_all(parent.path());
    open_to_all(&long);
    let server = LocalServer::start_in(&long, binaries(17), StartOptions::default())
        .await
        .unwrap();
    assert_eq!(asked(&server, "SHOW listen_addresses").await, "127.0.0.1");
    assert_eq!(asked(&server, "SHOW unix_socket_directories").await, "");
    server.stop().await.unwrap();
    assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0);
}

fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let all = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder, all).unwrap();
}

#[tokio::test]
async fn what_initdb_or_the_server_refuses_is_said_in_their_words() {
    let parent = tempfile::tempdir_in("/tmp").unwrap();
    open_to_all(parent.path());
    let locale = StartOptions {
        locale: Some("tlh_QO.UTF-8".to_owned()),
        ..StartOptions::default()
    };
    let error = LocalServer::start_in(parent.path(), binaries(17), locale)
        .await
        .unwrap_err();
    let words = error.to_string();
    assert!(matches!(error, ServerError::Initdb { .. }), "{words}");
    assert!(words.contains("invalid locale name"), "{words}");

    let settings = StartOptions {
        settings: vec![setting("no_such_setting", "1")],
        ..StartOptions::default()
    };
    let error = LocalServer::start_in(parent.path(), binaries(17), settings)
        .await
        .unwrap_err();
    let words = error.to_string();
    assert!(matches!(error, ServerError::Ended { .. }), "{words}");
    assert!(words.contains("no_such_setting"), "{words}");
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing() {
    let parent = tempfile::tempdir_in("/tmp").unwrap();
    open_to_all(parent.path());
    for milliseconds in [0, 100, 400, 800, 1200] {
        let start = LocalServer::start_in(parent.path(), binaries(17), StartOptions::default());
        let limit = Duration::from_millis(milliseconds);
        drop(tokio::time::timeout(limit, start).await);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_server_ends_without_the_end_of_its_owner_where_its_pipe_is_closed() {
    let mut server = LocalServer::start(binaries(15), StartOptions::default())
        .await
        .unwrap();
    let (folder, pid) = (server.folder().to_owned(), postmaster(server.folder()));
    server.keeper.let_go();
    gone_within_seconds(&folder, &pid);
}

#[test]
fn a_server_ends_with_an_owner_that_is_killed() {
    let mut owner = Command::new(std::env::current_exe().unwrap());
    let name = module_path!().split_once("::").unwrap().1;
    owner
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg(format!("{name}::owner_of_a_server"))
        .env(OWNER, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut owner = owner.spawn().unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let folder = lines
        .find_map(|line| line.unwrap().strip_prefix("server in ").map(PathBuf::from))
        .expect("the owner started no server");
    let pid = postmaster(&folder);
    assert!(runs(&pid));
    owner.kill().unwrap(); // SIGKILL
    owner.wait().unwrap();
    gone_within_seconds(&folder, &pid);
}

/// No test of its own: what the one above starts and kills.
#[tokio::test]
async fn owner_of_a_server() {
    if std::env::var_os(OWNER).is_none() {
        return;
    }
    let server = LocalServer::start(binaries(17), StartOptions::default())
        .await
        .unwrap();
    // on a line of its own: the harness has begun one
    #[allow(clippy::print_stdout)]
    {
        println!("\nserver in {}", server.folder().display());
    }
    tokio::time::sleep(Duration::from_secs(300)).await;
}

#[test]
fn a_folder_of_another_major_or_without_a_server_says_so() {
    let folder = bin(15);
    let error = Binaries::find(Some(&folder), 17).unwrap_err();
    let found = binaries(15).version;
    assert_eq!(
        error.to_string(),
        format!(
            "PostgreSQL 17 is needed for a server of our own, and the folder {} has {found}",
            folder.display()
        )
    );
    let empty = tempfile::tempdir().unwrap();
    let error = Binaries::find(Some(empty.path()), 17).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the folder {} has no program `postgres`",
            empty.path().display()
        )
    );
}
