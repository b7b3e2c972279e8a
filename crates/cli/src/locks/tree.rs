//! Waiters under their blockers: the wait graph as trees that start at the roots.
//!
//! Each waiter stands once, as near to a root as it can; whom else it waits for is named beside it. A queue of a
//! thousand is thus a flat list and not a staircase, though each of them waits for all before it. Pure. Absent here:
//! what the sessions are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use pgdriver::activity::Edge;

/// A session in the tree, with those that wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Below 1 it is a prepared transaction, see [`super::Root::prepared`].
    pub(crate) pid: i32,
    /// It waits for these too, besides the one that it stands under.
    pub(crate) also: Vec<i32>,
    pub(crate) children: Vec<Node>,
}

impl Node {
    /// How many sessions stand below.
    pub(crate) fn below(&self) -> usize {
        self.children.iter().map(|child| 1 + child.below()).sum()
    }
}

/// Whom to speak to, and who goes on then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// One; of a cycle all its members, the first of which is the tree's.
    pub(super) roots: Vec<i32>,
    /// Each of them waits for another: the server ends one after deadlock_timeout.
    pub(super) cycle: bool,
    /// All who would go on, also those that stand in another tree.
    pub(super) behind: BTreeSet<i32>,
    pub(super) tree: Node,
}

/// A worker of a parallel query waits and blocks for its leader: one session, not two.
pub(super) fn fold(edges: &[Edge], leader: impl Fn(i32) -> Option<i32>) -> Vec<Edge> {
    let whole = |pid: i32| leader(pid).unwrap_or(pid);
    let folded: BTreeSet<Edge> = edges
        .iter()
        .map(|edge| Edge {
            waiter: whole(edge.waiter),
            blocker: whole(edge.blocker),
        })
        .filter(|edge| edge.waiter != edge.blocker)
        .collect();
    folded.into_iter().collect()
}

/// Everybody whom edges connect with one of `starts`. Edges to a prepared transaction connect like all others.
pub(super) fn connected(edges: &[Edge], starts: BTreeSet<i32>) -> BTreeSet<i32> {
    let graph = Graph::of(edges);
    let mut near = starts;
    let mut open: Vec<i32> = near.iter().copied().collect();
    while let Some(at) = open.pop() {
        let (before, behind) = (graph.before.get(&at), graph.behind.get(&at));
        let next = before.into_iter().chain(behind).flatten();
        open.extend(next.filter(|pid| near.insert(**pid)));
    }
    near
}

/// Every root with its tree; `order` tells which of two siblings comes first.
pub(super) fn groups<K: Ord>(edges: &[Edge], order: impl Fn(i32) -> K) -> Vec<Group> {
    let graph = Graph::of(edges);
    let ends = graph
        .behind
        .keys()
        .filter(|pid| !graph.before.contains_key(pid));
    let mut starts: Vec<Vec<i32>> = ends.map(|pid| vec![*pid]).collect();
    let mut covered: BTreeSet<i32> = starts
        .iter()
        .flat_map(|s| graph.reach(&graph.behind, s))
        .collect();
    for pid in graph.before.keys() {
        if covered.contains(pid) {
            continue;
        }
        let ahead = graph.reach(&graph.before, &[*pid]);
        if !ahead.contains(pid) {
            continue;
        }
        let cycle = ahead
            .into_iter()
            .filter(|other| graph.reach(&graph.before, &[*other]).contains(pid));
        let cycle: Vec<i32> = cycle.collect();
        covered.extend(graph.reach(&graph.behind, &cycle));
        starts.push(cycle);
    }
    let parents = graph.parents(&starts);
    let group = |roots: Vec<i32>| Group {
        cycle: graph.before.contains_key(&roots[0]),
        behind: graph
            .reach(&graph.behind, &roots)
            .into_iter()
            .filter(|pid| !roots.contains(pid))
            .collect(),
        tree: graph.node(roots[0], &parents, &order),
        roots,
    };
    starts.into_iter().map(group).collect()
}

struct Graph {
    /// Whom a waiter waits for.
    before: BTreeMap<i32, BTreeSet<i32>>,
    /// Who waits for a blocker.
    behind: BTreeMap<i32, BTreeSet<i32>>,
}

impl Graph {
    fn of(edges: &[Edge]) -> Self {
        let (mut before, mut behind) = (
            BTreeMap::<i32, BTreeSet<i32>>::new(),
            BTreeMap::<i32, BTreeSet<i32>>::new(),
        );
        for Edge { waiter, blocker } in edges {
            before.entry(*waiter).or_default().insert(*blocker);
            behind.entry(*blocker).or_default().insert(*waiter);
        }
        Self { before, behind }
    }

    /// All that is one step or more away; a start is among them only where a way leads back to it.
    fn reach(&self, steps: &BTreeMap<i32, BTreeSet<i32>>, starts: &[i32]) -> BTreeSet<i32> {
        let mut seen = BTreeSet::new();
        let mut open = starts.to_vec();
        while let Some(at) = open.pop() {
            let next = steps.get(&at).into_iter().flatten();
            open.extend(next.filter(|pid| seen.insert(**pid)));
        }
        seen
    }

    /// Under whom each waiter stands: the nearest to a root of those that it waits for.
    fn parents(&self, starts: &[Vec<i32>]) -> BTreeMap<i32, i32> {
        let mut parents = BTreeMap::new();
        let mut seen: BTreeSet<i32> = starts.iter().map(|roots| roots[0]).collect();
        let mut open: VecDeque<i32> = seen.iter().copied().collect();
        while let Some(at) = open.pop_front() {
            for waiter in self.behind.get(&at).into_iter().flatten() {
                if seen.insert(*waiter) {
                    parents.insert(*waiter, at);
                    open.push_back(*waiter);
                }
            }
        }
        parents
    }

    fn node<K: Ord>(
        &self,
        pid: i32,
        parents: &BTreeMap<i32, i32>,
        order: &impl Fn(i32) -> K,
    ) -> Node {
        let parent = parents.get(&pid);
        let all = self.behind.get(&pid).into_iter().flatten();
        let mut below: Vec<i32> = all
            .filter(|child| parents.get(child) == Some(&pid))
            .copied()
            .collect();
        below.sort_by_key(|child| order(*child));
        let before = self.before.get(&pid).into_iter().flatten();
        Node {
            pid,
            also: before
                .filter(|blocker| Some(*blocker) != parent)
                .copied()
                .collect(),
            children: below
                .into_iter()
                .map(|child| self.node(child, parents, order))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(pairs: &[(i32, i32)]) -> Vec<Edge> {
        let edge = |&(waiter, blocker): &(i32, i32)| Edge { waiter, blocker };
        pairs.iter().map(edge).collect()
    }

    /// `3(2(1) 4+5)`: who stands under whom, and behind a plus whom else it waits for.
    fn written(node: &Node) -> String {
        let mut text = node.pid.to_string();
        node.also
            .iter()
            .for_each(|pid| text.push_str(&format!("+{pid}")));
        if !node.children.is_empty() {
            let below: Vec<String> = node.children.iter().map(written).collect();
            text.push_str(&format!("({})", below.join(" ")));
        }
        text
    }

    #[track_caller]
    fn check(pairs: &[(i32, i32)], expected: &[&str]) {
        let groups = groups(&edges(pairs), |pid| pid);
        let trees: Vec<String> = groups.iter().map(|group| written(&group.tree)).collect();
        assert_eq!(trees, expected);
    }

    #[test]
    fn everybody_stands_once_near_a_root() {
        check(&[], &[]);
        check(&[(1, 2)], &["2(1)"]);
        check(&[(1, 2), (2, 3)], &["3(2(1))"]);
        // queued behind 2, and in conflict with the holder too
        check(&[(1, 2), (1, 3), (2, 3)], &["3(1+2 2)"]);
        // two holders of one lock
        check(&[(1, 8), (1, 9), (2, 1)], &["8(1+9(2))", "9"]);
        check(&[(1, 0), (4, 1)], &["0(1(4))"]);
    }

    #[test]
    fn a_cycle_is_one_group_and_its_queue_stands_below() {
        check(&[(1, 2), (2, 1)], &["1+2(2)"]);
        check(&[(1, 2), (2, 3), (3, 2), (4, 1)], &["2+3(1(4) 3)"]);
        let found = groups(&edges(&[(1, 2), (2, 3), (3, 2), (4, 1)]), |pid| pid);
        assert_eq!(
            (found[0].roots.as_slice(), found[0].cycle),
            ([2, 3].as_slice(), true)
        );
        assert_eq!(found[0].behind, BTreeSet::from([1, 4]));
        // a cycle with a way out hangs on its end
        check(&[(1, 2), (2, 1), (2, 7)], &["7(2+1(1))"]);
    }

    #[test]
    fn a_long_queue_is_flat() {
        let mut pairs = Vec::new();
        for waiter in 1..=300 {
            pairs.push((waiter, 0));
            pairs.extend((1..waiter).map(|before| (waiter, before)));
        }
        let found = groups(&edges(&pairs), |pid| pid);
        assert_eq!(
            (
                found.len(),
                found[0].behind.len(),
                found[0].tree.children.len()
            ),
            (1, 300, 300)
        );
    }

    #[test]
    fn workers_stand_for_their_leader() {
        let leader = |pid| (pid == 11 || pid == 12).then_some(10);
        let found = fold(&edges(&[(11, 5), (12, 5), (3, 11), (11, 10)]), leader);
        assert_eq!(found, edges(&[(3, 10), (10, 5)]));
    }
}
