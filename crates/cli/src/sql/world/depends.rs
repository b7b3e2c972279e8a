//! What goes with what when it is dropped: pg_depend, as far as it leads to relations. Absent: the dropping (see `ask`).

use std::collections::{BTreeMap, BTreeSet};

use super::Id;

/// An object, or a column of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    Relation(Id),
    Column(Id, i32),
    Part(Class, Id),
}

/// The catalogs that matter; of the others the number only keeps them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Constraint,
    Default,
    Trigger,
    Policy,
    Rule,
    Statistics,
    Type,
    Function,
    Schema,
    Extension,
    Publication,
    Other,
}

impl Class {
    pub(super) fn of(catalog: &str) -> Self {
        match catalog {
            "pg_constraint" => Self::Constraint,
            "pg_attrdef" => Self::Default,
            "pg_trigger" => Self::Trigger,
            "pg_policy" => Self::Policy,
            "pg_rewrite" => Self::Rule,
            "pg_statistic_ext" => Self::Statistics,
            "pg_type" => Self::Type,
            "pg_proc" => Self::Function,
            "pg_namespace" => Self::Schema,
            "pg_extension" => Self::Extension,
            "pg_publication" => Self::Publication,
            _ => Self::Other,
        }
    }
}

/// What becomes of a dependent without CASCADE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    /// It keeps what it depends on from being dropped.
    Normal,
    /// It goes as well: an index with its table.
    Owned,
}

/// Who depends on whom.
#[derive(Debug, Clone, Default)]
pub(super) struct Depends {
    dependents: BTreeMap<Node, BTreeMap<Node, How>>,
    /// The same from the other end.
    needs: BTreeMap<Node, BTreeSet<Node>>,
    /// The table, and the name, of a constraint, default, trigger, policy, rule or statistics object.
    tables: BTreeMap<Node, (Id, String)>,
}

impl Depends {
    pub(super) fn add(&mut self, dependent: Node, on: Node, how: How) {
        if dependent != on {
            let dependents = self.dependents.entry(on).or_default();
            let known = dependents.entry(dependent).or_insert(how);
            *known = how.max(*known);
            self.needs.entry(dependent).or_default().insert(on);
        }
    }

    pub(super) fn part_of(&mut self, part: Node, table: Id, name: String) {
        self.tables.insert(part, (table, name));
    }

    pub(super) fn table_of(&self, part: &Node) -> Option<(Id, &str)> {
        self.tables
            .get(part)
            .map(|(table, name)| (*table, name.as_str()))
    }

    pub(super) fn parts(&self, table: Id) -> impl Iterator<Item = Node> + '_ {
        self.tables
            .iter()
            .filter(move |(_, (id, _))| *id == table)
            .map(|(part, _)| *part)
    }

    /// With a relation all of its columns go.
    pub(super) fn on(&self, node: Node) -> impl Iterator<Item = (Node, How)> + '_ {
        let last = match node {
            Node::Relation(id) => Node::Column(id, i32::MAX),
            other => other,
        };
        let own = self.dependents.get(&node).into_iter().flatten();
        let columns = match node {
            Node::Relation(id) => Some(self.dependents.range(Node::Column(id, i32::MIN)..=last)),
            _ => None,
        };
        let of_columns = columns.into_iter().flatten().flat_map(|(_, nodes)| nodes);
        own.chain(of_columns).map(|(node, how)| (*node, *how))
    }

    /// What DROP … RESTRICT of all these stumbles over. Source: findDependentObjects, reportDependentObjects.
    pub(super) fn in_the_way(&self, start: &BTreeSet<Node>) -> BTreeSet<Node> {
        let mut reached: BTreeMap<Node, How> = BTreeMap::new();
        let mut left: Vec<Node> = start.iter().copied().collect();
        while let Some(node) = left.pop() {
            for (dependent, how) in self.on(node) {
                match reached.get_mut(&dependent) {
                    Some(known) => *known = how.max(*known),
                    None => {
                        reached.insert(dependent, how);
                        left.push(dependent);
                    }
                }
            }
        }
        let kept = reached.into_iter().filter(|(_, how)| *how == How::Normal);
        kept.map(|(node, _)| node)
            .filter(|node| !start.contains(node))
            .collect()
    }

    /// It depends on nothing any more.
    pub(super) fn release(&mut self, node: Node) {
        for on in self.needs.remove(&node).unwrap_or_default() {
            if let Some(nodes) = self.dependents.get_mut(&on) {
                nodes.remove(&node);
            }
        }
    }

    /// It is gone, with its columns.
    pub(super) fn forget(&mut self, gone: &BTreeSet<Node>) {
        for node in gone {
            self.release(*node);
            let of_columns: Vec<Node> = match node {
                Node::Relation(id) => {
                    let columns = Node::Column(*id, i32::MIN)..=Node::Column(*id, i32::MAX);
                    self.dependents.range(columns).map(|(on, _)| *on).collect()
                }
                _ => Vec::new(),
            };
            for on in of_columns.iter().chain([node]) {
                self.dependents.remove(on);
            }
            self.tables.remove(node);
        }
    }
}
