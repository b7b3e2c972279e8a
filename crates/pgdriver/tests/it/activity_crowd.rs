//! What an observer costs among many sessions, and how soon it sees a wait. Slow: a thousand server processes.

#![expect(clippy::print_stdout, reason = "the figures are for whoever looks")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use pgdriver::Session;
use pgdriver::activity::locks::{LockMode, Wanted, in_the_way, queue_behind};
use pgdriver::activity::{self, Extent, SessionKind};
use pgdriver::catalog::RelationName;
use xtask::env::Env;
use xtask::servers::{Database, Options, TempServer};

use crate::{PLAIN, options, superuser};

const INTERVAL: Duration = Duration::from_millis(50);
const SLACK: Duration = Duration::from_millis(10);
/// Each session of the crowd holds so many locks.
const LOCKS: usize = 20;

/// A server that takes a thousand sessions, and does not make each prove a password.
fn wide(major: u32) -> TempServer {
    let options = Options {
        settings: vec![("max_connections".to_owned(), "1100".to_owned())],
        hba: Some("local all all trust\nhost all all all trust\n".to_owned()),
        ..Options::default()
    };
    TempServer::start_with(&Env::open().unwrap().postgres(major).unwrap(), options).unwrap()
}

fn tables(database: &Database) {
    let mut sql = String::new();
    for n in 0..LOCKS {
        write!(sql, "CREATE TABLE t{n} (id int);").unwrap();
    }
    database.execute(&sql).unwrap();
}

/// Sessions in a transaction, each with its locks.
async fn join(database: &Database, crowd: &mut Vec<Session>, many: usize) {
    let names: Vec<String> = (0..LOCKS).map(|n| format!("t{n}")).collect();
    let sql = format!(
        "BEGIN; LOCK TABLE {} IN ACCESS SHARE MODE",
        names.join(", ")
    );
    while crowd.len() < many {
        let session = superuser(database).await;
        session.execute(&sql).await.unwrap();
        crowd.push(session);
    }
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The median of some rounds.
async fn median<F: Future>(rounds: usize, mut work: impl FnMut() -> F) -> Duration {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        work().await;
        times.push(begun.elapsed());
    }
    middle(times)
}

/// What the kernel has counted for a process, user and system: fields 14 and 15, in hundredths of a second.
fn cpu(pid: i32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let field = |at: usize| -> u64 { after_name.split(' ').nth(at).unwrap().parse().unwrap() };
    Duration::from_millis(10 * (field(11) + field(12)))
}

/// How soon a wait is seen at worst: it begins right after a look.
async fn seen_after(database: &Database, observer: &Session) -> Vec<Duration> {
    let holder = superuser(database).await;
    database.execute("CREATE TABLE own (id int)").unwrap();
    holder.execute("BEGIN; LOCK TABLE own").await.unwrap();
    let mut times = Vec::new();
    for _ in 0..50 {
        let waiter = superuser(database).await;
        let (pid, cancel) = (waiter.pid(), waiter.cancel_token());
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.tick().await;
        assert!(!activity::is_blocked(observer, pid).await.unwrap());
        let begun = Instant::now();
        let running = tokio::spawn(async move { waiter.execute("SELECT * FROM own").await });
        loop {
            ticks.tick().await;
            if activity::is_blocked(observer, pid).await.unwrap() {
                break;
            }
        }
        times.push(begun.elapsed());
        cancel.cancel().await.unwrap();
        assert!(running.await.unwrap().unwrap_err().is_cancelled());
    }
    times.sort_unstable();
    times
}

#[tokio::test]
#[ignore = "slow: a thousand sessions take a minute (cargo xtask test --all)"]
async fn heavy_an_observer_among_a_thousand_sessions() {
    for major in crate::MAJORS {
        let server = wide(major);
        let database = server.database().unwrap();
        tables(&database);
        let observer = pgdriver::connect_observer(&options(&database.dsn()))
            .await
            .unwrap();
        let mut crowd = Vec::new();
        println!("PostgreSQL {major}, {LOCKS} locks each; medians in ms");
        println!(
            "| sessions | own wait | its state | queue behind | in the way | wait graph | sessions |"
        );
        let dsn = server.dsn_as(PLAIN, "", database.name());
        database
            .execute(&format!("CREATE ROLE {PLAIN} LOGIN"))
            .unwrap();
        let plain = pgdriver::connect_observer(&options(&dsn)).await.unwrap();
        for many in [10, 100, 500, 1000] {
            join(&database, &mut crowd, many).await;
            costs(&observer, &crowd, "").await;
            costs(&plain, &crowd, " (plain role)").await;
        }

        let times = seen_after(&database, &observer).await;
        let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
        println!(
            "own wait seen after {median:.1?}, at worst {worst:.1?}, of {}",
            times.len()
        );
        assert!(median <= INTERVAL + SLACK, "{times:?}");

        let used = idle(&observer, crowd[0].pid()).await;
        println!(
            "backend CPU while nothing waits: {:.2} % of a core",
            used * 100.0
        );
        assert!(used <= 0.02, "{used}");
    }
}

async fn costs(observer: &Session, crowd: &[Session], who: &str) {
    let (many, pid) = (crowd.len(), crowd[0].pid());
    let wanted: Vec<Wanted> = (0..5)
        .map(|n| Wanted {
            relation: RelationName::parse(&format!("t{n}")),
            mode: LockMode::ShareUpdateExclusive,
        })
        .collect();
    let own = median(50, || activity::is_blocked(observer, pid)).await;
    let state = median(50, || activity::wait_of(observer, pid)).await;
    let queue = median(20, || async {
        queue_behind(observer, pid, 100).await.unwrap()
    })
    .await;
    let way = median(20, || async {
        assert_eq!(in_the_way(observer, &wanted, &[]).await.unwrap(), []);
    })
    .await;
    let graph = median(20, || async {
        activity::wait_graph(observer).await.unwrap()
    })
    .await;
    let sessions = median(20, || async {
        let all = activity::sessions(observer).await.unwrap();
        let clients = all
            .iter()
            .filter(|one| matches!(one.kind(), SessionKind::Client | SessionKind::Unknown));
        assert!(clients.count() >= many);
    })
    .await;
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "| {many}{who} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} |",
        ms(own),
        ms(state),
        ms(queue),
        ms(way),
        ms(graph),
        ms(sessions)
    );
}

/// The share of a core that the observer's server process uses while it looks at one session in every interval, counts
/// those behind it now and then, and nothing waits.
async fn idle(observer: &Session, pid: i32) -> f64 {
    let (begun, before) = (Instant::now(), cpu(observer.pid()));
    let mut ticks = tokio::time::interval(INTERVAL);
    for look in 0..300 {
        ticks.tick().await;
        assert!(!activity::is_blocked(observer, pid).await.unwrap());
        if look % 6 == 0 {
            queue_behind(observer, pid, 100).await.unwrap();
        }
    }
    (cpu(observer.pid()) - before).as_secs_f64() / begun.elapsed().as_secs_f64()
}

/// Half a million edges, if all were asked: an observer must answer well before its statement_timeout of 2 s.
#[tokio::test]
#[ignore = "slow: a thousand sessions take a minute (cargo xtask test --all)"]
async fn heavy_a_crowd_that_waits_for_one_row() {
    const CROWD: u64 = 950;
    let server = wide(15);
    let database = server.database().unwrap();
    let setup = "CREATE TABLE item (id int); INSERT INTO item VALUES (1)";
    database.execute(setup).unwrap();
    let observer = pgdriver::connect_observer(&options(&database.dsn()))
        .await
        .unwrap();
    let holder = superuser(&database).await;
    let update = "UPDATE item SET id = id";
    holder.execute(&format!("BEGIN; {update}")).await.unwrap();
    let mut running = Vec::new();
    for _ in 0..CROWD {
        let waiter = superuser(&database).await;
        running.push(tokio::spawn(async move { waiter.execute(update).await }));
    }
    let begun = Instant::now();
    let graph = loop {
        let looked = Instant::now();
        let graph = activity::wait_graph(&observer).await.unwrap();
        println!("{:?}: {:.0?}", graph.extent, looked.elapsed());
        if graph.extent == (Extent::Longest { waiting: CROWD }) {
            break graph;
        }
        assert!(begun.elapsed() < Duration::from_secs(120));
        tokio::time::sleep(INTERVAL).await;
    };
    let causes = graph.causes();
    assert_eq!(causes.len(), 1, "{causes:?}");
    assert_eq!(causes[0].pid, holder.pid());
    let shown = graph.waiters();
    assert!((200..=300).contains(&shown.len()), "{}", shown.len());
    assert!(shown.iter().all(|pid| graph.roots(*pid) == [holder.pid()]));
    holder.execute("ROLLBACK").await.unwrap();
    running.into_iter().for_each(|one| one.abort());
}
