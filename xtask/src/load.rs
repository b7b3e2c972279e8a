//! Clients that use a table while something else happens to it, and what they suffer from it.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use std::time::Duration;
//! use xtask::{load::{Clients, Load}, servers::shared};
//! let database = shared(15).database()?;
//! database.execute("CREATE TABLE t AS SELECT 1 AS n")?;
//! let clients = Clients::start(&database.dsn(), 20, Load::reads("SELECT n FROM t"))?;
//! database.execute("BEGIN; LOCK TABLE t; SELECT pg_sleep(1); COMMIT")?;
//! let suffered = clients.stop()?;
//! assert!(suffered.worst() > Duration::from_millis(900));
//! # Ok(()) }
//! ```
//!
//! All of them live on one thread of their own, in one runtime: a thousand idle ones cost next to nothing. Absent here:
//! judgement, and any statement that writes.

mod suffered;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio_postgres::{Client, NoTls};

pub use self::suffered::{Answered, Suffered, USUAL};

/// How long clients may take to connect, and to get their last answers once they are told to stop.
const PATIENCE: Duration = Duration::from_secs(120);

const NAME: &str = "SET application_name = 'load'";

/// What every client does, again and again.
#[derive(Debug, Clone)]
pub struct Load {
    /// Before anything else; all clients have done it when they start.
    setup: String,
    sql: String,
    pause: Duration,
    own: Duration,
    offset: fn(usize) -> Duration,
}

impl Load {
    /// A short read, 20 ms after the answer to the one before.
    pub fn reads(sql: &str) -> Self {
        Self {
            setup: NAME.to_owned(),
            sql: sql.to_owned(),
            pause: Duration::from_millis(20),
            own: Duration::ZERO,
            offset: |client| Duration::from_millis(client as u64 % 20),
        }
    }

    /// A transaction that reads and then stays for `hold`, one after the other without a pause. Each client begins at
    /// another moment, so that they overlap: the same ones each time.
    pub fn long_reads(sql: &str, hold: Duration) -> Self {
        let seconds = hold.as_secs_f64();
        Self {
            setup: NAME.to_owned(),
            sql: format!("BEGIN; {sql}; SELECT pg_sleep({seconds}); COMMIT"),
            pause: Duration::ZERO,
            own: hold,
            offset: scattered,
        }
    }

    /// A session that does nothing more, after this.
    pub fn idle(sql: &str) -> Self {
        Self {
            setup: format!("{NAME}; {sql}"),
            offset: |_| Duration::MAX,
            ..Self::reads("")
        }
    }
}

/// Within two seconds, as far apart as dice would throw them (a linear congruential generator).
fn scattered(client: usize) -> Duration {
    let dice = (0..=client).fold(12_345_u64, |state, _| {
        (state * 1_103_515_245 + 12_345) % (1 << 31)
    });
    Duration::from_millis((dice >> 12) % 2000)
}

/// Clients at work. Dropped without [`Clients::stop`], they stop on their own.
#[derive(Debug)]
pub struct Clients {
    state: Arc<State>,
    worker: Option<JoinHandle<Result<Suffered>>>,
}

#[derive(Debug, Default)]
struct State {
    connected: AtomicUsize,
    failed: AtomicBool,
    stop: AtomicBool,
}

impl Clients {
    /// Connects so many clients, and returns once they are at work.
    ///
    /// # Errors
    /// When one cannot connect.
    pub fn start(dsn: &str, count: usize, load: Load) -> Result<Self> {
        let state = Arc::new(State::default());
        let (dsn, shared) = (dsn.to_owned(), Arc::clone(&state));
        let worker = std::thread::Builder::new()
            .name("clients".to_owned())
            .spawn(move || {
                let done = work(&dsn, count, &load, &shared);
                shared.failed.store(done.is_err(), Ordering::Release);
                done
            })?;
        let clients = Self {
            state,
            worker: Some(worker),
        };
        let begun = Instant::now();
        while clients.state.connected.load(Ordering::Acquire) < count {
            if clients.state.failed.load(Ordering::Acquire) || begun.elapsed() > PATIENCE {
                clients.stop()?;
                bail!("{count} clients did not connect within {PATIENCE:?}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(clients)
    }

    /// Lets each get the answer that it waits for, and says what they suffered.
    ///
    /// # Errors
    /// When one of them failed, or got no answer for long.
    pub fn stop(mut self) -> Result<Suffered> {
        self.state.stop.store(true, Ordering::Release);
        let worker = self.worker.take().context("they were stopped before")?;
        match worker.join() {
            Ok(suffered) => suffered,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Release);
    }
}

fn work(dsn: &str, count: usize, load: &Load, state: &Arc<State>) -> Result<Suffered> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for number in 0..count {
            let client = connect(dsn, &load.setup).await?;
            state.connected.fetch_add(1, Ordering::AcqRel);
            tasks.push(tokio::spawn(one(
                number,
                client,
                load.clone(),
                Arc::clone(state),
            )));
        }
        let mut answers = Vec::new();
        for task in tasks {
            answers.extend(task.await??);
        }
        Ok(Suffered::new(count, answers))
    })
}

async fn connect(dsn: &str, setup: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(dsn, NoTls)
        .await
        .context("a client cannot connect")?;
    tokio::spawn(connection);
    client
        .batch_execute(setup)
        .await
        .with_context(|| setup.to_owned())?;
    Ok(client)
}

async fn one(
    number: usize,
    client: Client,
    load: Load,
    state: Arc<State>,
) -> Result<Vec<Answered>> {
    let mut answers = Vec::new();
    rest((load.offset)(number), &state).await;
    while !state.stop.load(Ordering::Acquire) {
        let sent = Instant::now();
        answer(&client, &load.sql, &state).await?;
        answers.push(Answered {
            client: number,
            sent,
            late: sent.elapsed().saturating_sub(load.own),
        });
        rest(load.pause, &state).await;
    }
    Ok(answers)
}

/// Sends it and waits for the answer; not for ever once they are told to stop.
async fn answer(client: &Client, sql: &str, state: &State) -> Result<()> {
    let late = async {
        while !state.stop.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        done = client.simple_query(sql) => {
            done.with_context(|| sql.to_owned())?;
            Ok(())
        }
        () = late => bail!("a client got no answer within {PATIENCE:?}: {sql}"),
    }
}

/// Pauses, in pieces where the pause is long, so that a stop is heard.
async fn rest(pause: Duration, state: &State) {
    const PIECE: Duration = Duration::from_millis(50);
    let begun = Instant::now();
    while begun.elapsed() < pause && !state.stop.load(Ordering::Acquire) {
        tokio::time::sleep(PIECE.min(pause.saturating_sub(begun.elapsed()))).await;
    }
}
