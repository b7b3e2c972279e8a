//! A thousand sessions are one screen. Slow: a thousand server processes.

use std::sync::mpsc;
use std::time::Duration;

use super::scene::{cli, fill, leave, look, waits};
use crate::support::{Env, Options, TempServer};

#[test]
#[ignore = "slow"]
fn a_thousand_sessions_are_one_screen() {
    let options = Options {
        settings: vec![("max_connections".to_owned(), "1100".to_owned())],
        hba: Some("local all all trust\nhost all all all trust\n".to_owned()),
        ..Options::default()
    };
    let install = Env::open()
        .expect("an environment")
        .postgres(18)
        .expect("PostgreSQL 18");
    let server = TempServer::start_with(&install, options).expect("a server");
    let database = server.named_database("crowd").expect("a database");
    fill(&database);
    let _crowd = crowd(&database.dsn(), 1000);
    let holder = leave(&database, "report", "BEGIN; SELECT price FROM item", "");
    let ddl = leave(
        &database,
        "deploy",
        "",
        "ALTER TABLE item ADD COLUMN note text",
    );
    waits(&database, &ddl);
    let readers: Vec<_> = (0..30)
        .map(|_| leave(&database, "web", "", "SELECT count(*) FROM item"))
        .collect();
    readers.iter().for_each(|reader| waits(&database, reader));
    let ran = cli(&database).run().expect(0);
    assert!(
        ran.stdout.lines().count() <= 50,
        "{} lines:\n{}",
        ran.stdout.lines().count(),
        ran.stdout
    );
    assert!(
        ran.stdout.contains("1,033 sessions") || ran.stdout.contains("1,032 sessions"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("31 wait for 1 root"), "{}", ran.stdout);
    assert!(
        ran.stdout
            .contains(&format!("SELECT pg_terminate_backend({});", holder.pid)),
        "{}",
        ran.stdout
    );
    let seen = look(&cli(&database));
    assert_eq!(seen["blocking"].as_array().map(Vec::len), Some(31));
    assert!(
        seen["sessions"]
            .as_array()
            .is_some_and(|sessions| sessions.len() >= 1032)
    );
}

/// So many idle sessions, until the value is dropped.
fn crowd(dsn: &str, sessions: usize) -> mpsc::Sender<()> {
    let (tell, told) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let dsn = dsn.to_owned();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut clients = Vec::new();
            for _ in 0..sessions {
                let (client, connection) = tokio_postgres::connect(&dsn, tokio_postgres::NoTls)
                    .await
                    .expect("a session");
                tokio::spawn(connection);
                clients.push(client);
            }
            tell.send(()).expect("somebody who listens");
            let _ = ended.recv();
        });
    });
    told.recv_timeout(Duration::from_secs(300))
        .expect("a crowd");
    end
}
