//! Who hangs on this server's WAL.

use std::time::Duration;

use pgdriver::server::{Health, Replica, ReplicaDetail, Slot, SlotKind};

use crate::hazards::{Finding, beyond};
use crate::ui::{bytes, seconds};

const LAG_BYTES: u64 = 16 << 20;
const LAG: Duration = Duration::from_secs(10);
const MUCH_WAL: u64 = 1 << 30;

pub(super) fn replicas(replicas: &[Replica]) -> Vec<Finding> {
    let seen = replicas.iter().filter_map(|replica| replica.detail.seen());
    seen.filter(|r| r.lag_bytes >= Some(LAG_BYTES) || r.lag >= Some(LAG))
        .map(|r| beyond::finding("replica-lag", format!("{} is {}", whom(r), behind(r))))
        .collect()
}

fn whom(replica: &ReplicaDetail) -> String {
    let at = replica
        .client
        .as_ref()
        .map(|client| format!(" at {client}"));
    format!("{}{}", replica.application, at.unwrap_or_default())
}

/// `120 MB of WAL, 30 s behind`
pub(crate) fn behind(replica: &ReplicaDetail) -> String {
    let wal = replica
        .lag_bytes
        .map(|lag| format!("{} of WAL", bytes(lag)));
    let time = replica.lag.map(|lag| seconds(lag.as_secs_f64()));
    let known: Vec<String> = wal.into_iter().chain(time).collect();
    match known.is_empty() {
        true => "at an unknown place".to_owned(),
        false => format!("{} behind", known.join(", ")),
    }
}

pub(super) fn commits(health: &Health) -> Vec<Finding> {
    let Ok(synchronous) = &health.synchronous else {
        return Vec::new();
    };
    if synchronous.hangs() != Some(true) {
        return Vec::new();
    }
    let message = format!(
        "synchronous_standby_names is \"{}\": {} needed, {} connected",
        synchronous.wanted,
        synchronous.needed(),
        synchronous.present.seen().copied().unwrap_or_default()
    );
    vec![beyond::finding("synchronous-standby-missing", message)]
}

pub(super) fn slots(health: &Health) -> Vec<Finding> {
    let slots = health.slots.as_deref().unwrap_or_default().iter();
    slots
        .filter(|slot| !slot.is_temporary)
        .filter_map(slot)
        .collect()
}

fn slot(slot: &Slot) -> Option<Finding> {
    let much =
        slot.retained_bytes >= Some(MUCH_WAL) || slot.wal_status.as_deref() == Some("unreserved");
    let code = match (much, slot.is_inactive()) {
        (true, _) => "slot-retains-wal",
        (false, true) => "slot-inactive",
        (false, false) => return None,
    };
    let read = match slot.active_pid {
        Some(pid) => format!("backend {pid} reads from it"),
        None => match slot.inactive {
            Some(since) => format!(
                "nobody has read from it for {}",
                seconds(since.as_secs_f64())
            ),
            None => "nobody reads from it".to_owned(),
        },
    };
    Some(beyond::finding(
        code,
        format!("{}: {read}; {}", name(slot), kept(slot)),
    ))
}

/// `logical slot feed (pgoutput, database shop)`
pub(crate) fn name(slot: &Slot) -> String {
    let kind = match slot.kind {
        SlotKind::Logical => "logical",
        SlotKind::Physical => "physical",
    };
    let database = slot
        .database
        .as_ref()
        .map(|name| format!("database {name}"));
    let more: Vec<String> = slot.plugin.clone().into_iter().chain(database).collect();
    let more = match more.is_empty() {
        true => String::new(),
        false => format!(" ({})", more.join(", ")),
    };
    format!("{kind} slot {}{more}", slot.name)
}

/// `it keeps 1.2 GB of WAL`
pub(crate) fn kept(slot: &Slot) -> String {
    if slot.wal_status.as_deref() == Some("lost") {
        return "its WAL is lost, and it is of no use any more".to_owned();
    }
    let left = slot
        .safe_bytes
        .map(|safe| format!(", and is lost after {} more", bytes(safe)));
    match slot.retained_bytes {
        Some(kept) => format!(
            "it keeps {} of WAL{}",
            bytes(kept),
            left.unwrap_or_default()
        ),
        None => "it keeps no WAL".to_owned(),
    }
}
