//! At the ends of the chains of a wait graph: the causes, with who waits for each and what helps.
//!
//! Absent: doing anything about them.

use std::collections::BTreeSet;

use super::graph;
use super::remedy::{Action, Remedy, remedy, remedy_for_prepared};
use super::wait_graph::{Blocking, WaitGraph};

/// What a chain of waits ends with, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The session; 0 is a prepared transaction.
    pub pid: i32,
    /// Its name.
    pub prepared: Option<String>,
    /// The others that it waits for and that wait for it, if it is one of a cycle.
    pub cycle: Vec<i32>,
    /// Who waits for it, directly or through others.
    pub behind: Vec<i32>,
    /// What helps.
    pub remedy: Remedy,
}

impl WaitGraph {
    /// The causes of everything in the graph, those that most wait for first.
    pub fn causes(&self) -> Vec<Cause> {
        let all = graph::all_roots(&self.edges);
        self.causes_among(&all.into_values().flatten().collect())
    }

    /// What `pid` waits for in the end.
    pub fn causes_of(&self, pid: i32) -> Vec<Cause> {
        self.causes_among(&self.roots(pid).into_iter().collect())
    }

    fn causes_among(&self, roots: &BTreeSet<i32>) -> Vec<Cause> {
        let cycles = graph::cycles(&self.edges);
        let mut causes: Vec<Cause> = Vec::new();
        for root in roots {
            match root {
                0 => causes.extend(self.prepared_causes()),
                pid => causes.push(self.cause(*pid, &cycles)),
            }
        }
        causes.sort_by_key(|cause| (std::cmp::Reverse(cause.behind.len()), cause.pid));
        causes
    }

    fn cause(&self, pid: i32, cycles: &[Vec<i32>]) -> Cause {
        let mut cycle = cycles
            .iter()
            .find(|cycle| cycle.contains(&pid))
            .cloned()
            .unwrap_or_default();
        cycle.retain(|other| *other != pid);
        let remedy = match self.session(pid) {
            None => Remedy::of(Action::None),
            Some(_) if !cycle.is_empty() => Remedy::of(Action::WaitForDeadlockCheck {
                pid,
                deadlock_timeout: self.asker.deadlock_timeout,
            }),
            Some(session) => remedy(session, &self.asker),
        };
        Cause {
            pid,
            prepared: None,
            cycle,
            behind: self.queued_behind(pid),
            remedy,
        }
    }

    fn prepared_causes(&self) -> Vec<Cause> {
        let cause = |prepared: Option<String>, behind: Vec<i32>, remedy: Remedy| Cause {
            pid: 0,
            prepared,
            cycle: Vec::new(),
            behind,
            remedy,
        };
        if self.prepared.is_empty() {
            let behind = self.queued_behind(0);
            return vec![cause(None, behind, Remedy::of(Action::FindPrepared))];
        }
        let each = self.prepared.iter().map(|one| {
            let by_it = |blocking: &&Blocking| blocking.prepared.as_deref() == Some(&one.gid);
            let direct: Vec<i32> = self
                .blocking
                .iter()
                .filter(by_it)
                .map(|b| b.waiter)
                .collect();
            let mut behind = graph::behind_all(&self.edges, &direct);
            behind.extend(direct);
            behind.sort_unstable();
            behind.dedup();
            cause(
                Some(one.gid.clone()),
                behind,
                remedy_for_prepared(one, &self.asker),
            )
        });
        each.collect()
    }
}
