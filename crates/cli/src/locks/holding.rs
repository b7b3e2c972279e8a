//! Strong locks, whether anybody waits for them or not, and runs of this tool, as the database shows them. Pure.
//!
//! A run at its gate stands in no queue and holds nothing: it says by its application_name for whom it waits. Absent
//! here: asking, and layout.

use std::collections::BTreeMap;

use pgdriver::activity::SessionInfo;
use pgdriver::activity::locks::{LockMode, Strong};
use pgdriver::catalog::RelationName;

use crate::lock::at_gate;

/// Who holds locks of SHARE UPDATE EXCLUSIVE and stronger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Holders {
    /// The oldest transaction first, prepared ones before all.
    pub(crate) some: Vec<Holding>,
    /// How many transactions there are; none: the server cancelled the question.
    pub(crate) all: Option<u64>,
}

/// A transaction with its strong locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holding {
    /// 0 is a prepared transaction.
    pub(crate) pid: i32,
    pub(crate) prepared: Option<String>,
    /// The strongest first, not all of them.
    pub(crate) locks: Vec<(RelationName, LockMode)>,
    pub(crate) relations: u64,
}

impl Holding {
    /// `ACCESS EXCLUSIVE on public.item, SHARE on public.line and 2 more`
    pub(crate) fn has(&self) -> String {
        const SHOWN: usize = 2;
        let shown: Vec<String> = self
            .locks
            .iter()
            .take(SHOWN)
            .map(|(relation, mode)| format!("{mode} on {relation}"))
            .collect();
        let more = match self.relations.saturating_sub(shown.len() as u64) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!("{}{more}", shown.join(", "))
    }
}

/// A run of this tool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Run {
    /// None: it gives itself another name, as older versions do.
    pub(crate) id: Option<String>,
    /// The session that holds the advisory lock; none: the run is over, or was killed, and left sessions.
    pub(crate) lock: Option<i32>,
    /// Of the plan's fingerprint.
    pub(crate) plan: Option<String>,
    pub(crate) host: Option<String>,
    /// The sessions of `migrate`.
    pub(crate) migrate: Vec<i32>,
    /// Where it stands at its gate: for whom it waits there; 0 is a prepared transaction.
    pub(crate) gate: Option<Vec<i32>>,
}

/// Those of the crowd that are still there, a parallel query by its leader.
pub(super) fn holders(strong: Option<&Strong>, sessions: &[SessionInfo]) -> Holders {
    let Some(strong) = strong else {
        return Holders::default();
    };
    let by_pid: BTreeMap<i32, &SessionInfo> = sessions.iter().map(|one| (one.pid, one)).collect();
    let works_for_another = |pid: i32| {
        let leader = by_pid.get(&pid).and_then(|session| session.leader());
        leader.is_some_and(|leader| strong.holders.iter().any(|other| other.pid == leader))
    };
    let age = |pid: i32| {
        let session = by_pid.get(&pid);
        session.and_then(|session| session.detail.seen()?.xact_age)
    };
    let mut some: Vec<Holding> = strong
        .holders
        .iter()
        .filter(|holder| !works_for_another(holder.pid))
        .map(|holder| Holding {
            pid: holder.pid,
            prepared: holder.prepared.clone(),
            locks: holder.locks.clone(),
            relations: holder.relations,
        })
        .collect();
    some.sort_by_key(|one| (one.pid != 0, std::cmp::Reverse(age(one.pid))));
    let workers = strong.holders.len() - some.len();
    Holders {
        some,
        all: Some(strong.transactions.saturating_sub(workers as u64)),
    }
}

/// By the lock that a run holds, and by the names that its sessions give themselves, which every role may see.
pub(super) fn runs(strong: Option<&Strong>, sessions: &[SessionInfo]) -> Vec<Run> {
    let lock: &[i32] = strong.map_or(&[], |strong| &strong.advisory);
    let mut found: BTreeMap<String, Run> = BTreeMap::new();
    let mut unnamed = Vec::new();
    for session in sessions {
        let holds = lock.contains(&session.pid);
        let name = session.application.as_deref().unwrap_or_default();
        let words: Vec<&str> = match name.strip_prefix("django-migrate ") {
            Some(rest) => rest.split_whitespace().collect(),
            None => Vec::new(),
        };
        let Some((id, rest)) = words.split_first() else {
            if holds {
                unnamed.push(Run {
                    lock: Some(session.pid),
                    ..Run::default()
                });
            }
            continue;
        };
        let run = found.entry((*id).to_owned()).or_default();
        run.id = Some((*id).to_owned());
        if let Some(pids) = at_gate(name) {
            run.gate = Some(pids);
        } else if rest.is_empty() {
            run.migrate.push(session.pid);
        } else {
            run.plan = rest.first().map(|plan| (*plan).to_owned());
            run.host = rest
                .last()
                .filter(|_| rest.len() > 1)
                .map(|host| (*host).to_owned());
        }
        if holds {
            run.lock = Some(session.pid);
        }
    }
    found.into_values().chain(unnamed).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use pgdriver::activity::locks::Holder;

    fn named(pid: i32, application: &str) -> SessionInfo {
        let mut session = sample::hidden(pid);
        session.application = Some(application.to_owned());
        session
    }

    #[test]
    fn a_run_is_told_by_the_names_of_its_sessions() {
        let sessions = [
            named(1, "django-migrate 20261123-042845-77 0011aabb db-host"),
            named(2, "django-migrate 20261123-042845-77"),
            named(3, "django-migrate 20261123-042845-77 gate 9,0"),
            named(4, "django-migrate"),
            named(5, "django-migrate 20261122-010101-5"),
            named(6, "psql"),
        ];
        let strong = Strong {
            advisory: vec![1, 6],
            ..Strong::default()
        };
        let found = runs(Some(&strong), &sessions);
        let told: Vec<_> = found
            .iter()
            .map(|run| (run.id.as_deref(), run.lock, run.migrate.clone()))
            .collect();
        assert_eq!(
            told,
            [
                (Some("20261122-010101-5"), None, vec![5]),
                (Some("20261123-042845-77"), Some(1), vec![2]),
                (None, Some(6), vec![]),
            ]
        );
        assert_eq!(found[1].gate, Some(vec![9, 0]));
        assert_eq!(
            (found[1].plan.as_deref(), found[1].host.as_deref()),
            (Some("0011aabb"), Some("db-host"))
        );
    }

    #[test]
    fn what_is_held_is_cut_and_says_so() {
        let item = |name: &str| (RelationName::new("public", name), LockMode::Share);
        let holder = |pid| Holder {
            pid,
            prepared: None,
            transaction: format!("{pid}/1"),
            locks: vec![item("a"), item("b"), item("c")],
            relations: 9,
        };
        let mut worker = sample::session(2, "active", std::time::Duration::ZERO);
        let detail = sample::detail(&mut worker);
        detail.backend_type = Some("parallel worker".to_owned());
        detail.leader = Some(1);
        let strong = Strong {
            holders: vec![holder(1), holder(2)],
            transactions: 60,
            advisory: Vec::new(),
        };
        let found = holders(Some(&strong), &[sample::hidden(1), worker]);
        assert_eq!((found.some.len(), found.all), (1, Some(59)));
        assert_eq!(
            found.some[0].has(),
            "SHARE on public.a, SHARE on public.b and 7 more"
        );
        assert_eq!(holders(None, &[]).all, None);
    }
}
