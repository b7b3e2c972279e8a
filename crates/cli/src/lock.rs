//! One runner at a time: the advisory lock of a database, and the witness that we hold it.
//!
//! It lives on a connection of its own and is held to the end of the run. Absent here: table locks.

use std::fmt;

use pgdriver::advisory::{self, AdvisoryLock, Attempt, Holder, LockKey};

use crate::database::{Reach, query_failure};
use crate::exit::Class;
use crate::failure::Failure;

/// What the server keeps of an application_name (NAMEDATALEN).
const NAME: usize = 63;
/// Of the plan's fingerprint.
const SHORT: usize = 8;
/// For giving it back.
const LET_GO: std::time::Duration = std::time::Duration::from_secs(3);
pub(crate) const PROGRAM: &str = "django-migrate";
const POOLED: &str = "pooled";
const GATE: &str = "gate";

/// Proof that no other run works on this database.
#[derive(Debug)]
pub(crate) struct MigrationLock {
    lock: AdvisoryLock,
    /// As a second run would see us.
    pub(crate) holder: String,
}

impl MigrationLock {
    /// Tries once; a second run does not wait.
    pub(crate) async fn take(
        reach: &Reach,
        run: &str,
        fingerprint: &str,
        host: &str,
    ) -> Result<Self, Failure> {
        let session = reach.session().await?;
        let way = if session.behind_pooler() {
            Way::Pooled
        } else {
            Way::Direct
        };
        let name = Card::new(run, fingerprint, way, host).to_string();
        match advisory::try_acquire(session, LockKey::MIGRATIONS, &name)
            .await
            .map_err(|e| query_failure(&e))?
        {
            Attempt::Acquired(lock) => {
                let holder = format!("backend {}, as \"{name}\"", lock.pid());
                Ok(Self { lock, holder })
            }
            Attempt::Busy { holder, session } => {
                session.close().await;
                Err(busy(holder.as_ref(), reach))
            }
        }
    }

    /// Waits until the lock's connection is gone.
    pub(crate) async fn lost(&self) {
        self.lock.lost().await;
    }

    /// The server still says that it is ours.
    pub(crate) async fn still_held(&self) -> Result<(), Failure> {
        if self.lock.is_held().await.map_err(|e| query_failure(&e))? {
            return Ok(());
        }
        Err(Failure::new(
            Class::DatabaseError,
            "the advisory lock of this run was lost with its connection",
        )
        .hint("look at the server's log, then run again"))
    }

    /// Gives the lock back. Had it been lost before, there is nothing left to give.
    pub(crate) async fn release(self) {
        // where nobody answers, the server lets go of it with its connection
        let _ = tokio::time::timeout(LET_GO, self.lock.release()).await;
    }
}

/// Which run has the lock at this moment, as far as its session's name says; none where nobody has it.
pub(crate) async fn holding(session: &pgdriver::Session) -> Result<Option<String>, Failure> {
    let holder = advisory::holder(session, LockKey::MIGRATIONS)
        .await
        .map_err(|e| query_failure(&e))?;
    let run = |holder: Holder| {
        let name = holder.application.unwrap_or_default();
        Card::read(&name).map_or(name, |card| card.run)
    };
    Ok(holder.map(run))
}

/// How the lock's connection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Direct,
    /// Through a pooler, held by an open transaction.
    Pooled,
}

/// The name of a run's observer while the run waits at the gate, outside of every queue: nothing else in the database
/// shows that it waits, and for whom. As many pids as fit.
pub(crate) fn gate_name(run: &str, pids: &[i32]) -> String {
    let mut name = format!("{PROGRAM} {run} {GATE} ");
    for (at, pid) in pids.iter().enumerate() {
        let more = match at {
            0 => pid.to_string(),
            _ => format!(",{pid}"),
        };
        if name.len() + more.len() > NAME {
            break;
        }
        name.push_str(&more);
    }
    name
}

/// The reverse of [`gate_name`]: for whom a run waits there; 0 is a prepared transaction.
pub(crate) fn at_gate(name: &str) -> Option<Vec<i32>> {
    let mut words = name.strip_prefix(PROGRAM)?.split_whitespace().skip(1);
    if words.next() != Some(GATE) {
        return None;
    }
    let pids = words.next().unwrap_or_default().split(',');
    Some(pids.filter_map(|pid| pid.parse().ok()).collect())
}

/// What the lock's session says of us in its application_name, which every role may see. The host comes last, since the
/// server cuts the end off.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Card {
    run: String,
    plan: String,
    way: Way,
    host: String,
}

impl Card {
    fn new(run: &str, fingerprint: &str, way: Way, host: &str) -> Self {
        Self {
            run: run.to_owned(),
            plan: fingerprint.chars().take(SHORT).collect(),
            way,
            host: host.to_owned(),
        }
    }

    /// None for a name of another kind, or of another version.
    fn read(name: &str) -> Option<Self> {
        let mut words = name.strip_prefix(PROGRAM)?.split_whitespace();
        let (run, plan) = (words.next()?, words.next()?);
        if plan.len() != SHORT || !plan.chars().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        let mut host = words.next().unwrap_or_default();
        let mut way = Way::Direct;
        if host == POOLED {
            way = Way::Pooled;
            host = words.next().unwrap_or_default();
        }
        Some(Self::new(run, plan, way, host))
    }

    /// The run's id is its time and its pid: `20261122-093015-4711`.
    fn pid(&self) -> Option<&str> {
        let pid = self.run.split('-').nth(2)?;
        pid.parse::<u32>().is_ok().then_some(pid)
    }

    /// For people. `name` is what it was read from.
    fn told(&self, name: &str) -> String {
        let pid = self.pid().map(|pid| format!("pid {pid} on "));
        let cut = if name.len() >= NAME { "…" } else { "" };
        let host = match self.host.as_str() {
            "" => "a host whose name did not fit",
            host => host,
        };
        format!(
            "run {} ({}{host}{cut}), plan {}",
            self.run,
            pid.unwrap_or_default(),
            self.plan
        )
    }
}

/// In at most 63 bytes.
impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            run,
            plan,
            way,
            host,
        } = self;
        let pooled = match way {
            Way::Direct => String::new(),
            Way::Pooled => format!(" {POOLED}"),
        };
        let text = format!("{PROGRAM} {run} {plan}{pooled} {host}");
        let mut end = text.len().min(NAME);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        f.write_str(text[..end].trim_end())
    }
}

fn busy(holder: Option<&Holder>, reach: &Reach) -> Failure {
    let failure = Failure::new(
        Class::AnotherRun,
        "another run of django-migrate is at work on this database",
    )
    .source("database", reach.describe());
    let failure = match holder {
        None => failure.source(
            "held by",
            "a session that was gone again when the server was asked for it",
        ),
        Some(holder) => failure.source("held by", held_by(holder)),
    };
    failure
        .hint("wait for it to end; a run that was killed lets go as soon as its connection is gone")
}

fn held_by(holder: &Holder) -> String {
    let name = holder.application.as_deref().unwrap_or_default();
    let card = Card::read(name);
    let pooled = card.as_ref().is_some_and(|card| card.way == Way::Pooled);
    let who = match &card {
        Some(card) => card.told(name),
        None if name.is_empty() => "an unnamed session".to_owned(),
        None => name.to_owned(),
    };
    let user = holder
        .user
        .as_deref()
        .map_or("a role that we may not see".to_owned(), |user| {
            format!("role {user}")
        });
    let from = match (&holder.client, pooled) {
        (Some(client), false) => format!(" from {client}"),
        (Some(client), true) => format!(" through the pooler at {client}"),
        (None, true) => " through a pooler".to_owned(),
        (None, false) => String::new(),
    };
    // a pooler's own connection is older than the run, and may have served others
    let since = match (holder.since, pooled) {
        (Some(since), false) => format!(" since {since:.0}"),
        (_, true) => ", its address and since when cannot be known behind a pooler".to_owned(),
        (None, false) => ", since when is hidden from this role".to_owned(),
    };
    format!("{who}, {user}{from}, backend {}{since}", holder.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "20261122-093015-4194304";
    const PLAN: &str = "1a2b3c4d5e6f7a8b";

    fn holder(application: &str) -> Holder {
        Holder {
            pid: 99,
            user: Some("shop".to_owned()),
            application: Some(application.to_owned()),
            client: Some("10.0.0.5".to_owned()),
            since: Some("2026-11-22T09:30:15Z".parse().unwrap()),
        }
    }

    #[test]
    fn what_matters_fits_and_the_host_is_cut() {
        for (way, host, shown) in [
            (Way::Direct, "db-admin-1", "db-admin-1)"),
            (Way::Direct, "db-admin-1.example.com", "db-admin-1.exam…)"),
            (Way::Pooled, "db-admin-1", "db-admin…)"),
            (Way::Direct, "", "a host whose name did not fit)"),
            // never cut within a letter
            (Way::Direct, "dätenbänk-ä-ää", "dätenbänk-ä"),
        ] {
            let name = Card::new(RUN, PLAN, way, host).to_string();
            assert!(name.len() <= NAME, "{name}");
            let card = Card::read(&name).expect("it is read back");
            assert_eq!((card.run.as_str(), card.plan.as_str()), (RUN, "1a2b3c4d"));
            assert_eq!((card.pid(), card.way), (Some("4194304"), way));
            assert!(card.told(&name).contains(shown), "{}", card.told(&name));
        }
    }

    #[test]
    fn a_second_run_is_told_who_holds_it() {
        let name = Card::new(RUN, PLAN, Way::Direct, "db-admin-1").to_string();
        assert_eq!(
            held_by(&holder(&name)),
            "run 20261122-093015-4194304 (pid 4194304 on db-admin-1), plan 1a2b3c4d, role shop from 10.0.0.5, \
             backend 99 since 2026-11-22T09:30:15Z"
        );
    }

    #[test]
    fn behind_a_pooler_what_cannot_be_known_is_said() {
        let name = Card::new(RUN, PLAN, Way::Pooled, "db-admin-1").to_string();
        let told = held_by(&holder(&name));
        assert!(told.contains("through the pooler at 10.0.0.5"), "{told}");
        assert!(told.ends_with("cannot be known behind a pooler"), "{told}");
        assert!(!told.contains("since 2026"), "{told}");
    }

    #[test]
    fn a_name_of_another_kind_is_shown_as_it_is() {
        for name in ["psql", "django-migrate run 20261122-093015-4711 on db1"] {
            assert!(held_by(&holder(name)).starts_with(name));
        }
        let unseen = Holder {
            user: None,
            since: None,
            client: None,
            ..holder("")
        };
        let told = held_by(&unseen);
        assert!(
            told.starts_with("an unnamed session, a role that we may not see, backend 99"),
            "{told}"
        );
        assert!(told.ends_with("hidden from this role"), "{told}");
    }
}
