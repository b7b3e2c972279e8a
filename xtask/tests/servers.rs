//! The servers that all other tests stand on, themselves.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;
use xtask::env::Env;
use xtask::servers::{Options, Server, TempServer, available, shared};

#[test]
fn a_server_of_every_major_that_is_here_starts_and_answers() -> Result<()> {
    let majors = available();
    assert!(!majors.is_empty(), "no PostgreSQL starts on this machine");
    for &major in majors {
        let mut server = TempServer::start(&Env::open()?.postgres(major)?)?;
        let version = server.scalar("postgres", "SHOW server_version_num")?;
        assert!(
            version.starts_with(&major.to_string()),
            "{version} for {major}"
        );
        assert!(server.is_running());
        server.stop_immediate()?;
        assert!(!server.is_running() && server.execute("postgres", "SELECT 1").is_err());
        server.restart()?;
        server.execute("postgres", "SELECT 1")?;
    }
    Ok(())
}

#[test]
fn databases_are_cloned_and_go_with_their_value() -> Result<()> {
    let server = newest();
    let build = |made: &xtask::servers::Database| {
        made.execute("CREATE TABLE item (id int); INSERT INTO item VALUES (1)")
    };
    let first = server.database_with("items", build)?;
    let second = server.database_with("items", |_| anyhow::bail!("built twice"))?;
    first.execute("INSERT INTO item VALUES (2)")?;
    assert_eq!(
        (
            first.scalar("SELECT count(*) FROM item")?,
            second.scalar("SELECT count(*) FROM item")?
        ),
        ("2".into(), "1".into())
    );

    let name = first.name().to_owned();
    drop(first);
    assert!(
        server
            .query(
                "postgres",
                &format!("SELECT 1 FROM pg_database WHERE datname = '{name}'")
            )?
            .is_empty()
    );
    Ok(())
}

#[test]
fn a_wrong_password_is_refused_and_a_role_has_only_its_rights() -> Result<()> {
    let server = newest();
    let database = server.database()?;
    server.create_role("plain", "NOSUPERUSER PASSWORD 'it''s secret'")?;
    let login = |password: &str| {
        postgres::Client::connect(
            &server.dsn_as("plain", password, database.name()),
            postgres::NoTls,
        )
    };
    assert!(login("guess").is_err());
    let mut client = login("it's secret")?;
    assert!(client.batch_execute("CREATE ROLE another").is_err());
    Ok(())
}

#[test]
fn settings_files_and_hba_reach_the_server() -> Result<()> {
    let options = Options {
        settings: vec![
            ("work_mem".into(), "7MB".into()),
            ("log_line_prefix".into(), "<here> ".into()),
        ],
        hba: Some("host all all 127.0.0.1/32 trust\n".into()),
        files: vec![("note.txt".into(), b"hello".to_vec())],
    };
    let server = TempServer::start_with(newest().install(), options)?;
    assert_eq!(server.scalar("postgres", "SHOW work_mem")?, "7MB");
    assert_eq!(
        server.scalar("postgres", "SELECT pg_read_file('note.txt')")?,
        "hello"
    );
    postgres::Client::connect(
        &server.dsn_as("postgres", "anything", "postgres"),
        postgres::NoTls,
    )?;
    assert!(server.log().contains("<here> "));
    Ok(())
}

#[test]
fn its_programs_find_their_libraries_and_its_socket() -> Result<()> {
    let server = newest();
    let mut pg_dump = server.install().command("pg_dump");
    pg_dump
        .args([
            "--schema-only",
            "--no-password",
            "--username",
            server.user(),
            "postgres",
        ])
        .env("PGPASSWORD", server.password());
    let over_socket = pg_dump
        .arg("--host")
        .arg(server.socket_dir())
        .env("PGPORT", server.port().to_string())
        .output()?;
    assert!(
        over_socket.status.success(),
        "{}",
        String::from_utf8_lossy(&over_socket.stderr)
    );
    assert!(
        String::from_utf8_lossy(&over_socket.stdout).contains("PostgreSQL database dump complete")
    );
    Ok(())
}

#[tokio::test]
async fn calls_work_inside_an_async_test() -> Result<()> {
    let database = newest().database()?;
    assert_eq!(database.scalar("SELECT 40 + 2")?, "42");
    Ok(())
}

/// The owner is killed, not dropped: the server must not stay.
#[test]
fn a_server_whose_owner_is_killed_ends() -> Result<()> {
    if let Ok(report) = std::env::var("XTASK_TEST_OWNER") {
        let server = TempServer::start(newest().install())?;
        std::fs::write(
            report,
            format!(
                "{} {}",
                server.pid().unwrap_or(0),
                server.data_dir().display()
            ),
        )?;
        std::thread::sleep(Duration::from_secs(60));
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("report");
    let mut owner = Command::new(std::env::current_exe()?)
        .args(["--exact", "a_server_whose_owner_is_killed_ends"])
        .env("XTASK_TEST_OWNER", &report)
        .stdout(std::process::Stdio::null())
        .spawn()?;
    let said = wait_for(|| {
        std::fs::read_to_string(&report)
            .ok()
            .filter(|said| said.contains(' '))
    });
    let (pid, data) = said
        .split_once(' ')
        .map(|(pid, data)| (pid.to_owned(), data.to_owned()))
        .unwrap_or_default();
    assert!(runs(&pid), "the server never ran");
    owner.kill()?;
    owner.wait()?;
    wait_for(|| (!runs(&pid)).then_some(()));

    // and the next server to start removes what it left
    let _next = TempServer::start(newest().install())?;
    assert!(!std::path::Path::new(&data).exists(), "{data}");
    Ok(())
}

fn newest() -> &'static Server {
    shared(
        *available()
            .last()
            .expect("no PostgreSQL starts on this machine"),
    )
}

fn runs(pid: &str) -> bool {
    Command::new("ps")
        .args(["-p", pid, "-o", "comm="])
        .output()
        .is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("postgres"))
}

#[track_caller]
fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "waited 20 s");
        std::thread::sleep(Duration::from_millis(20));
    }
}
