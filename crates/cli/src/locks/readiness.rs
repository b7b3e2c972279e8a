//! Whether DDL could have its locks at this moment, and if not, who would have to go first.
//!
//! A busy table always has somebody on it: whose transaction is younger than a second is passing by and is only
//! counted. Where this role may not see the age, a second look after that second tells. Absent here: waiting for them, which is the guard's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pgdriver::activity::locks::{self, Held, LockMode, Wanted};
use pgdriver::activity::remedy::{self, Action, Remedy};
use pgdriver::activity::{SessionInfo, SessionKind};
use pgdriver::server::{self, PreparedTransaction};
use pgdriver::{Permitted, QueryError, Session};

use super::findings;
use super::look::Us;
use super::model::{Literals, mask};
use super::words;
use crate::hazards::{Finding, beyond};
use crate::ui::count;

/// In a transaction for less than this: traffic.
const PASSING: Duration = Duration::from_secs(1);

/// A lock that DDL would take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WantedLock {
    pub(crate) lock: Wanted,
    /// Nobody asked for it: a foreign key of this table refers to it, and DDL that adds or drops the key locks it, too.
    pub(crate) referenced_by: Option<String>,
}

/// Who stands in the way of what is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Readiness {
    pub(crate) wanted: Vec<WantedLock>,
    /// The oldest transaction first, after prepared ones and before those that wait for a lock themselves.
    pub(crate) in_the_way: Vec<InTheWay>,
    /// Transactions that began within the last second.
    pub(crate) passing: usize,
}

/// A transaction that has, or awaits before us, what conflicts.
#[derive(Debug, Clone)]
pub(crate) struct InTheWay {
    /// 0 is a prepared transaction.
    pub(crate) pid: i32,
    pub(crate) session: Option<SessionInfo>,
    pub(crate) prepared: Option<PreparedTransaction>,
    /// The strongest mode on each relation; partitions and children stand for themselves.
    pub(crate) locks: Vec<HeldLock>,
    /// How long its transaction is open; none where that may not be seen.
    pub(crate) age: Option<Duration>,
    /// It stands in the queue of a lock itself: its end would help nobody for long.
    pub(crate) waits: bool,
    pub(crate) remedy: Remedy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldLock {
    pub(crate) relation: String,
    pub(crate) mode: LockMode,
    /// False: it stands in the queue before us.
    pub(crate) granted: bool,
}

/// Looks now. What does not exist yet is in nobody's way.
pub(crate) async fn readiness(
    session: &Session,
    us: &Us,
    wanted: Vec<WantedLock>,
    literals: Literals,
) -> Result<Readiness, QueryError> {
    if wanted.is_empty() {
        return Ok(Readiness::of(wanted, Vec::new(), &[], us, literals));
    }
    let locks: Vec<Wanted> = wanted.iter().map(|wanted| wanted.lock.clone()).collect();
    let held = locks::in_the_way(session, &locks, &[]).await?;
    let (held, gone) = match held.iter().any(is_unseen) {
        false => (held, 0),
        true => {
            tokio::time::sleep(PASSING).await;
            let again = locks::in_the_way(session, &locks, &[]).await?;
            stayed(held, &again)
        }
    };
    let prepared = match held.iter().any(|held| held.pid == 0) {
        true => server::prepared_transactions(session).await?,
        false => Vec::new(),
    };
    let mut found = Readiness::of(wanted, held, &prepared, us, literals);
    found.passing += gone;
    Ok(found)
}

impl Readiness {
    pub(super) fn of(
        wanted: Vec<WantedLock>,
        held: Vec<Held>,
        prepared: &[PreparedTransaction],
        us: &Us,
        literals: Literals,
    ) -> Self {
        let mut transactions: BTreeMap<(i32, String), Vec<Held>> = BTreeMap::new();
        for held in held {
            transactions
                .entry((held.pid, held.transaction.clone()))
                .or_default()
                .push(held);
        }
        let (mut in_the_way, mut passing) = (Vec::new(), 0);
        for held in transactions.into_values() {
            match is_passing(&held) {
                true => passing += 1,
                false => in_the_way.push(one(held, prepared, us, literals)),
            }
        }
        in_the_way.sort_by_key(|other: &InTheWay| {
            (other.waits, other.pid != 0, std::cmp::Reverse(other.age))
        });
        Self {
            wanted,
            in_the_way,
            passing,
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.in_the_way.is_empty()
    }

    /// One for each transaction in the way.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let finding = |other: &InTheWay| {
            let finding = beyond::finding("ddl-blocked", other.told());
            let mut finding = match other.waits {
                // the general remedy: what it waits for has its own
                true => finding,
                false => findings::with(finding, &other.remedy),
            };
            finding.relation = other
                .locks
                .first()
                .and_then(|lock| findings::relation(&lock.relation));
            finding
        };
        self.in_the_way.iter().map(finding).collect()
    }
}

impl InTheWay {
    pub(crate) fn who(&self) -> String {
        match (&self.prepared, &self.session) {
            (Some(prepared), _) => format!(
                "prepared transaction {} of {}, for {}",
                prepared.gid,
                prepared.owner,
                words::age_text(prepared.age)
            ),
            (None, _) if self.pid == 0 => "a prepared transaction".to_owned(),
            (None, Some(session)) => format!(
                "{}, backend {}, {}",
                words::who(session),
                self.pid,
                words::doing(session)
            ),
            (None, None) => format!("backend {}, which is gone by now", self.pid),
        }
    }

    /// `ACCESS SHARE on public.shop_item and 3 more`
    pub(crate) fn has(&self) -> String {
        let Some(first) = self.locks.first() else {
            return String::new();
        };
        let verb = if first.granted { "holds" } else { "awaits" };
        let more = match self.locks.len() - 1 {
            0 => String::new(),
            n => format!(" and locks on {}", count(n as u64, "other relation")),
        };
        format!("{verb} {} on {}{more}", first.mode, first.relation)
    }

    fn told(&self) -> String {
        let waits = match self.waits {
            true => ", waits for a lock itself",
            false => "",
        };
        format!("{}, {}{waits}", self.who(), self.has())
    }
}

/// A session whose age this role may not see.
fn is_unseen(held: &Held) -> bool {
    let session = held.session.as_ref();
    session.is_some_and(|session| session.detail == Permitted::NotPermitted)
}

/// Without those whose age may not be seen and that are gone at a second look, and how many transactions these were.
fn stayed(held: Vec<Held>, again: &[Held]) -> (Vec<Held>, usize) {
    let of = |held: &Held| (held.pid, held.transaction.clone());
    let there: BTreeSet<(i32, String)> = again.iter().map(of).collect();
    let (gone, stayed): (Vec<Held>, Vec<Held>) = held
        .into_iter()
        .partition(|held| is_unseen(held) && !there.contains(&of(held)));
    let gone: BTreeSet<(i32, String)> = gone.iter().map(of).collect();
    (stayed, gone.len())
}

fn is_passing(held: &[Held]) -> bool {
    let Some(session) = held.iter().find_map(|held| held.session.as_ref()) else {
        return false;
    };
    let young = |detail: &pgdriver::activity::SessionDetail| {
        detail.xact_age.is_some_and(|age| age < PASSING)
    };
    session.kind() == SessionKind::Client && session.detail.seen().is_some_and(young)
}

fn one(held: Vec<Held>, prepared: &[PreparedTransaction], us: &Us, literals: Literals) -> InTheWay {
    let mut locks: BTreeMap<String, HeldLock> = BTreeMap::new();
    for held in &held {
        let relation = held.relation.to_string();
        let new = HeldLock {
            relation: relation.clone(),
            mode: held.mode,
            granted: held.granted,
        };
        let known = locks.entry(relation).or_insert_with(|| new.clone());
        if (new.granted, new.mode) > (known.granted, known.mode) {
            *known = new;
        }
    }
    let first = held.into_iter().next();
    let pid = first.as_ref().map_or(0, |held| held.pid);
    let gid = first.as_ref().and_then(|held| held.prepared.clone());
    let mut session = first.and_then(|held| held.session);
    if let Some(session) = &mut session {
        mask(session, literals);
    }
    let prepared: Option<PreparedTransaction> = prepared
        .iter()
        .find(|p| Some(&p.gid) == gid.as_ref())
        .cloned();
    let gone = |action| Remedy {
        action,
        hindrances: Vec::new(),
    };
    let remedy = match (&session, &prepared) {
        (_, Some(prepared)) => us.remedy_for_prepared(prepared),
        (Some(session), None) => remedy::remedy(session, &us.asker),
        (None, None) if pid == 0 => gone(Action::FindPrepared),
        (None, None) => gone(Action::None),
    };
    let age = match &prepared {
        Some(prepared) => Some(prepared.age),
        None => session
            .as_ref()
            .and_then(|session| session.detail.seen()?.xact_age),
    };
    let seen = session.as_ref().and_then(|session| session.detail.seen());
    let waits = seen.is_some_and(|detail| detail.wait_event_type.as_deref() == Some("Lock"));
    InTheWay {
        waits,
        pid,
        session,
        prepared,
        locks: locks.into_values().collect(),
        age,
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, us};
    use super::*;
    use pgdriver::catalog::RelationName;

    fn held(pid: i32, mode: LockMode, xact_age: Option<u64>) -> Held {
        let seen = |age| sample::session(pid, "active", Duration::from_millis(age));
        Held {
            relation: RelationName::new("public", "item"),
            mode,
            granted: true,
            waited: None,
            transaction: format!("{pid}/1"),
            pid,
            prepared: None,
            session: Some(xact_age.map_or_else(|| sample::hidden(pid), seen)),
        }
    }

    #[test]
    fn traffic_is_counted_and_what_stays_is_named_once() {
        let all = vec![
            held(1, LockMode::AccessShare, Some(20)),
            held(2, LockMode::AccessShare, Some(4000)),
            held(2, LockMode::RowExclusive, Some(4000)),
            held(3, LockMode::RowShare, Some(90_000)),
        ];
        let found = Readiness::of(Vec::new(), all, &[], &us(), Literals::Hidden);
        assert_eq!(found.passing, 1);
        let pids: Vec<i32> = found.in_the_way.iter().map(|other| other.pid).collect();
        assert_eq!(pids, [3, 2]);
        assert_eq!(
            found.in_the_way[1].has(),
            "holds ROW EXCLUSIVE on public.item"
        );
        let query = found.in_the_way[1]
            .session
            .as_ref()
            .and_then(|s| Some(s.detail.seen()?.query.as_str()));
        assert_eq!(query, Some("SELECT ?"));
        assert_eq!(found.findings().len(), 2);
    }

    #[test]
    fn whose_age_is_hidden_is_in_the_way_if_it_stays() {
        let all = vec![
            held(1, LockMode::AccessShare, None),
            held(2, LockMode::AccessShare, None),
            held(3, LockMode::AccessShare, Some(5000)),
        ];
        let mut next = held(2, LockMode::AccessShare, None);
        next.transaction = "2/2".to_owned();
        let (stay, gone) = stayed(all, &[held(1, LockMode::AccessShare, None), next]);
        let pids: Vec<i32> = stay.iter().map(|held| held.pid).collect();
        assert_eq!((pids, gone), (vec![1, 3], 1));
    }
}
