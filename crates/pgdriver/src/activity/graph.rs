//! Who waits for whom, as pure functions over edges.
//!
//! Absent: where the edges come from, and pids that only look like blockers: PostgreSQL itself names a queued waiter
//! as a blocker, so what counts is the roots.

use std::collections::{BTreeMap, BTreeSet};

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

/// Those at the end of the chains from `pid`, who wait for nobody. A cycle that leads nowhere else is an end, too: then
/// its members, without `pid` itself.
pub fn roots(edges: &[Edge], pid: i32) -> Vec<i32> {
    let mut all = all_roots(edges);
    let mut roots = all.remove(&pid).unwrap_or_default();
    roots.remove(&pid);
    roots.into_iter().collect()
}

/// The roots of everybody who waits. A thousand waiters have half a million edges: one pass for all of them.
pub fn all_roots(edges: &[Edge]) -> BTreeMap<i32, BTreeSet<i32>> {
    let links = links(edges, |edge| (edge.waiter, edge.blocker));
    let mut roots: BTreeMap<i32, BTreeSet<i32>> = BTreeMap::new();
    // whoever a component waits for comes before it
    for component in components(&links) {
        let outside = component
            .iter()
            .flat_map(|pid| links.get(pid).into_iter().flatten())
            .filter(|to| !component.contains(to));
        let mut found = BTreeSet::new();
        let mut ends = true;
        for to in outside {
            ends = false;
            match roots.get(to) {
                Some(further) => found.extend(further),
                None => found.extend([*to]),
            }
        }
        if ends {
            found.extend(&component);
        }
        let waits = component.iter().any(|pid| links.contains_key(pid));
        if waits {
            roots.extend(component.iter().map(|pid| (*pid, found.clone())));
        }
    }
    roots
}

/// Takes out those who wait for somebody unknown, and whoever would stand there as one that waits for nobody without them.
pub(super) fn without_open(edges: &mut Vec<Edge>, mut open: BTreeSet<i32>) {
    while !open.is_empty() {
        let before: BTreeSet<i32> = edges.iter().map(|edge| edge.waiter).collect();
        edges.retain(|edge| !open.contains(&edge.blocker));
        let after: BTreeSet<i32> = edges.iter().map(|edge| edge.waiter).collect();
        open = before.difference(&after).copied().collect();
    }
}

/// Those who wait for each other, in groups: a deadlock, if nobody gives up. PostgreSQL ends one of them after
/// deadlock_timeout.
pub fn cycles(edges: &[Edge]) -> Vec<Vec<i32>> {
    let links = links(edges, |edge| (edge.waiter, edge.blocker));
    let mut cycles: Vec<Vec<i32>> = components(&links)
        .into_iter()
        .filter(|component| component.len() > 1)
        .map(|component| component.into_iter().collect())
        .collect();
    cycles.sort_unstable();
    cycles
}

/// All who would go on if `pid` let go of everything: those that wait for it, directly or through others.
pub fn queued_behind(edges: &[Edge], pid: i32) -> Vec<i32> {
    behind_all(edges, &[pid])
}

/// All who wait for one of these, directly or through others, without these.
pub fn behind_all(edges: &[Edge], pids: &[i32]) -> Vec<i32> {
    let links = links(edges, |edge| (edge.blocker, edge.waiter));
    let mut seen: BTreeSet<i32> = pids.iter().copied().collect();
    let mut open = pids.to_vec();
    while let Some(at) = open.pop() {
        for to in links.get(&at).into_iter().flatten() {
            if seen.insert(*to) {
                open.push(*to);
            }
        }
    }
    seen.retain(|pid| !pids.contains(pid));
    seen.into_iter().collect()
}

/// Each of those behind `pid`, with the one among them that waits for it directly and stands before it by the shortest way.
pub(super) fn behind_whom(edges: &[Edge], pid: i32) -> BTreeMap<i32, i32> {
    let links = links(edges, |edge| (edge.blocker, edge.waiter));
    let mut first: BTreeMap<i32, i32> = BTreeMap::new();
    let mut open = std::collections::VecDeque::from([pid]);
    while let Some(at) = open.pop_front() {
        for to in links.get(&at).into_iter().flatten() {
            if *to != pid && !first.contains_key(to) {
                first.insert(*to, first.get(&at).copied().unwrap_or(*to));
                open.push_back(*to);
            }
        }
    }
    first
}

type Links = BTreeMap<i32, BTreeSet<i32>>;

fn links(edges: &[Edge], ends: impl Fn(&Edge) -> (i32, i32)) -> Links {
    let mut links = Links::new();
    for (from, to) in edges.iter().map(ends) {
        links.entry(from).or_default().insert(to);
    }
    links
}

/// Tarjan's strongly connected components, those that others lead to first. Without recursion: a queue may be long.
fn components(links: &Links) -> Vec<BTreeSet<i32>> {
    let mut search = Search::default();
    for start in links.keys() {
        if !search.index.contains_key(start) {
            search.from(links, *start);
        }
    }
    search.found
}

#[derive(Default)]
struct Search {
    index: BTreeMap<i32, usize>,
    low: BTreeMap<i32, usize>,
    stack: Vec<i32>,
    on_stack: BTreeSet<i32>,
    found: Vec<BTreeSet<i32>>,
}

impl Search {
    fn from(&mut self, links: &Links, start: i32) {
        let next = |pid: i32| links.get(&pid).into_iter().flatten().copied();
        self.enter(start);
        let mut path = vec![(start, next(start).collect::<Vec<_>>())];
        while let Some((at, rest)) = path.last_mut() {
            let at = *at;
            if let Some(to) = rest.pop() {
                if !self.index.contains_key(&to) {
                    self.enter(to);
                    path.push((to, next(to).collect()));
                } else if self.on_stack.contains(&to) {
                    self.lower(at, self.index[&to]);
                }
                continue;
            }
            path.pop();
            if let Some((before, _)) = path.last() {
                self.lower(*before, self.low[&at]);
            }
            if self.low[&at] == self.index[&at] {
                self.close(at);
            }
        }
    }

    fn enter(&mut self, pid: i32) {
        let number = self.index.len();
        self.index.insert(pid, number);
        self.low.insert(pid, number);
        self.stack.push(pid);
        self.on_stack.insert(pid);
    }

    fn lower(&mut self, pid: i32, to: usize) {
        self.low
            .entry(pid)
            .and_modify(|low| *low = to.min(*low))
            .or_insert(to);
    }

    fn close(&mut self, pid: i32) {
        let at = self.stack.iter().rposition(|other| *other == pid);
        let component: BTreeSet<i32> = self.stack.drain(at.unwrap_or(0)..).collect();
        self.on_stack.retain(|pid| !component.contains(pid));
        self.found.push(component);
    }
}

#[cfg(test)]
mod tests {
    use super::{Edge, behind_all, cycles, direct, queued_behind, roots, without_open};

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
        // a diamond
        check(&[(1, 2), (1, 3), (2, 4), (3, 4)], 1, (&[2, 3], &[4], &[]));
        // a cycle that waits for somebody else is not the end of it
        check(&[(1, 2), (2, 1), (2, 9)], 1, (&[2], &[9], &[2]));
        // an end and a cycle: both stand in the way
        check(
            &[(1, 2), (1, 5), (5, 6), (6, 5)],
            1,
            (&[2, 5], &[2, 5, 6], &[]),
        );
    }

    #[test]
    fn those_who_wait_for_each_other() {
        let edges = edges(&[(1, 2), (2, 3), (3, 2), (4, 5), (5, 6), (6, 4), (7, 1)]);
        assert_eq!(cycles(&edges), [vec![2, 3], vec![4, 5, 6]]);
        assert_eq!(behind_all(&edges, &[2, 3]), [1, 7]);
    }

    #[test]
    fn a_long_queue_is_no_deep_recursion() {
        let pairs: Vec<(i32, i32)> = (1..700)
            .flat_map(|waiter| (0..waiter).map(move |blocker| (waiter, blocker)))
            .collect();
        let edges = edges(&pairs);
        assert_eq!(roots(&edges, 699), [0]);
        assert_eq!(queued_behind(&edges, 0).len(), 699);
    }

    #[test]
    fn whoever_waits_for_the_unknown_is_no_root() {
        // 5 was not asked; 4 waits for it alone, 3 for 4 alone; 2 waits for 4 and for 1
        let mut found = edges(&[(2, 1), (2, 4), (3, 4), (4, 5)]);
        without_open(&mut found, [5].into());
        assert_eq!(found, edges(&[(2, 1)]));
    }
}
