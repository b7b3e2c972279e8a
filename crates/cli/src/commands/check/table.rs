//! The server's facts as `check -v` shows them: one line for each, its name first.
//!
//! Absent here: which of them matter; those are findings.

use std::time::Duration;

use pgdriver::catalog::InvalidIndex;
use pgdriver::sequences::SequenceUse;
use pgdriver::server::{
    Age, AutovacuumWorker, DatabaseAge, Health, Known, Replica, RoleFacts, ServerFacts,
    SessionCounts, Setting, Slot, Synchronous,
};
use pgdriver::tables::TableSize;

use super::document::{counted, told, unread};
use crate::database::replication;
use crate::ui::style::{Look, paint};
use crate::ui::{bytes, count, seconds};

/// Names stand in a column of this width.
const WIDTH: usize = 22;
/// So many databases, the oldest first: a cluster may have thousands.
const DATABASES: usize = 10;

pub(super) fn table(server: &ServerFacts, health: &Health) -> String {
    let mut lines = Lines::default();
    lines.server(server);
    lines.fact("role", &health.role, |role| self::role(role, server));
    lines.list("timeouts", &health.timeouts, timeout);
    lines.fact("sessions", &health.sessions, |s| vec![sessions(s)]);
    lines.add("replicas", listed(&server.replicas, replica));
    lines.fact("synchronous commit", &health.synchronous, |s| {
        vec![synchronous(s)]
    });
    lines.list("replication slots", &health.slots, slot);
    let mut prepared = listed(&server.prepared_transactions, |p| {
        let age = human(p.age);
        format!(
            "{} of {}, for {age}, on {}",
            p.gid,
            p.owner,
            p.relations.join(", ")
        )
    });
    prepared.extend(listed(&server.prepared_elsewhere, |p| {
        let (age, xids) = (human(p.age), count(p.xids, "transaction"));
        format!(
            "{} of {} in database {}, for {age}, {xids} old",
            p.gid, p.owner, p.database
        )
    }));
    prepared.dedup();
    lines.add("prepared transactions", prepared);
    lines.list("autovacuum", &health.autovacuum, worker);
    lines.fact("database ages", &health.databases, |all| databases(all));
    lines.fact("old tables", &health.tables, |all| {
        let tables = all.tables.iter();
        tables
            .map(|t| format!("{}: {}", t.name, ages(t.xids, t.multixacts)))
            .collect()
    });
    lines.fact("sequences", &health.sequences, |all| sequences(all));
    lines.list("invalid indexes", &health.invalid_indexes, index);
    lines.list("NOT VALID", &health.unvalidated, |c| {
        format!("{} {} of {}", c.kind, c.name, c.table)
    });
    lines.list("largest tables", &health.largest, size);
    lines.0.join("\n")
}

/// Each of them; of what the role may not ask for, that.
fn listed<T>(facts: &Option<Vec<T>>, show: impl Fn(&T) -> String) -> Vec<String> {
    match facts {
        Some(facts) => facts.iter().map(&show).collect(),
        None => vec!["unknown: not permitted to see".to_owned()],
    }
}

#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    /// The name stands before its first value only.
    fn add(&mut self, name: &str, values: Vec<String>) {
        let values = match values.is_empty() {
            true => vec!["none".to_owned()],
            false => values,
        };
        for (at, value) in values.into_iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            let name = paint(Look::Faint, format!("{name:<WIDTH$}"));
            self.0.push(format!("  {name} {value}"));
        }
    }

    fn fact<T>(&mut self, name: &str, fact: &Known<T>, show: impl Fn(&T) -> Vec<String>) {
        let values = match fact {
            Ok(fact) => show(fact),
            Err(why) => vec![format!("unknown: {why}")],
        };
        self.add(name, values);
    }

    fn list<T>(&mut self, name: &str, facts: &Known<Vec<T>>, show: impl Fn(&T) -> String) {
        self.fact(name, facts, |facts| facts.iter().map(&show).collect());
    }

    fn server(&mut self, server: &ServerFacts) {
        let standing = match server.in_recovery {
            true => "standby",
            false => "primary",
        };
        let pooler = match server.behind_pooler {
            true => "a pooler in between",
            false => "no pooler in between",
        };
        let version = server.short_version();
        let line = format!("PostgreSQL {version}, {standing}, {pooler}");
        self.add("server", vec![line]);
        let features = server.features();
        let features: Vec<_> = features.iter().map(|f| f.name()).collect();
        self.add("features", vec![features.join(", ")]);
        let size = server
            .database_bytes
            .map_or("size unknown".to_owned(), bytes);
        let database = format!("{}, {size}, {}", server.database, server.encoding);
        self.add("database", vec![database]);
        let c = server.connections;
        let line = format!("{} free of {}, {} reserved", c.free(), c.max, c.reserved);
        self.add("connections", vec![line]);
    }
}

fn human(duration: Duration) -> String {
    seconds(duration.as_secs_f64())
}

fn role(role: &RoleFacts, server: &ServerFacts) -> Vec<String> {
    let session = match role.name == role.session_role {
        true => String::new(),
        false => format!(" (logged in as {})", role.session_role),
    };
    let owner = match role.owns_database {
        true => "owns the database",
        false => "does not own the database",
    };
    let mut first = vec![format!("{}{session}", role.name), owner.to_owned()];
    first.extend(role.attributes.iter().map(|a| (*a).to_owned()));
    if !role.is_superuser() {
        first.extend(role.predefined.iter().cloned());
    }
    let limits = [("role", role.role_limit), ("database", role.database_limit)];
    for (whose, limit) in limits {
        first.extend(
            limit.map(|l| format!("{} of the {whose}'s {} connections free", l.free(), l.most)),
        );
    }
    let grants = role.missing_grants(server.version_num).into_iter();
    let grants =
        grants.map(|grant| format!("{} would show or permit {}", grant.statement, grant.gives));
    std::iter::once(first.join(", ")).chain(grants).collect()
}

fn timeout(setting: &Setting) -> String {
    let value = setting.duration().map_or("off".to_owned(), human);
    format!("{} = {value} ({})", setting.name, setting.origin)
}

fn sessions(sessions: &SessionCounts) -> String {
    let mut parts = vec![
        count(sessions.all.into(), "other session"),
        format!("{} active", sessions.active),
    ];
    let idle = sessions
        .longest_idle
        .map(|age| format!(" (for up to {})", human(age)));
    let idle = idle.unwrap_or_default();
    parts.push(format!(
        "{} idle in transaction{idle}",
        sessions.idle_in_transaction
    ));
    parts.extend(
        sessions
            .oldest_transaction
            .map(|age| format!("the oldest transaction is {} old", human(age))),
    );
    if sessions.hidden > 0 {
        parts.push(format!("not permitted to see {}", sessions.hidden));
    }
    parts.join(", ")
}

fn replica(replica: &Replica) -> String {
    let Some(seen) = replica.detail.seen() else {
        return format!("walsender {}: not permitted to see", replica.pid);
    };
    let sync = seen.sync_state.as_deref().unwrap_or("async");
    let at = seen.client.as_ref().map(|client| format!(" at {client}"));
    format!(
        "{}{}, {}, {sync}, {}",
        seen.application,
        at.unwrap_or_default(),
        seen.state,
        replication::behind(seen)
    )
}

fn synchronous(synchronous: &Synchronous) -> String {
    if synchronous.wanted.is_empty() {
        return "waits for no standby".to_owned();
    }
    let present = match synchronous.present.seen() {
        Some(present) => count(u64::from(*present), "standby").replace("standbys", "standbies"),
        None => "not permitted to see how many".to_owned(),
    };
    format!(
        "waits for {} (synchronous_commit = {}): {present} there",
        synchronous.wanted, synchronous.commit
    )
}

fn slot(slot: &Slot) -> String {
    let reader = match slot.active_pid {
        Some(pid) => format!("backend {pid} reads from it"),
        None => "inactive".to_owned(),
    };
    let xmin = slot.xmin_age.map(|age| {
        format!(
            "; VACUUM spares what is younger than {}",
            count(age, "transaction")
        )
    });
    format!(
        "{}: {reader}, {}{}",
        replication::name(slot),
        replication::kept(slot),
        xmin.unwrap_or_default()
    )
}

fn worker(worker: &AutovacuumWorker) -> String {
    let place = match (&worker.table, &worker.database) {
        (Some(table), _) => table.to_string(),
        (None, Some(database)) => format!("database {database}"),
        (None, None) => "somewhere".to_owned(),
    };
    let Some(detail) = worker.detail.seen() else {
        return format!("process {} on {place}: not permitted to see", worker.pid);
    };
    let phase = detail.phase.as_ref().map(|phase| format!(", {phase}"));
    let scanned = detail
        .scanned
        .map(|part| format!(", {:.0}% scanned", part * 100.0));
    let age = detail.age.map(|age| format!(", for {}", human(age)));
    format!(
        "process {} on {place}: {}{}{}{}",
        worker.pid,
        detail.work,
        age.unwrap_or_default(),
        phase.unwrap_or_default(),
        scanned.unwrap_or_default()
    )
}

fn databases(all: &[DatabaseAge]) -> Vec<String> {
    let first = all.iter().take(DATABASES);
    let mut lines: Vec<String> = first
        .map(|d| format!("{}: {}", d.database, ages(d.xids, d.multixacts)))
        .collect();
    if all.len() > DATABASES {
        lines.push(format!("and {} younger ones", all.len() - DATABASES));
    }
    lines
}

fn ages(xids: Age, multixacts: Age) -> String {
    let of = |age: Age, what| {
        let share = (age.share() * 100.0).floor();
        format!("{} old ({share}% of the limit)", count(age.age, what))
    };
    format!(
        "{}, {}",
        of(xids, "transaction"),
        of(multixacts, "multixact")
    )
}

/// Those that are told, and how many could not be read at all, where that is more.
fn sequences(all: &[SequenceUse]) -> Vec<String> {
    let mut lines: Vec<_> = told(all).map(sequence).collect();
    if lines.len() < all.len() {
        let counted = counted(all).into_iter();
        lines.extend(counted.map(|(why, of)| format!("{} in all: {why}", count(of, "sequence"))));
    }
    lines
}

fn sequence(sequence: &SequenceUse) -> String {
    let column = sequence.column.as_ref().map(|column| {
        let ends = if column.ends_first {
            ", which ends first"
        } else {
            ""
        };
        format!(
            " of {}.{} ({}{ends})",
            column.table, column.name, column.type_name
        )
    });
    let position = match &sequence.position {
        Ok(position) => format!(
            "{:.0}% used, {} left",
            (position.used * 100.0).floor(),
            count(position.remaining, "value")
        ),
        Err(why) => unread(*why).to_owned(),
    };
    format!(
        "{}{}: {position}",
        sequence.name,
        column.unwrap_or_default()
    )
}

fn index(index: &InvalidIndex) -> String {
    let state = match index.in_progress {
        true => "being built",
        false => "INVALID",
    };
    format!("{} on {}, {state}", index.name, index.table)
}

fn size(table: &TableSize) -> String {
    let Some(rows) = table.estimated_rows else {
        return format!("{}: size and rows unknown, never analyzed", table.name);
    };
    let all = bytes(table.heap_bytes + table.other_bytes);
    let other = bytes(table.other_bytes);
    let rows = count(rows, "row");
    format!(
        "{}: about {rows}, {all}, of which {other} indexes and TOAST",
        table.name
    )
}
