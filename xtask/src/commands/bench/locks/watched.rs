//! A command that migrates, watched from outside: when its statement was due, when the migration was recorded, how it
//! ended, and what it said.
//!
//! Both sides are watched by the same eyes: the database. Only that the guard's migration is due is its own word, since
//! it does not stand in the queue then.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use postgres::{Client, NoTls};
use serde_json::Value;

use super::stage::{PENDING, Side, Site};

const LOOK: Duration = Duration::from_millis(10);
/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(180);

/// Somebody stands in the queue of the table.
const QUEUED: &str = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' \
                      AND relation = 'shop_item'::regclass)";
/// The table is being changed.
const GRANTED: &str = "SELECT EXISTS (SELECT FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' \
                       AND relation = 'shop_item'::regclass)";
const RECORDED: &str =
    "SELECT EXISTS (SELECT FROM django_migrations WHERE app = 'shop' AND name = $1)";

pub(super) struct Watched {
    side: Side,
    child: Child,
    lines: Receiver<(Instant, String)>,
    errors: Receiver<(Instant, String)>,
    said: Vec<(Instant, Value)>,
    stderr: String,
    /// None: nobody looks, where looks are what is measured.
    eyes: Option<Client>,
    due: Option<Instant>,
    recorded: Option<Instant>,
    queued: u32,
}

/// What was seen of it.
pub(super) struct Seen {
    pub(super) due: Option<Instant>,
    pub(super) recorded: Option<Instant>,
    pub(super) ended: Instant,
    pub(super) exit: i32,
    /// At how many looks, 10 ms apart, somebody stood in the queue for ACCESS EXCLUSIVE.
    pub(super) queued: u32,
    /// The JSON lines of the guard, each with when it came.
    pub(super) said: Vec<(Instant, Value)>,
    pub(super) stderr: String,
}

impl Watched {
    pub(super) fn start(site: &Site, side: Side, flags: &[&str]) -> Result<Self> {
        Self::start_in(site, side, flags, &[])
    }

    /// With variables of its environment.
    pub(super) fn start_in(
        site: &Site,
        side: Side,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let eyes = Client::connect(&site.database.dsn(), NoTls)?;
        Self::spawn(site, side, flags, environment, Some(eyes))
    }

    /// Without a look at the database.
    pub(super) fn blind(site: &Site, side: Side, flags: &[&str]) -> Result<Self> {
        Self::spawn(site, side, flags, &[], None)
    }

    fn spawn(
        site: &Site,
        side: Side,
        flags: &[&str],
        environment: &[(&str, &str)],
        eyes: Option<Client>,
    ) -> Result<Self> {
        let mut command = site.command(side, flags);
        command
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let lines = listen(child.stdout.take().context("stdout")?);
        let errors = listen(child.stderr.take().context("stderr")?);
        Ok(Self {
            side,
            child,
            lines,
            errors,
            said: Vec::new(),
            stderr: String::new(),
            eyes,
            due: None,
            recorded: None,
            queued: 0,
        })
    }

    /// Waits until its first strong statement is due.
    pub(super) fn until_due(&mut self) -> Result<Instant> {
        let begun = Instant::now();
        loop {
            if let Some(due) = self.due {
                return Ok(due);
            }
            if let Some(exit) = self.look()? {
                bail!(
                    "it ended with {exit} before its statement was due:\n{}",
                    self.words()
                );
            }
            if begun.elapsed() > PATIENCE {
                bail!("its statement was never due:\n{}", self.words());
            }
        }
    }

    /// Waits until the guard says this.
    pub(super) fn wait_for(&mut self, is_it: impl Fn(&Value) -> bool) -> Result<Value> {
        let begun = Instant::now();
        loop {
            if let Some((_, line)) = self.said.iter().find(|(_, line)| is_it(line)) {
                return Ok(line.clone());
            }
            if let Some(exit) = self.look()? {
                bail!("it ended with {exit} and did not say it:\n{}", self.words());
            }
            if begun.elapsed() > PATIENCE {
                bail!("it did not say it:\n{}", self.words());
            }
        }
    }

    /// Watches it to its end.
    pub(super) fn until_end(mut self) -> Result<Seen> {
        let begun = Instant::now();
        let exit = loop {
            if let Some(exit) = self.look()? {
                break exit;
            }
            if begun.elapsed() > PATIENCE {
                let _ = self.child.kill();
                bail!("it did not end within {PATIENCE:?}:\n{}", self.words());
            }
        };
        let ended = Instant::now();
        self.see()?;
        Ok(Seen {
            due: self.due,
            recorded: self.recorded,
            ended,
            exit,
            queued: self.queued,
            stderr: self.words(),
            said: std::mem::take(&mut self.said),
        })
    }

    /// Looks once, and a little later says whether it has ended.
    fn look(&mut self) -> Result<Option<i32>> {
        use std::os::unix::process::ExitStatusExt as _;
        let ended = self.child.try_wait()?;
        self.see()?;
        if let Some(status) = ended {
            let code = status.code();
            return Ok(Some(
                code.unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
            ));
        }
        std::thread::sleep(LOOK);
        Ok(None)
    }

    fn see(&mut self) -> Result<()> {
        while let Ok((at, line)) = self.lines.try_recv() {
            if self.side == Side::Plain {
                continue;
            }
            let value: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
            if value["kind"] == "migration_started" {
                self.due.get_or_insert(at);
            }
            self.said.push((at, value));
        }
        let Some(eyes) = &mut self.eyes else {
            return Ok(());
        };
        let queued = eyes.query_one(QUEUED, &[])?.get(0);
        self.queued += u32::from(queued);
        let begun = self.side == Side::Plain && self.due.is_none();
        if begun && (queued || eyes.query_one(GRANTED, &[])?.get(0)) {
            self.due = Some(Instant::now());
        }
        if self.recorded.is_none() && eyes.query_one(RECORDED, &[&PENDING])?.get(0) {
            let now = Instant::now();
            self.recorded = Some(now);
            // it went through between two looks
            self.due.get_or_insert(now);
        }
        Ok(())
    }

    fn words(&mut self) -> String {
        while let Ok((_, line)) = self.errors.try_recv() {
            self.stderr.push_str(&line);
            self.stderr.push('\n');
        }
        self.stderr.clone()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Its lines, each with the moment in which it came.
fn listen(pipe: impl Read + Send + 'static) -> Receiver<(Instant, String)> {
    let (said, heard) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if said.send((Instant::now(), line)).is_err() {
                break;
            }
        }
    });
    heard
}

impl Seen {
    /// The last line of the guard.
    pub(super) fn finished(&self) -> &Value {
        static NOTHING: Value = Value::Null;
        self.said.last().map_or(&NOTHING, |(_, line)| line)
    }

    /// From when its statement was due to when it was recorded, or else to its end.
    pub(super) fn over(&self) -> Option<f64> {
        let over = self.recorded.unwrap_or(self.ended);
        Some(over.saturating_duration_since(self.due?).as_secs_f64())
    }

    /// Fails unless it ended so.
    pub(super) fn expect(&self, exit: i32) -> Result<()> {
        if self.exit == exit {
            return Ok(());
        }
        bail!(
            "it ended with {}, not {exit}:\n{}\n{:#}",
            self.exit,
            self.stderr,
            self.finished()
        )
    }
}
