//! Who waits for whom, as pure functions over edges.
//!
//! Absent: where the edges come from, and pids that only look like blockers: PostgreSQL itself names a queued waiter
//! as a blocker, so what counts is the roots.

use std::collections::BTreeSet;

/// `waiter` waits for `blocker`; 0 is a prepared transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// The server process that waits.
    pub waiter: i32,
    /// What it waits for.
    pub blocker: i32,
}

/// The direct blockers of `pid`, without repeats.
pub fn direct(edges: &[Edge], pid: i32) -> Vec<i32> {
    let found: BTreeSet<_> = edges
        .iter()
        .filter(|edge| edge.waiter == pid)
        .map(|edge| edge.blocker)
        .collect();
    found.into_iter().collect()
}

/// Those at the end of the chains from `pid`, who wait for nobody. In a cycle there is no end: then its members.
pub fn roots(edges: &[Edge], pid: i32) -> Vec<i32> {
    let reached = reach(edges, pid, |edge| (edge.waiter, edge.blocker));
    let waits = |pid: &i32| edges.iter().any(|edge| edge.waiter == *pid);
    let ends: Vec<_> = reached.iter().copied().filter(|pid| !waits(pid)).collect();
    if ends.is_empty() {
        reached.into_iter().collect()
    } else {
        ends
    }
}

/// All who would go on if `pid` let go of everything: those that wait for it, directly or through others.
pub fn queued_behind(edges: &[Edge], pid: i32) -> Vec<i32> {
    reach(edges, pid, |edge| (edge.blocker, edge.waiter))
        .into_iter()
        .collect()
}

fn reach(edges: &[Edge], start: i32, ends: impl Fn(&Edge) -> (i32, i32)) -> BTreeSet<i32> {
    let mut seen = BTreeSet::new();
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        for (_, to) in edges.iter().map(&ends).filter(|(from, _)| *from == at) {
            if to != start && seen.insert(to) {
                open.push(to);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::{Edge, direct, queued_behind, roots};

    fn edges(pairs: &[(i32, i32)]) -> Vec<Edge> {
        pairs
            .iter()
            .map(|&(waiter, blocker)| Edge { waiter, blocker })
            .collect()
    }

    #[track_caller]
    fn check(pairs: &[(i32, i32)], pid: i32, expected: (&[i32], &[i32], &[i32])) {
        let edges = edges(pairs);
        assert_eq!(direct(&edges, pid), expected.0, "direct");
        assert_eq!(roots(&edges, pid), expected.1, "roots");
        assert_eq!(queued_behind(&edges, pid), expected.2, "behind");
    }

    #[test]
    fn chains_diamonds_cycles() {
        check(&[], 1, (&[], &[], &[]));
        check(&[(1, 2)], 1, (&[2], &[2], &[]));
        check(&[(1, 2)], 2, (&[], &[], &[1]));
        check(&[(1, 2), (2, 3)], 1, (&[2], &[3], &[]));
        check(&[(1, 2), (2, 3)], 3, (&[], &[], &[1, 2]));
        // a waiter queued before us, and the holder of both; a parallel leader named twice
        check(&[(1, 2), (1, 3), (1, 3), (2, 3)], 1, (&[2, 3], &[3], &[]));
        check(&[(1, 0), (4, 1)], 1, (&[0], &[0], &[4]));
        check(&[(1, 2), (2, 1)], 1, (&[2], &[2], &[2]));
        check(&[(1, 2), (2, 3), (3, 2)], 1, (&[2], &[2, 3], &[]));
    }
}
