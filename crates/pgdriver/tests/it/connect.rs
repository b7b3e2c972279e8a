//! Every sort of failure to connect, and what a session does.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use pgdriver::ConnectErrorKind as Kind;
use xtask::env::Env;
use xtask::servers::{Options, TempServer, shared};

use crate::{MAJORS, databases, options, soon, superuser};

#[track_caller]
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

async fn check(dsn: &str, expected: Kind) -> String {
    let error = pgdriver::connect(&options(dsn)).await.expect_err(dsn);
    assert_eq!(error.kind(), expected, "{dsn}: {error}");
    assert!(error.hint().is_some(), "{error}");
    let text = format!("{error} {error:?}");
    assert!(!text.contains("sesame"), "{text}");
    error.to_string()
}

#[tokio::test]
async fn failures_are_sorted() {
    let server = shared(MAJORS[0]);
    let database = server.database().unwrap();
    let (port, name) = (server.port(), database.name());
    let dsn = |user: &str, password: &str, database: &str| server.dsn_as(user, password, database);

    let text = check(&dsn(server.user(), "sesame", name), Kind::WrongPassword).await;
    assert!(
        text.contains("password authentication failed") && text.contains("28P01"),
        "{text}"
    );
    check(
        &format!(
            "host=127.0.0.1 port={port} user={} dbname={name}",
            server.user()
        ),
        Kind::WrongPassword,
    )
    .await;
    let text = check(
        &dsn(server.user(), server.password(), "nowhere"),
        Kind::NoSuchDatabase,
    )
    .await;
    assert!(
        text.starts_with(&format!(
            "connection to {}@127.0.0.1:{port}/nowhere failed: ",
            server.user()
        )),
        "{text}"
    );
    let text = check(
        &format!(
            "host=127.0.0.1 port={} user=u password=sesame",
            closed_port()
        ),
        Kind::Refused,
    )
    .await;
    assert!(text.contains("Connection refused"), "{text}");
    check("host=/nowhere user=u", Kind::Refused).await;
    check("host=no-such-host.invalid user=u", Kind::NoSuchHost).await;
}

#[tokio::test]
async fn limits_and_privileges() {
    let server = shared(MAJORS[0]);
    let database = server.database().unwrap();
    server
        .create_role("pgdriver_full", "CONNECTION LIMIT 0 PASSWORD 'sesame'")
        .unwrap();
    server
        .create_role("pgdriver_outside", "PASSWORD 'sesame'")
        .unwrap();
    database
        .execute(&format!(
            "REVOKE CONNECT ON DATABASE \"{}\" FROM PUBLIC",
            database.name()
        ))
        .unwrap();
    check(
        &server.dsn_as("pgdriver_full", "sesame", "postgres"),
        Kind::TooManyConnections,
    )
    .await;
    check(
        &server.dsn_as("pgdriver_outside", "sesame", database.name()),
        Kind::NoConnectPrivilege,
    )
    .await;
}

#[tokio::test]
async fn pg_hba_and_a_server_that_goes_down() {
    let install = Env::open().unwrap().postgres(MAJORS[0]).unwrap();
    let hba = "host postgres all 127.0.0.1/32 trust\nlocal all all scram-sha-256\n".to_owned();
    let mut server = TempServer::start_with(
        &install,
        Options {
            hba: Some(hba),
            ..Options::default()
        },
    )
    .unwrap();
    let base = format!("host=127.0.0.1 port={}", server.port());
    check(
        &format!("{base} user=nobody_here dbname=postgres"),
        Kind::NoSuchRole,
    )
    .await;
    check(&format!("{base} user=u dbname=template1"), Kind::NoHbaEntry).await;

    let session = pgdriver::connect(&options(&server.dsn("postgres")))
        .await
        .unwrap();
    server.stop_immediate().unwrap();
    session.closed().await;
    assert!(session.is_closed());
    assert!(
        session
            .execute("SELECT 1")
            .await
            .unwrap_err()
            .is_connection_lost()
    );
}

#[tokio::test]
async fn silence_is_a_timeout_and_http_is_not_postgres() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dsn = format!(
        "host=127.0.0.1 port={} user=u connect_timeout=1",
        silent.local_addr().unwrap().port()
    );
    let started = Instant::now();
    for mode in ["disable", "require"] {
        check(&format!("{dsn} sslmode={mode}"), Kind::Timeout).await;
    }
    assert!(started.elapsed() < Duration::from_secs(5));

    let http = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = http.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in http.incoming().take(4) {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    check(
        &format!("host=127.0.0.1 port={port} user=u"),
        Kind::NotPostgres,
    )
    .await;
    check(
        &format!("host=127.0.0.1 port={port} user=u sslmode=disable"),
        Kind::NotPostgres,
    )
    .await;
}

#[tokio::test]
async fn sessions_open_by_tcp_and_socket_and_close() {
    for database in databases() {
        let server = database.server();
        let socket = format!(
            "host={} port={} user={} password={} dbname={}",
            server.socket_dir().display(),
            server.port(),
            server.user(),
            server.password(),
            database.name()
        );
        // libpq ignores sslmode on a socket
        for dsn in [database.dsn(), format!("{socket} sslmode=verify-full")] {
            let session = pgdriver::connect(&options(&dsn)).await.expect(&dsn);
            let answer = session
                .query_text("SELECT pg_backend_pid(), NULL")
                .await
                .unwrap();
            assert_eq!(answer, [[Some(session.pid().to_string()), None]]);
            assert!(!session.behind_pooler() && !session.is_encrypted() && !session.is_closed());
            assert!(
                session
                    .server_version()
                    .unwrap()
                    .starts_with(&server.major().to_string())
            );
            let pid = session.pid();
            session.close().await;
            soon("the backend is gone", || {
                let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
                database.scalar(&sql).unwrap() == "0"
            })
            .await;
        }
    }
}

#[tokio::test]
async fn options_reach_the_server() {
    let database = shared(MAJORS[0]).database().unwrap();
    let dsn = format!(
        "{}?options=-c%20lock_timeout%3D1234ms&application_name=a%20b",
        database.dsn()
    );
    let session = pgdriver::connect(&options(&dsn)).await.unwrap();
    assert_eq!(
        session.show("lock_timeout").await.unwrap().as_deref(),
        Some("1234ms")
    );
    assert_eq!(
        session.show("application_name").await.unwrap().as_deref(),
        Some("a b")
    );
    assert_eq!(session.show("no_such_setting").await.unwrap(), None);
}

#[tokio::test]
async fn several_hosts_and_what_they_must_be() {
    let server = shared(MAJORS[0]);
    let base = format!(
        "user={} password={} dbname=postgres",
        server.user(),
        server.password()
    );
    let hosts = format!(
        "{base} host=127.0.0.1,127.0.0.1 port={},{}",
        closed_port(),
        server.port()
    );
    assert!(pgdriver::connect(&options(&hosts)).await.is_ok());
    for (wanted, fits) in [
        ("any", true),
        ("read-write", true),
        ("primary", true),
        ("prefer-standby", true),
        ("standby", false),
        ("read-only", false),
    ] {
        let result =
            pgdriver::connect(&options(&format!("{hosts} target_session_attrs={wanted}"))).await;
        match result {
            Ok(_) => assert!(fits, "{wanted}"),
            Err(error) => {
                assert!(!fits, "{wanted}: {error}");
                assert_eq!(error.kind(), Kind::WrongSessionAttrs, "{error}");
            }
        }
    }
}

#[tokio::test]
async fn an_observer_only_looks() {
    for database in databases() {
        let observer = crate::observer(&database).await;
        let error = observer.execute("CREATE TABLE t ()").await.unwrap_err();
        assert_eq!(error.sqlstate(), Some("25006"), "{error}");
        assert!(
            error.to_string().contains("read-only transaction"),
            "{error}"
        );
        let started = Instant::now();
        assert!(
            observer
                .execute("SELECT pg_sleep(30)")
                .await
                .unwrap_err()
                .is_cancelled()
        );
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn a_statement_can_be_cancelled_from_elsewhere() {
    let database = shared(MAJORS[0]).database().unwrap();
    let session = superuser(&database).await;
    let token = session.cancel_token();
    let (asleep, woken) = tokio::join!(session.execute("SELECT pg_sleep(30)"), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        token.cancel().await
    });
    woken.unwrap();
    let error = asleep.unwrap_err();
    assert!(
        error.is_cancelled() && !error.is_connection_lost() && !error.is_lock_timeout(),
        "{error}"
    );
    session.execute("SELECT 1").await.unwrap();
}
