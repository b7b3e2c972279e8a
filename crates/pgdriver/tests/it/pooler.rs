//! Something in between that makes up the cancel key's pid, as PgBouncer does: here, a proxy that changes it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use pgdriver::advisory::{self, Attempt, LockKey};
use pgdriver::{ConnectOptions, server};
use xtask::servers::Database;

use crate::{databases, observer, options, soon, superuser};

/// BackendKeyData: `K`, a length of 12, pid, key.
const KEY_DATA: [u8; 5] = [b'K', 0, 0, 0, 12];

fn proxy(to: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let (mut client_in, mut server_out) =
                (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut client_in, &mut server_out);
                let _ = server_out.shutdown(std::net::Shutdown::Write);
            });
            std::thread::spawn(move || forward_with_another_pid(server, client));
        }
    });
    port
}

fn forward_with_another_pid(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 65536];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let bytes = &mut buffer[..length];
        if let Some(at) = bytes
            .windows(KEY_DATA.len())
            .position(|window| window == KEY_DATA)
        {
            bytes[at + 5] ^= 0x40;
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn through(database: &Database) -> ConnectOptions {
    let server = database.server();
    options(&format!(
        "host=127.0.0.1 port={} user={} password={} dbname={} sslmode=disable",
        proxy(server.port()),
        server.user(),
        server.password(),
        database.name()
    ))
}

#[tokio::test]
async fn an_observer_leaves_no_settings_behind_a_pooler() {
    for database in databases() {
        let session = pgdriver::connect_observer(&through(&database))
            .await
            .unwrap();
        assert!(session.behind_pooler());
        let facts = server::facts(&session).await.unwrap();
        assert!(facts.behind_pooler);
        // what another client of the pooler would find in this server process
        let left = session
            .query_text("SELECT current_setting('lock_timeout')")
            .await
            .unwrap();
        assert_eq!(left[0][0].as_deref(), Some("0"));
        // and each query has them nevertheless
        assert_eq!(
            session.show("lock_timeout").await.unwrap().as_deref(),
            Some("100ms")
        );
        assert_eq!(
            session
                .show("transaction_read_only")
                .await
                .unwrap()
                .as_deref(),
            Some("on")
        );
    }
}

#[tokio::test]
async fn the_lock_is_kept_by_a_transaction() {
    for database in databases() {
        let session = pgdriver::connect(&through(&database)).await.unwrap();
        let key = LockKey::MIGRATIONS;
        let Attempt::Acquired(lock) = advisory::try_acquire(session, key, "run 1").await.unwrap()
        else {
            panic!("nobody else is here");
        };
        assert!(lock.is_held().await.unwrap());
        let state = format!(
            "SELECT state, backend_xmin IS NULL FROM pg_stat_activity WHERE pid = {}",
            lock.pid()
        );
        soon("the transaction is idle", || {
            database.query(&state).unwrap() == [["idle in transaction", "t"]]
        })
        .await;
        // a snapshot would make this wait for the lock's transaction
        database.execute("CREATE TABLE item (id int)").unwrap();
        let indexer = superuser(&database).await;
        indexer
            .execute("SET statement_timeout = '5s'")
            .await
            .unwrap();
        indexer
            .execute("CREATE INDEX CONCURRENTLY ON item (id)")
            .await
            .unwrap();
        let other = observer(&database).await;
        assert_eq!(
            advisory::holder(&other, key)
                .await
                .unwrap()
                .unwrap()
                .application
                .as_deref(),
            Some("run 1")
        );
        let second = pgdriver::connect(&through(&database)).await.unwrap();
        let Attempt::Busy { session, .. } =
            advisory::try_acquire(second, key, "run 2").await.unwrap()
        else {
            panic!("two hold one lock");
        };
        // its transaction is over
        let answer = session
            .query_text("SELECT current_setting('application_name')")
            .await
            .unwrap();
        assert_eq!(answer[0][0].as_deref(), Some(""));
        lock.release().await.unwrap();
        assert_eq!(advisory::holder(&other, key).await.unwrap(), None);
    }
}
