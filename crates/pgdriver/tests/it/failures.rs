//! Why a session could not be opened: each reason from a server that has it, told by us and by what psycopg says of it.
//!
//! Absent: TLS, which is `tls_matrix`'s.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};

use pgdriver::ConnectErrorKind as Kind;
use rustix::process::{Pid, Signal, kill_process};
use xtask::env::Env;
use xtask::servers::{Account, Options, TempServer, shared};

use crate::libpq::{Cell, Verdict, verdicts};
use crate::{MAJORS, options, soon};

/// Ours is sorted, says what to do and holds no password; psycopg's text is sorted alike.
async fn agree(dsn: &str, expected: Kind) -> String {
    let error = pgdriver::connect(&options(dsn)).await.expect_err(dsn);
    assert_eq!(error.kind(), expected, "{dsn}: {error}");
    assert!(error.hint().is_some(), "{error}");
    let text = format!("{error} {error:?}");
    assert!(!text.contains("sesame"), "{text}");
    let cell = Cell {
        dsn: dsn.to_owned(),
        home: "/nonexistent".into(),
        ..Cell::default()
    };
    let theirs = tokio::task::spawn_blocking(move || verdicts(&[cell]))
        .await
        .unwrap();
    assert_eq!(theirs[0].0, Verdict::Refused(expected), "{}", theirs[0].1);
    error.to_string()
}

fn install(major: u32) -> xtask::env::PgInstall {
    Env::open().unwrap().postgres(major).unwrap()
}

fn with_settings(major: u32, settings: &[(&str, &str)]) -> TempServer {
    let settings = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let options = Options {
        settings,
        ..Options::default()
    };
    TempServer::start_with(&install(major), options).unwrap()
}

#[tokio::test]
async fn a_database_that_nobody_may_enter() {
    for major in MAJORS {
        let server = shared(major);
        let database = server.database().unwrap();
        let name = database.name();
        server
            .execute(
                "postgres",
                &format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false"),
            )
            .unwrap();
        let text = agree(&database.dsn(), Kind::DatabaseClosed).await;
        assert!(
            text.contains(name) && text.contains("SQLSTATE 55000"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn no_connection_is_free() {
    for major in MAJORS {
        let few = [
            ("max_connections", "5"),
            ("superuser_reserved_connections", "3"),
            ("max_wal_senders", "0"),
            ("autovacuum", "off"),
        ];
        let server = with_settings(major, &few);
        server
            .execute("postgres", "CREATE ROLE clerk LOGIN PASSWORD 'sesame'")
            .unwrap();
        let own = options(&server.dsn("postgres"));
        let mut held = Vec::new();
        // a backend outlives its client for a moment
        let full = async |held: &mut Vec<_>, most: usize| {
            while held.len() < most {
                match pgdriver::connect(&own).await {
                    Ok(session) => held.push(session),
                    Err(error) => assert_eq!(error.kind(), Kind::TooManyConnections, "{error}"),
                }
            }
        };
        full(&mut held, 2).await;
        let clerk = server.dsn_as("clerk", "sesame", "postgres");
        let text = agree(&clerk, Kind::TooManyConnections).await;
        assert!(text.contains("reserved"), "{text}");
        full(&mut held, 5).await;
        let text = agree(&server.dsn("postgres"), Kind::TooManyConnections).await;
        assert!(text.contains("too many clients"), "{text}");
    }
}

#[tokio::test]
async fn a_server_that_waits_for_its_sessions_to_end() {
    for major in MAJORS {
        let server = with_settings(major, &[]);
        let dsn = server.dsn("postgres");
        let session = pgdriver::connect(&options(&dsn)).await.unwrap();
        let postmaster = Pid::from_raw(i32::try_from(server.pid().unwrap()).unwrap()).unwrap();
        // "smart": nobody new, and those who are there may finish
        kill_process(postmaster, Signal::TERM).unwrap();
        soon("the postmaster has heard of it", || {
            server.log().contains("received smart shutdown request")
        })
        .await;
        agree(&dsn, Kind::ServerStopping).await;
        session.execute("SELECT 1").await.unwrap();
    }
}

/// Ended with the test.
struct Starting(Child);

impl Drop for Starting {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.0);
        let _ = kill_process(pid, Signal::QUIT);
        let _ = self.0.wait();
    }
}

/// It recovers for as long as it looks for more to recover from.
fn start_in_recovery(server: &TempServer, hot_standby: &str) -> Starting {
    let signal = server.data_dir().join("standby.signal");
    std::fs::write(&signal, "").unwrap();
    std::fs::set_permissions(&signal, std::fs::Permissions::from_mode(0o600)).unwrap();
    let account = Account::of_servers().unwrap();
    account.own(&signal).unwrap();
    let mut command = server.install().command("postgres");
    command
        .arg("-D")
        .arg(server.data_dir())
        .args(["-h", "127.0.0.1", "-p", &server.port().to_string()])
        .arg("-k")
        .arg(server.socket_dir())
        .args(["-c", "fsync=off", "-c"])
        .arg(format!("hot_standby={hot_standby}"))
        .current_dir(server.data_dir())
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    account.apply(&mut command);
    Starting(command.spawn().unwrap())
}

#[tokio::test]
async fn a_server_that_recovers() {
    for major in MAJORS {
        let mut server = with_settings(major, &[]);
        server.stop_fast().unwrap();
        let _starting = start_in_recovery(&server, "off");
        let dsn = server.dsn("postgres");
        let mut answers = false;
        for _ in 0..500 {
            let error = pgdriver::connect(&options(&dsn)).await.unwrap_err();
            // until it listens
            answers = error.kind() != Kind::Refused;
            if answers {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(answers);
        let text = agree(&dsn, Kind::ServerStarting).await;
        assert!(text.contains("57P03"), "{text}");
    }
}

#[tokio::test]
async fn every_host_says_why() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = free.local_addr().unwrap().port();
    drop(free);
    let dsn = format!(
        "host=db.invalid,127.0.0.1,localhost port=5432,{silent_port},{closed} user=u password=sesame dbname=x \
         connect_timeout=1"
    );
    let error = pgdriver::connect(&options(&dsn)).await.unwrap_err();
    let text = error.to_string();
    for part in [
        "db.invalid:5432: could not find the address",
        &format!("127.0.0.1:{silent_port}: no answer within 1 s"),
        &format!("localhost:{closed}: "),
        "onnection refused",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(error.kind(), Kind::NoSuchHost, "{text}");
    assert!(!format!("{text} {error:?}").contains("sesame"));

    // a server that answers says more than hosts that do not
    let server = shared(MAJORS[0]);
    let dsn = format!(
        "host=127.0.0.1,{} port={closed},{} user={} password=sesame dbname=postgres",
        server.host(),
        server.port(),
        server.user()
    );
    let text = agree(&dsn, Kind::WrongPassword).await;
    assert!(text.contains(&server.port().to_string()), "{text}");
}

#[tokio::test]
async fn prefer_standby_takes_what_there_is() {
    let server = shared(MAJORS[0]);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = free.local_addr().unwrap().port();
    drop(free);
    for hosts in [
        format!("port={},{closed}", server.port()),
        format!("port={closed},{}", server.port()),
    ] {
        let dsn = format!(
            "host=127.0.0.1,127.0.0.1 {hosts} user={} password={} dbname=postgres \
             target_session_attrs=prefer-standby",
            server.user(),
            server.password()
        );
        pgdriver::connect(&options(&dsn)).await.expect(&dsn);
    }
}

#[tokio::test]
async fn a_socket_in_the_abstract_namespace() {
    let name = format!("@pgdriver-{}", std::process::id());
    let server = with_settings(MAJORS[0], &[("unix_socket_directories", &name)]);
    let dsn = format!(
        "host={name} port={} user={} password={} dbname=postgres",
        server.port(),
        server.user(),
        server.password()
    );
    let session = pgdriver::connect(&options(&dsn)).await.unwrap();
    assert!(!session.is_encrypted());
    let local = session
        .query_text("SELECT inet_client_addr() IS NULL")
        .await
        .unwrap();
    assert_eq!(local, [[Some("t".to_owned())]]);
}

#[tokio::test]
async fn peer_on_a_socket() {
    let hba = "local all all peer\nhost all all 127.0.0.1/32 trust\n".to_owned();
    let temp = TempServer::start_with(
        &install(MAJORS[0]),
        Options {
            hba: Some(hba),
            ..Options::default()
        },
    )
    .unwrap();
    let me = std::process::Command::new("id")
        .arg("-un")
        .output()
        .unwrap();
    let me = String::from_utf8(me.stdout).unwrap().trim().to_owned();
    let base = format!(
        "host={} port={} dbname=postgres",
        temp.socket_dir().display(),
        temp.port()
    );
    let roles = format!("CREATE ROLE \"{me}\" LOGIN; CREATE ROLE \"not {me}\" LOGIN");
    temp.execute("postgres", &roles).unwrap();
    pgdriver::connect(&options(&format!("{base} user={me}")))
        .await
        .unwrap();
    let text = agree(&format!("{base} user='not {me}'"), Kind::LoginRefused).await;
    assert!(text.contains("Peer authentication failed"), "{text}");
}

/// A server of another language: what it says is taken by its SQLSTATE. PostgreSQL translates these itself where it is
/// built and installed so, which few test machines are.
fn foreign(sqlstate: &'static str, message: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut packet = vec![0; 512];
            let read = stream.read(&mut packet).unwrap_or(0);
            if read == 8 {
                // SSLRequest: none here
                let _ = stream.write_all(b"N");
                let _ = stream.read(&mut packet);
            }
            let fields = format!("SFATAL\0VFATAL\0C{sqlstate}\0M{message}\0\0");
            let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
            let _ = stream.write_all(&[b"E", &length[..], fields.as_bytes()].concat());
        }
    });
    port
}

#[tokio::test]
async fn a_server_that_speaks_german() {
    for (sqlstate, message, expected) in [
        (
            "28P01",
            "Passwort-Authentifizierung für Benutzer »x« fehlgeschlagen",
            Kind::WrongPassword,
        ),
        (
            "28000",
            "kein pg_hba.conf-Eintrag für Host »127.0.0.1«, Benutzer »x«, Datenbank »y«, keine Verschlüsselung",
            Kind::NoHbaEntry,
        ),
        ("28000", "Rolle »x« existiert nicht", Kind::LoginRefused),
        (
            "3D000",
            "Datenbank »y« existiert nicht",
            Kind::NoSuchDatabase,
        ),
        (
            "53300",
            "tut mir leid, schon zu viele Verbindungen",
            Kind::TooManyConnections,
        ),
        ("57P03", "das Datenbanksystem startet", Kind::ServerStarting),
        (
            "42501",
            "keine Berechtigung für Datenbank y",
            Kind::NoConnectPrivilege,
        ),
        (
            "55000",
            "Datenbank »y« akzeptiert gegenwärtig keine Verbindungen",
            Kind::DatabaseClosed,
        ),
    ] {
        let port = foreign(sqlstate, message);
        let dsn = format!("host=127.0.0.1 port={port} user=x dbname=y");
        let error = pgdriver::connect(&options(&dsn)).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{error}");
        assert!(error.to_string().contains(message), "{error}");
        // psycopg has no SQLSTATE for this: what cannot be told is not guessed
        let cell = Cell {
            dsn,
            home: "/nonexistent".into(),
            ..Cell::default()
        };
        let theirs = tokio::task::spawn_blocking(move || verdicts(&[cell]));
        let (verdict, words) = theirs.await.unwrap().remove(0);
        let honest = [expected, Kind::Other].map(Verdict::Refused);
        assert!(honest.contains(&verdict), "{verdict:?}: {words}");
    }
}
