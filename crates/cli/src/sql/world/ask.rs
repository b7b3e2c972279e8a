//! Questions to the world. `None` is "nobody knows", never "there is none".

use std::collections::BTreeSet;

use super::depends::Class;
use super::objects::{Extent, Function};
use super::{Id, Key, KeyKind, Node, Object, RelationKind, TypeFacts, World};
use crate::sql::action::Drop;
use crate::sql::cursor::{Cursor, tokens};
use crate::sql::{Relation, StatementKind as Kind};

/// Whether a constraint is a foreign key, and to where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    Known(Relation),
    /// A foreign key, or something that may be one.
    Unknown,
    None,
}

/// Functions in functions that are looked into.
const DEPTH: u8 = 4;

impl World {
    /// Its number, of whatever is known of it. A name without a schema is looked up along the search_path.
    pub(crate) fn id(&self, name: &Relation) -> Option<Id> {
        if let Some(id) = self.names.get(name) {
            return Some(*id);
        }
        let path = self.server.as_ref().map(|server| &server.search_path)?;
        if *name != Relation::unqualified(name.name()) {
            return None;
        }
        path.iter()
            .find_map(|schema| self.names.get(&Relation::new(schema, name.name())).copied())
    }

    pub(crate) fn object(&self, id: Id) -> Option<&Object> {
        self.objects.get(&id)
    }

    /// A relation of which everything is known.
    pub(crate) fn get(&self, name: &Relation) -> Option<(Id, &Object)> {
        let id = self.id(name)?;
        let object = self.objects.get(&id)?;
        (object.extent == Extent::Whole).then_some((id, object))
    }

    pub(crate) fn facts(&self, name: &Relation) -> Option<&Object> {
        self.get(name).map(|(_, object)| object)
    }

    /// The plan created it, so nobody outside the plan uses it.
    pub(crate) fn is_new(&self, name: &Relation) -> bool {
        self.facts(name).is_some_and(|object| object.is_new)
    }

    /// The planner's estimate.
    pub(crate) fn rows(&self, name: &Relation) -> Option<u64> {
        self.facts(name)?.rows
    }

    pub(crate) fn name_of(&self, id: Id) -> Option<&Relation> {
        Some(&self.objects.get(&id)?.name)
    }

    /// None of them is a role of which nothing is known: every relation's owner was read.
    pub(crate) fn owned_by(&self, roles: &[String]) -> Option<BTreeSet<Id>> {
        self.server.as_ref()?;
        let owned = self
            .objects
            .iter()
            .filter(|(_, object)| roles.contains(&object.owner));
        Some(owned.map(|(id, _)| *id).collect())
    }

    /// Every table and materialized view, with its partitions apart.
    pub(crate) fn tables(&self) -> impl Iterator<Item = Id> + '_ {
        let is_table = |object: &Object| {
            object.kind.is_table() || object.kind == RelationKind::MaterializedView
        };
        self.objects
            .iter()
            .filter(move |(_, object)| is_table(object))
            .map(|(id, _)| *id)
    }

    /// The table of an index.
    pub(crate) fn index_table(&self, index: &Relation) -> Option<&Relation> {
        let object = self.facts(index).filter(|object| object.kind.is_index())?;
        self.name_of(object.belongs_to?)
    }

    /// Partitions and inheriting tables, theirs, and so on; partitions of indexes too.
    pub(crate) fn descendants(&self, id: Id) -> BTreeSet<Id> {
        self.closure(id, |object| &object.children)
    }

    /// What a view's query names, what that names, and so on.
    pub(crate) fn below(&self, view: Id) -> BTreeSet<Id> {
        // a materialized view is read as it is
        static NOTHING: BTreeSet<Id> = BTreeSet::new();
        self.closure(view, |object| match object.kind {
            RelationKind::View => &object.reads,
            _ => &NOTHING,
        })
    }

    /// Tables with foreign keys to it, with foreign keys to these, and so on.
    pub(crate) fn all_referrers(&self, id: Id) -> BTreeSet<Id> {
        self.closure(id, |object| &object.referrers)
    }

    fn closure(&self, start: Id, next: impl Fn(&Object) -> &BTreeSet<Id>) -> BTreeSet<Id> {
        let mut found = BTreeSet::new();
        let mut left = vec![start];
        while let Some(id) = left.pop() {
            let Some(object) = self.objects.get(&id) else {
                continue;
            };
            for other in next(object) {
                if *other != start && found.insert(*other) {
                    left.push(*other);
                }
            }
        }
        found
    }

    /// The table that a foreign key refers to, as it is called now, or as it was named where nobody has seen it.
    pub(crate) fn referred<'a>(&'a self, key: &'a Key) -> Option<&'a Relation> {
        match &key.kind {
            KeyKind::Foreign { to, to_name, .. } => {
                Some(to.and_then(|id| self.name_of(id)).unwrap_or(to_name))
            }
            _ => None,
        }
    }

    /// The index behind the columns that a foreign key refers to.
    pub(crate) fn key_index(&self, table: Id, columns: &[String]) -> Option<Id> {
        let object = self.objects.get(&table)?;
        let fits = |id: &&Id| {
            let index = self
                .objects
                .get(id)
                .and_then(|object| object.index.as_ref());
            index.is_some_and(|index| match columns {
                [] => index.is_primary,
                columns => {
                    let keys: BTreeSet<&String> = index.keys.iter().flatten().collect();
                    index.is_unique
                        && keys == columns.iter().collect()
                        && keys.len() == index.keys.len()
                }
            })
        };
        object.indexes.iter().find(fits).copied()
    }

    /// A constraint of `table` that says that a column is not null.
    pub(crate) fn is_proven_not_null(&self, table: Id, column: &str) -> bool {
        let Some(object) = self.objects.get(&table) else {
            return false;
        };
        let proves = |kind: &KeyKind| matches!(kind, KeyKind::Check { proves_not_null: Some(proven) } if proven == column);
        object.column(column).is_some_and(|column| column.not_null)
            || object
                .keys
                .iter()
                .any(|key| key.is_valid && proves(&key.kind))
    }

    /// What a constraint of `table` refers to.
    pub(crate) fn parent(&self, table: &Relation, constraint: &str) -> Parent {
        let known = self.id(table).and_then(|id| self.objects.get(&id));
        let key = known.and_then(|object| object.key(constraint));
        if let Some(parent) = key.and_then(|key| self.referred(key)) {
            return Parent::Known(parent.clone());
        }
        // suffixes that Django and PostgreSQL give to what is no foreign key
        let other = ["_check", "_uniq", "_pk", "_pkey", "_key", "_excl"];
        let is_other =
            self.facts(table).is_some() || other.iter().any(|suffix| constraint.ends_with(suffix));
        if is_other && !self.immediate.contains(constraint) {
            Parent::None
        } else {
            Parent::Unknown
        }
    }

    /// The relations of a schema, and its types and functions.
    pub(crate) fn of_schema(&self, schema: &str) -> Option<BTreeSet<Node>> {
        self.server.as_ref()?;
        let relations = self
            .names
            .iter()
            .filter(|(name, _)| name.schema() == schema);
        let types = self
            .types
            .iter()
            .filter(|(name, _)| name.schema() == schema);
        let functions = self.functions.by_name.values().flatten();
        let functions = functions.filter(|function| function.schema == schema);
        Some(
            relations
                .map(|(_, id)| Node::Relation(*id))
                .chain(types.map(|(_, facts)| Node::Part(Class::Type, facts.id)))
                .chain(functions.map(|function| Node::Part(Class::Function, function.id)))
                .collect(),
        )
    }

    /// The plan created what is dropped here.
    pub(crate) fn created(&self, dropped: &Drop) -> bool {
        let by_kind = (dropped.kind, dropped.name.clone());
        self.created.contains(&by_kind)
            || dropped.kind == Kind::DropType
                && self
                    .types
                    .get(&dropped.name)
                    .is_some_and(|facts| facts.is_new)
    }

    /// What stands behind the name in a DROP; nothing known where that is `None`.
    pub(crate) fn dropped(&self, kind: Kind, name: &Relation) -> Option<BTreeSet<Node>> {
        let one = |node: Option<Node>| node.map(|node| BTreeSet::from([node]));
        let named = |catalog: &str, class| {
            let key = (catalog.to_owned(), name.name().to_owned());
            one(self.named.get(&key).map(|id| Node::Part(class, *id)))
        };
        match kind {
            Kind::DropSchema => self.of_schema(name.name()),
            Kind::DropExtension => named("pg_extension", Class::Extension),
            Kind::DropStatistics => named("pg_statistic_ext", Class::Statistics),
            Kind::DropType | Kind::DropDomain => {
                let composite = self.get(name).map(|(id, _)| Node::Relation(id));
                let facts = self.type_named(name);
                let mut nodes: BTreeSet<Node> = composite.into_iter().collect();
                nodes.extend(facts.map(|facts| Node::Part(Class::Type, facts.id)));
                (!nodes.is_empty()).then_some(nodes)
            }
            Kind::DropFunction => {
                self.server.as_ref()?;
                let all = self.functions.by_name.get(name.name())?;
                Some(
                    all.iter()
                        .map(|function| Node::Part(Class::Function, function.id))
                        .collect(),
                )
            }
            _ => one(self.get(name).map(|(id, _)| Node::Relation(id))),
        }
    }

    /// With everything that goes with it.
    pub(crate) fn with_dependents(&self, start: BTreeSet<Node>) -> BTreeSet<Node> {
        let mut left: Vec<Node> = start.iter().copied().collect();
        let mut all = start;
        while let Some(node) = left.pop() {
            for (dependent, _) in self.depends.on(node) {
                if all.insert(dependent) {
                    left.push(dependent);
                }
            }
        }
        all
    }

    /// It has triggers, those of foreign keys among them.
    pub(crate) fn has_triggers(&self, table: Id) -> bool {
        self.depends
            .parts(table)
            .any(|node| matches!(node, Node::Part(Class::Trigger, _)))
    }

    /// The table that a part belongs to.
    pub(crate) fn table_of(&self, node: &Node) -> Option<Id> {
        self.depends.table_of(node).map(|(table, _)| table)
    }

    /// A part of a table, in words; none of what is no part of its own.
    pub(crate) fn part(&self, node: &Node) -> Option<(Id, String)> {
        let (table, name) = self.depends.table_of(node)?;
        let object = self.objects.get(&table)?;
        let Node::Part(class, _) = node else {
            return None;
        };
        let what = match class {
            Class::Constraint => format!("constraint {name}"),
            Class::Trigger if !name.starts_with("RI_ConstraintTrigger") => {
                format!("trigger {name}")
            }
            Class::Policy => format!("policy {name}"),
            Class::Rule if name != "_RETURN" => format!("rule {name}"),
            Class::Statistics => format!("statistics {name}"),
            Class::Default => {
                let number: i32 = name.parse().ok()?;
                let column = object
                    .columns
                    .iter()
                    .find(|column| column.number == number)?;
                format!("the default of column {}", column.name)
            }
            _ => return None,
        };
        Some((table, format!("{what} of {}", object.name)))
    }

    fn type_named(&self, name: &Relation) -> Option<&TypeFacts> {
        self.types.get(self.type_name(name)?)
    }

    /// The plan made the type.
    pub(crate) fn is_new_type(&self, name: &Relation) -> bool {
        self.type_named(name).is_some_and(|facts| facts.is_new)
    }

    /// As it stands in the catalog.
    pub(super) fn type_name(&self, name: &Relation) -> Option<&Relation> {
        let known = |name: &Relation| self.types.get_key_value(name).map(|(name, _)| name);
        let path = self.server.iter().flat_map(|server| &server.search_path);
        known(name).or_else(|| {
            path.filter(|_| *name == Relation::unqualified(name.name()))
                .find_map(|schema| known(&Relation::new(schema, name.name())))
        })
    }

    /// The type of users that a column's type is; arrays are none.
    pub(crate) fn type_facts(&self, type_name: &str) -> Option<&TypeFacts> {
        if self.types.is_empty() || type_name.ends_with(']') {
            return None;
        }
        let tokens = tokens(type_name)?;
        let mut cursor = Cursor::new(&tokens);
        let name = cursor.relation()?;
        cursor.parenthesised();
        cursor.is_end().then(|| self.type_named(&name))?
    }

    /// Without its domains.
    pub(crate) fn base_type(&self, type_name: &str) -> String {
        let mut name = type_name.to_owned();
        for _ in 0..DEPTH {
            match self.type_facts(&name).and_then(|facts| facts.base.clone()) {
                Some(base) => name = base,
                None => break,
            }
        }
        name
    }

    /// A domain that checks its values, itself or one that it is made of.
    pub(crate) fn is_constrained(&self, type_name: &str) -> bool {
        let mut name = type_name.to_owned();
        for _ in 0..DEPTH {
            let Some(facts) = self.type_facts(&name) else {
                return false;
            };
            match (facts.is_constrained, &facts.base) {
                (true, _) => return true,
                (false, Some(base)) => name = base.clone(),
                (false, None) => return false,
            }
        }
        true
    }

    /// Whether a call gives another value each time: of users' functions by what was declared, or by the words of those that
    /// the planner puts in the place of the call.
    pub(crate) fn is_volatile(&self, function: &str) -> Option<bool> {
        self.is_volatile_at(function, DEPTH)
    }

    fn is_volatile_at(&self, function: &str, depth: u8) -> Option<bool> {
        self.server.as_ref()?;
        let all = self.functions.by_name.get(function)?;
        let own = all.iter().filter(|f| f.schema != "pg_catalog");
        let candidates: Vec<&Function> = match own.clone().count() {
            0 => all.iter().collect(),
            _ => own.collect(),
        };
        let volatile = |function: &&Function| match &function.inlined {
            Some(body) if function.is_volatile => !self.is_plain(body, depth),
            _ => function.is_volatile,
        };
        let any = candidates.iter().any(volatile);
        // of several with one name nobody knows which is meant
        (!any || candidates.iter().all(volatile)).then_some(any)
    }

    /// `SELECT expression`, without a table, and with nothing volatile in it.
    fn is_plain(&self, body: &str, depth: u8) -> bool {
        let Some(tokens) = tokens(body.trim_end().trim_end_matches(';')) else {
            return false;
        };
        let mut cursor = Cursor::new(&tokens);
        let selects = cursor.take("SELECT");
        let blocked = [
            "from", "where", "group", "order", "limit", "union", "select", "with",
        ];
        let steady = |call: &String| {
            depth > 0
                && !self
                    .is_volatile_at(call, depth - 1)
                    .unwrap_or_else(|| !crate::sql::types::is_steady(call))
        };
        selects
            && !cursor.words().any(|word| blocked.contains(&word.as_str()))
            && cursor.calls().iter().all(steady)
    }

    /// Tables with a column of the type, or of a domain over it.
    pub(crate) fn users_of_type(&self, name: &Relation) -> Option<BTreeSet<Id>> {
        self.server.as_ref()?;
        let wanted = self.type_named(name)?.id;
        let is_it = |type_name: &str| {
            let mut name = type_name.to_owned();
            (0..DEPTH).any(|_| match self.type_facts(&name) {
                Some(facts) if facts.id == wanted => true,
                Some(TypeFacts {
                    base: Some(base), ..
                }) => {
                    name = base.clone();
                    false
                }
                _ => false,
            })
        };
        let tables = self.objects.iter().filter(|(_, object)| {
            matches!(
                object.kind,
                RelationKind::Table | RelationKind::MaterializedView | RelationKind::Partitioned
            ) && object.columns.iter().any(|column| is_it(&column.type_name))
        });
        Some(tables.map(|(id, _)| *id).collect())
    }

    /// The session's time zone is that in which a timestamp and a timestamptz are the same bytes.
    pub(crate) fn is_utc(&self) -> bool {
        self.server.as_ref().is_some_and(|server| server.is_utc)
    }

    /// Rows of the table were written whose deferred foreign keys are not checked yet.
    pub(crate) fn has_pending(&self, table: &Relation) -> bool {
        let Some(id) = self.id(table) else {
            return false;
        };
        let mut from = self.pending.range((id, String::new())..);
        from.next().is_some_and(|(pending, _)| *pending == id)
    }

    /// Deferred foreign keys whose rows were written: all, or those of these names.
    pub(crate) fn pending(&self, names: &[String]) -> Vec<(Id, &str)> {
        let meant = |key: &&(Id, String)| names.is_empty() || names.contains(&key.1);
        self.pending
            .iter()
            .filter(meant)
            .map(|(id, name)| (*id, name.as_str()))
            .collect()
    }
}
