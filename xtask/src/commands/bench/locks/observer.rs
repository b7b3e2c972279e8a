//! What the guard's own looks cost a server with a thousand sessions, each with twenty locks, and how soon it sees that
//! it waits. Linux: the kernel says what each server process has used.
//!
//! Seen is how long the server says that the wait had lasted when the guard asked for it; told is when the line came that
//! names the blockers.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use postgres::{Client, NoTls};
use xtask::load::{Clients, Load};

use super::super::Promise;
use super::Outcome;
use super::queue::ADD_COLUMN;
use super::stage::{Side, Site, Stage};
use super::watched::Watched;

const SESSIONS: usize = 1000;
const LOCKS: usize = 20;
/// The guard looks at its own wait every 50 ms; 10 more are allowed.
const SEEN_WITHIN: f64 = 60.0;
const WAITS: usize = 9;
const QUIET: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);

const OBSERVERS: &str = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'django-migrate%' \
                         AND datname = current_database() AND query NOT LIKE '%pg_sleep%'";
const ASLEEP: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' \
                      AND datname = current_database()";
const WAITS_SINCE: &str =
    "SELECT (extract(epoch FROM min(waitstart)) * 1000)::float8 FROM pg_locks WHERE NOT granted";

pub(super) fn play(stage: &Stage) -> Result<Outcome> {
    let site = stage.site(&operations())?;
    site.database.execute(&tables())?;
    let crowd = Clients::start(&site.database.dsn(), SESSIONS, Load::idle(&locks()))?;
    let mut holders = Vec::new();
    for wait in 0..WAITS {
        let mut client = Client::connect(&site.database.dsn(), NoTls)?;
        client.batch_execute(&format!("BEGIN; LOCK TABLE wait_{wait}"))?;
        holders.push(client);
    }
    let mut watched = Watched::blind(&site, Side::Guard, &[])?;
    let waits = waits(&mut watched, holders, &site)?;
    let share = quiet(&site)?;
    watched.until_end()?.expect(0)?;
    crowd.stop()?;
    let worst = waits.iter().map(|wait| wait.seen).fold(0.0, f64::max);
    let all = |field: fn(&Wait) -> f64| -> String {
        let all: Vec<String> = waits
            .iter()
            .map(|wait| format!("{:.0}", field(wait)))
            .collect();
        all.join(", ")
    };
    Ok(Outcome {
        rows: Vec::new(),
        promises: vec![
            Promise::at_most(
                "observer: own wait seen, ms after it began",
                worst,
                SEEN_WITHIN,
            ),
            Promise::at_most(
                "observer: CPU of its server processes while nothing waits, % of a core",
                share,
                2.0,
            ),
        ],
        notes: vec![format!(
            "{SESSIONS} sessions with {LOCKS} locks each; {WAITS} waits seen after {} ms, and told after {}",
            all(|wait| wait.seen),
            all(|wait| wait.told)
        )],
    })
}

/// In milliseconds from its beginning.
struct Wait {
    seen: f64,
    told: f64,
}

/// Statements that wait where nobody can foresee it; then one that keeps its locks and runs for long.
fn operations() -> String {
    let waits: String = (0..WAITS)
        .map(|n| format!("migrations.RunSQL('DO $$ BEGIN LOCK TABLE wait_{n}; END $$'), "))
        .collect();
    let seconds = QUIET.as_secs() + 3;
    format!("{waits}{ADD_COLUMN}, migrations.RunSQL('SELECT pg_sleep({seconds})')")
}

fn tables() -> String {
    let kept = (0..LOCKS).map(|n| format!("CREATE TABLE kept_{n} (id int);"));
    let awaited = (0..WAITS).map(|n| format!("CREATE TABLE wait_{n} (id int);"));
    kept.chain(awaited).collect()
}

fn locks() -> String {
    let names: Vec<String> = (0..LOCKS).map(|n| format!("kept_{n}")).collect();
    format!(
        "BEGIN; LOCK TABLE {} IN ACCESS SHARE MODE",
        names.join(", ")
    )
}

/// Each wait in turn.
fn waits(watched: &mut Watched, holders: Vec<Client>, site: &Site) -> Result<Vec<Wait>> {
    let mut eyes = Client::connect(&site.database.dsn(), NoTls)?;
    let mut seen = Vec::new();
    for (wait, mut holder) in holders.into_iter().enumerate() {
        let relation = format!("public.wait_{wait}");
        let line = watched.wait_for(|line| {
            line["kind"] == "lock_waiting"
                && line["relation"] == *relation
                && line["place"] == "in_queue"
        })?;
        let at: jiff::Timestamp = line["at"].as_str().context("a moment")?.parse()?;
        let began: Option<f64> = eyes.query_one(WAITS_SINCE, &[])?.get(0);
        let began = began.with_context(|| format!("nobody waits for {relation} any more"))?;
        let told = at.as_duration().as_secs_f64() * 1000.0;
        seen.push(Wait {
            seen: line["waited_ms"].as_f64().context("how long it waited")?,
            told: told - began,
        });
        holder.batch_execute("COMMIT")?;
    }
    Ok(seen)
}

/// What the run's observers used of a core while its statement sleeps with its locks, in percent.
fn quiet(site: &Site) -> Result<f64> {
    let begun = Instant::now();
    while site.database.scalar(ASLEEP)? == "0" {
        ensure!(begun.elapsed() < PATIENCE, "the last statement never ran");
        std::thread::sleep(Duration::from_millis(100));
    }
    let observers: Vec<String> = site
        .database
        .query(OBSERVERS)?
        .into_iter()
        .flatten()
        .collect();
    ensure!(!observers.is_empty(), "nobody observes");
    let before = used(&observers)?;
    let begun = Instant::now();
    std::thread::sleep(QUIET);
    let share = (used(&observers)? - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    Ok(share * 100.0)
}

/// The first field is nanoseconds on a processor.
fn used(pids: &[String]) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for pid in pids {
        let path = format!("/proc/{pid}/schedstat");
        let text = fs_err::read_to_string(&path)?;
        let Some(nanos) = text.split(' ').next().and_then(|field| field.parse().ok()) else {
            bail!("{path}: {text}")
        };
        sum += Duration::from_nanos(nanos);
    }
    Ok(sum)
}
