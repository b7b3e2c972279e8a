//! A thousand sessions: the screen stays calm, and the server hardly feels it. Slow: a thousand server processes.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::people::{DBA, dsn, fill, person};
use super::screen::{cli_as, picture, press, quit, shows};
use crate::support::{Env, Options, TempServer};

#[test]
#[ignore = "slow"]
fn a_thousand_sessions_stay_calm() {
    let options = Options {
        settings: vec![("max_connections".to_owned(), "1100".to_owned())],
        ..Options::default()
    };
    let install = Env::open()
        .and_then(|env| env.postgres(15))
        .expect("PostgreSQL 15");
    let server = TempServer::start_with(&install, options).expect("a server");
    let database = server.named_database("crowd").expect("a database");
    fill(&database);
    let _crowd = crowd(&database.dsn(), 1000, "");
    let mut terminal = cli_as(&dsn(&database, DBA)).tty_of(150, 40);
    shows(&terminal, &["1,000 sessions", "nobody waits for a lock"]);
    let (share, bytes) = over(Duration::from_secs(10), &database, &terminal);
    assert!(
        share <= 0.02,
        "the observer's backend took {:.1} % of a core",
        share * 100.0
    );
    // only what differs is written: a clock, a few numbers
    assert!(
        bytes < 100_000,
        "{bytes} bytes in 10 s while nothing happened"
    );
    let holder = person(&database, "report", "BEGIN; SELECT price FROM item", "");
    let ddl = person(
        &database,
        "deploy",
        "",
        "ALTER TABLE item ADD COLUMN note text",
    );
    let begun = Instant::now();
    let readers: Vec<_> = (0..40)
        .map(|_| person(&database, "web", "", "SELECT count(*) FROM item"))
        .collect();
    shows(
        &terminal,
        &["41 wait for 1 root", &format!("└ {} ", ddl.pid)],
    );
    assert!(begun.elapsed() < Duration::from_secs(60));
    picture(&terminal, "crowd");
    let page = "\x1b[6~";
    press(&mut terminal, page, &["of 43"]);
    press(&mut terminal, "g", &[&format!("backend {}, ", holder.pid)]);
    quit(&mut terminal);
    drop(readers);
}

/// Each of them waits for all before it, 20,000 edges: the screen answers to keys, and one pid frees them all.
#[test]
#[ignore = "slow"]
fn two_hundred_that_wait_for_one_row() {
    let options = Options {
        settings: vec![("max_connections".to_owned(), "400".to_owned())],
        ..Options::default()
    };
    let install = Env::open()
        .and_then(|env| env.postgres(15))
        .expect("PostgreSQL 15");
    let server = TempServer::start_with(&install, options).expect("a server");
    let database = server.named_database("row").expect("a database");
    fill(&database);
    let update = "UPDATE item SET price = price + 1 WHERE id = 1";
    let holder = person(&database, "report", &format!("BEGIN; {update}"), "");
    let mut terminal = cli_as(&dsn(&database, DBA)).tty_of(150, 40);
    shows(&terminal, &["nobody waits for a lock"]);
    let _crowd = crowd(&database.dsn(), 200, update);
    shows(&terminal, &["200 wait for 1 root", "report"]);
    picture(&terminal, "row");
    press(&mut terminal, "G", &["202 of 202"]);
    press(&mut terminal, "g", &["backend"]);
    press(&mut terminal, "t", &["200 sessions wait for it"]);
    terminal.type_line(&holder.pid.to_string());
    shows(&terminal, &["done, it is gone"]);
    quit(&mut terminal);
}

/// The backend's processor time as a share of a core, and what the screen wrote.
fn over(
    time: Duration,
    database: &crate::support::Database,
    terminal: &crate::support::Terminal,
) -> (f64, usize) {
    let pid = database
        .scalar("SELECT pid FROM pg_stat_activity WHERE application_name = 'django-migrate'")
        .expect("the observer");
    let (ticks, written, begun) = (ticks(&pid), terminal.raw().len(), Instant::now());
    std::thread::sleep(time);
    let seconds = (self::ticks(&pid) - ticks) as f64 / 100.0;
    (
        seconds / begun.elapsed().as_secs_f64(),
        terminal.raw().len() - written,
    )
}

/// Linux counts them in hundredths of a second, for user and system.
fn ticks(pid: &str) -> u64 {
    let stat =
        std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a backend on this machine");
    let (_, rest) = stat.rsplit_once(") ").expect("a name in brackets");
    let fields: Vec<&str> = rest.split(' ').collect();
    [11, 12]
        .map(|at| fields[at].parse::<u64>().expect("a number"))
        .iter()
        .sum()
}

/// So many sessions, until the value is dropped: idle, or all at this statement.
fn crowd(dsn: &str, sessions: usize, statement: &str) -> mpsc::Sender<()> {
    let (tell, told) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let (dsn, statement) = (dsn.to_owned(), statement.to_owned());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let mut clients = Vec::new();
            for _ in 0..sessions {
                let connected = tokio_postgres::connect(&dsn, tokio_postgres::NoTls).await;
                let (client, connection) = connected.expect("a session");
                tokio::spawn(connection);
                clients.push(client);
            }
            if !statement.is_empty() {
                let all = clients.into_iter().map(|client| {
                    let statement = statement.clone();
                    // it is ended at some time
                    tokio::spawn(async move { drop(client.batch_execute(&statement).await) })
                });
                let all: Vec<_> = all.collect();
                // each has sent its statement once all have had their turn
                tokio::time::sleep(Duration::from_secs(2)).await;
                tell.send(()).expect("somebody who listens");
                while ended.try_recv() == Err(mpsc::TryRecvError::Empty) {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                all.iter().for_each(tokio::task::JoinHandle::abort);
                return;
            }
            tell.send(()).expect("somebody who listens");
            // nobody asks them anything: their connections need not be driven
            let _ = ended.recv();
        });
    });
    told.recv_timeout(Duration::from_secs(120))
        .expect("a crowd");
    end
}
