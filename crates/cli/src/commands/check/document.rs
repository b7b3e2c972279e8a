//! The server's facts in JSON: beside what is promised of `check`, under `server`.
//!
//! What a role may not see has `"visible": false`; what could not be read is null, and `unknown` says why.

use std::collections::BTreeMap;
use std::time::Duration;

use pgdriver::Permitted;
use pgdriver::sequences::{SequenceUse, Unread};
use pgdriver::server::{
    Age, AutovacuumWorker, Grant, Health, Known, Replica, RoleFacts, ServerFacts, Setting, Slot,
    SlotKind, Synchronous,
};
use pgdriver::tables::TableSize;
use serde_json::{Value, json};

pub(super) fn document(server: &ServerFacts, health: &Health) -> Value {
    let features: Vec<_> = server.features().iter().map(|f| f.name()).collect();
    let free = server.connections.free();
    let unknown = health.unknown().into_iter().map(ToString::to_string);
    let unknown: Vec<_> = server.unknown.iter().cloned().chain(unknown).collect();
    json!({
        "version": server.short_version(),
        "version_num": server.version_num,
        "features": features,
        "standby": server.in_recovery,
        "pooler": server.behind_pooler,
        "encoding": server.encoding,
        "database_bytes": server.database_bytes,
        "connections": {
            "max": server.connections.max,
            "reserved": server.connections.reserved,
            "used": server.connections.used,
            "free": free,
        },
        "role": known(&health.role, |role| self::role(role, server.version_num)),
        "timeouts": each(&health.timeouts, timeout),
        "sessions": known(&health.sessions, |s| json!({
            "all": s.all, "hidden": s.hidden, "active": s.active,
            "idle_in_transaction": s.idle_in_transaction,
            "oldest_transaction_ms": s.oldest_transaction.map(ms),
            "longest_idle_in_transaction_ms": s.longest_idle.map(ms),
            "xmin_age": s.xmin_age,
        })),
        "replicas": listed(&server.replicas, replica),
        "synchronous": known(&health.synchronous, synchronous),
        "slots": each(&health.slots, slot),
        "prepared_transactions": listed(&server.prepared_transactions, |p| json!({
            "gid": p.gid, "owner": p.owner, "age_ms": ms(p.age), "relations": p.relations,
        })),
        "prepared_transactions_elsewhere": listed(&server.prepared_elsewhere, |p| json!({
            "gid": p.gid, "owner": p.owner, "database": p.database, "age_ms": ms(p.age), "xids": p.xids,
        })),
        "autovacuum": each(&health.autovacuum, worker),
        "databases": each(&health.databases, |d| json!({
            "name": d.database, "xids": age(d.xids), "multixacts": age(d.multixacts),
        })),
        "old_tables": known(&health.tables, |all| all.tables.iter().map(|t| json!({
            "table": t.name.to_string(), "xids": age(t.xids), "multixacts": age(t.multixacts),
        })).collect()),
        "old_tables_due": known(&health.tables, |all| json!(all.due)),
        "sequences": known(&health.sequences, |all| told(all).map(sequence).collect()),
        "sequences_unread": known(&health.sequences, |all| json!(counted(all))),
        "invalid_indexes": each(&health.invalid_indexes, |i| json!({
            "index": i.name.to_string(), "table": i.table, "unique": i.is_unique,
            "takes_writes": i.takes_writes, "in_progress": i.in_progress,
        })),
        "unvalidated_constraints": each(&health.unvalidated, |c| json!({
            "table": c.table.to_string(), "name": c.name, "kind": c.kind,
        })),
        "largest_tables": each(&health.largest, size),
        "unknown": unknown,
    })
}

fn known<T>(fact: &Known<T>, show: impl Fn(&T) -> Value) -> Value {
    fact.as_ref().map_or(Value::Null, show)
}

fn each<T>(facts: &Known<Vec<T>>, show: impl Fn(&T) -> Value) -> Value {
    known(facts, |facts| facts.iter().map(&show).collect())
}

fn listed<T>(facts: &Option<Vec<T>>, show: impl Fn(&T) -> Value) -> Value {
    facts
        .as_ref()
        .map_or(Value::Null, |facts| facts.iter().map(&show).collect())
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn role(role: &RoleFacts, version_num: u32) -> Value {
    let grant = |grant: &Grant| json!({ "statement": grant.statement, "gives": grant.gives });
    let missing = role.missing_grants(version_num);
    let limit = |limit: Option<pgdriver::server::Limit>| {
        limit.map(|limit| json!({ "most": limit.most, "used": limit.used }))
    };
    json!({
        "name": role.name,
        "session_role": role.session_role,
        "attributes": role.attributes,
        "predefined_roles": role.predefined,
        "owns_database": role.owns_database,
        "role_limit": limit(role.role_limit),
        "database_limit": limit(role.database_limit),
        "would_show_more": missing.iter().map(grant).collect::<Vec<_>>(),
    })
}

fn timeout(setting: &Setting) -> Value {
    json!({
        "name": setting.name,
        "ms": setting.duration().map_or(0, ms),
        "origin": setting.origin.to_string(),
    })
}

fn replica(replica: &Replica) -> Value {
    match &replica.detail {
        Permitted::NotPermitted => json!({ "pid": replica.pid, "visible": false }),
        Permitted::Seen(seen) => json!({
            "pid": replica.pid,
            "visible": true,
            "application": seen.application,
            "client": seen.client,
            "state": seen.state,
            "sync_state": seen.sync_state,
            "lag_bytes": seen.lag_bytes,
            "lag_ms": seen.lag.map(ms),
        }),
    }
}

fn synchronous(synchronous: &Synchronous) -> Value {
    json!({
        "wanted": synchronous.wanted,
        "synchronous_commit": synchronous.commit,
        "present": synchronous.present.seen(),
        "hangs": synchronous.hangs(),
    })
}

fn slot(slot: &Slot) -> Value {
    json!({
        "name": slot.name,
        "kind": match slot.kind { SlotKind::Logical => "logical", SlotKind::Physical => "physical" },
        "plugin": slot.plugin,
        "database": slot.database,
        "temporary": slot.is_temporary,
        "active_pid": slot.active_pid,
        "retained_bytes": slot.retained_bytes,
        "safe_bytes": slot.safe_bytes,
        "wal_status": slot.wal_status,
        "xmin_age": slot.xmin_age,
        "inactive_ms": slot.inactive.map(ms),
    })
}

fn worker(worker: &AutovacuumWorker) -> Value {
    let detail = worker.detail.seen();
    json!({
        "pid": worker.pid,
        "database": worker.database,
        "table": worker.table.as_ref().map(ToString::to_string),
        "visible": detail.is_some(),
        "to_prevent_wraparound": detail.map(|d| d.to_prevent_wraparound),
        "work": detail.map(|d| d.work.as_str()),
        "age_ms": detail.and_then(|d| d.age).map(ms),
        "phase": detail.and_then(|d| d.phase.as_deref()),
        "scanned": detail.and_then(|d| d.scanned),
    })
}

fn age(age: Age) -> Value {
    json!({ "age": age.age, "limit": age.limit, "left": age.left() })
}

fn sequence(sequence: &SequenceUse) -> Value {
    let position = sequence.position.as_ref();
    let column = sequence.column.as_ref();
    json!({
        "sequence": sequence.name.to_string(),
        "table": column.map(|c| c.table.to_string()),
        "column": column.map(|c| c.name.as_str()),
        "column_type": column.map(|c| c.type_name.as_str()),
        "column_ends_first": column.is_some_and(|c| c.ends_first),
        "last": position.ok().and_then(|p| p.last),
        "last_possible": position.ok().map(|p| p.last_possible),
        "used": position.ok().map(|p| p.used),
        "remaining": position.ok().map(|p| p.remaining),
        "unread": position.err().map(|why| unread(*why)),
    })
}

/// So many that could not be read are told one by one: a role may have USAGE on none of many thousands.
const UNREAD: usize = 5;

/// Those that were read, and the first few of those that could not be.
pub(super) fn told(all: &[SequenceUse]) -> impl Iterator<Item = &SequenceUse> {
    let mut unread = 0;
    all.iter().filter(move |one| {
        unread += usize::from(one.position.is_err());
        one.position.is_ok() || unread <= UNREAD
    })
}

/// How many of all could not be read, by reason.
pub(super) fn counted(all: &[SequenceUse]) -> BTreeMap<&'static str, u64> {
    let mut counted = BTreeMap::new();
    for why in all.iter().filter_map(|one| one.position.as_ref().err()) {
        *counted.entry(unread(*why)).or_default() += 1;
    }
    counted
}

pub(super) fn unread(why: Unread) -> &'static str {
    match why {
        Unread::Locked => "somebody has locked it",
        Unread::NotPermitted => "not permitted to see",
        Unread::NotOnAStandby => "unlogged: not there on a standby",
    }
}

fn size(table: &TableSize) -> Value {
    json!({
        "table": table.name.to_string(),
        "estimated_rows": table.estimated_rows,
        "live_rows": table.live_rows,
        "dead_rows": table.dead_rows,
        "heap_bytes": table.heap_bytes,
        "other_bytes": table.other_bytes,
        "counted_ms": table.counted.map(ms),
    })
}
