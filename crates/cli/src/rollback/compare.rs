//! A restored database beside the live one: rows of each table, the schema by the catalog, the migrations' history. Pure.
//!
//! Absent here: reading either.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use pgdriver::shape::{self, Object};
use serde::{Deserialize, Serialize};

use crate::names::MigrationId;
use crate::ui::count;

/// A database as it was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Side {
    pub(crate) rows: BTreeMap<String, Rows>,
    pub(crate) shape: BTreeMap<Object, String>,
    pub(crate) applied: BTreeSet<MigrationId>,
}

/// How many a table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", content = "rows", rename_all = "snake_case")]
pub(crate) enum Rows {
    Counted(u64),
    /// The planner's: to count them took too long.
    Estimated(u64),
    Unknown,
}

impl Rows {
    fn number(self) -> Option<u64> {
        match self {
            Self::Counted(n) | Self::Estimated(n) => Some(n),
            Self::Unknown => None,
        }
    }
}

/// What differs, and how much does not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Compared {
    pub(crate) live: String,
    pub(crate) restored: String,
    /// Every table of either.
    pub(crate) tables: Vec<TableRows>,
    /// What is in one alone, or defined otherwise.
    pub(crate) schema: Vec<SchemaLine>,
    /// Recorded as applied in one alone.
    pub(crate) applied_in_live_alone: Vec<String>,
    pub(crate) applied_in_restored_alone: Vec<String>,
    /// Rows that the live one has more of, table by table, as far as both were counted: what a swap would lose at least.
    pub(crate) rows_more_in_live: u64,
    /// Tables of which that cannot be said.
    pub(crate) not_counted: Vec<String>,
}

/// None: it has no such table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableRows {
    pub(crate) table: String,
    pub(crate) live: Option<Rows>,
    pub(crate) restored: Option<Rows>,
}

/// None: it has no such object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SchemaLine {
    /// `column`
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) live: Option<String>,
    pub(crate) restored: Option<String>,
}

impl TableRows {
    pub(crate) fn differs(&self) -> bool {
        self.live != self.restored
    }

    /// Rows that the live one alone has, at least; none where that is not known.
    fn more_in_live(&self) -> Option<u64> {
        match (self.live, self.restored) {
            (None, _) => Some(0),
            (Some(Rows::Counted(live)), None) => Some(live),
            (Some(Rows::Counted(live)), Some(Rows::Counted(restored))) => {
                Some(live.saturating_sub(restored))
            }
            _ => None,
        }
    }
}

pub(crate) fn compare(live: (&str, &Side), restored: (&str, &Side)) -> Compared {
    let ((live_name, live), (restored_name, restored)) = (live, restored);
    let tables: BTreeSet<&String> = live.rows.keys().chain(restored.rows.keys()).collect();
    let tables: Vec<TableRows> = tables
        .into_iter()
        .map(|table| TableRows {
            table: table.clone(),
            live: live.rows.get(table).copied(),
            restored: restored.rows.get(table).copied(),
        })
        .collect();
    let only = |a: &Side, b: &Side| -> Vec<String> {
        let only = a.applied.difference(&b.applied);
        only.map(ToString::to_string).collect()
    };
    Compared {
        live: live_name.to_owned(),
        restored: restored_name.to_owned(),
        schema: schema(&live.shape, &restored.shape),
        applied_in_live_alone: only(live, restored),
        applied_in_restored_alone: only(restored, live),
        rows_more_in_live: tables.iter().filter_map(TableRows::more_in_live).sum(),
        not_counted: tables
            .iter()
            .filter(|t| t.more_in_live().is_none())
            .map(|t| t.table.clone())
            .collect(),
        tables,
    }
}

/// What was restored has been read by the server from its own words, which it then writes otherwise.
fn written<'a>(side: &'a BTreeMap<Object, String>, object: &Object) -> Option<Cow<'a, str>> {
    side.get(object)
        .map(|definition| shape::settled(definition))
}

/// A table that one alone has stands for all that hangs on it.
fn schema(live: &BTreeMap<Object, String>, restored: &BTreeMap<Object, String>) -> Vec<SchemaLine> {
    let all: BTreeSet<&Object> = live.keys().chain(restored.keys()).collect();
    let mut lines: Vec<SchemaLine> = all
        .into_iter()
        .filter(|object| written(live, object) != written(restored, object))
        .map(|object| SchemaLine {
            kind: object.kind.clone(),
            name: object.name.clone(),
            live: live.get(object).cloned(),
            restored: restored.get(object).cloned(),
        })
        .collect();
    let alone: BTreeSet<String> = lines
        .iter()
        .filter(|l| l.kind == "table" && (l.live.is_none() || l.restored.is_none()))
        .map(|l| format!("{}.", l.name))
        .collect();
    let hangs = |l: &SchemaLine| {
        let indexed = || {
            let definition = l
                .live
                .as_deref()
                .or(l.restored.as_deref())
                .unwrap_or_default();
            alone
                .iter()
                .any(|table| definition.contains(&format!(" ON {} ", table.trim_end_matches('.'))))
        };
        match l.kind.as_str() {
            "column" | "constraint" | "trigger" | "policy" => {
                alone.iter().any(|table| l.name.starts_with(table.as_str()))
            }
            "index" => indexed(),
            _ => false,
        }
    };
    lines.retain(|l| !hangs(l));
    lines
}

impl Compared {
    pub(crate) fn is_same(&self) -> bool {
        self.schema.is_empty()
            && !self.tables.iter().any(TableRows::differs)
            && self.applied_in_live_alone.is_empty()
            && self.applied_in_restored_alone.is_empty()
    }

    /// What a swap would lose, in words.
    pub(crate) fn loss(&self) -> String {
        let tables = self
            .tables
            .iter()
            .filter(|t| t.more_in_live() > Some(0))
            .count();
        let mut said = match self.rows_more_in_live {
            0 => "no table of the live database has more rows than the backup has".to_owned(),
            n => format!(
                "{} more in {} of the live database than in the backup would be lost",
                count(n, "row"),
                count(tables as u64, "table")
            ),
        };
        if !self.not_counted.is_empty() {
            said.push_str(&format!("; not counted: {}", self.not_counted.join(", ")));
        }
        said.push_str("; what was changed or deleted since the backup is not counted");
        said
    }

    /// The largest difference first.
    pub(crate) fn differing(&self) -> Vec<&TableRows> {
        let mut tables: Vec<&TableRows> = self.tables.iter().filter(|t| t.differs()).collect();
        let by = |t: &&TableRows| {
            let number = |rows: Option<Rows>| rows.and_then(Rows::number).unwrap_or_default();
            std::cmp::Reverse(number(t.live).abs_diff(number(t.restored)))
        };
        tables.sort_by_key(by);
        tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(rows: &[(&str, u64)], shape: &[(&str, &str, &str)], applied: &[&str]) -> Side {
        let object = |(kind, name, definition): &(&str, &str, &str)| {
            let object = Object {
                kind: (*kind).to_owned(),
                name: (*name).to_owned(),
            };
            (object, (*definition).to_owned())
        };
        Side {
            rows: rows
                .iter()
                .map(|(name, n)| ((*name).to_owned(), Rows::Counted(*n)))
                .collect(),
            shape: shape.iter().map(object).collect(),
            applied: applied
                .iter()
                .map(|name| MigrationId::new("shop", name))
                .collect(),
        }
    }

    #[test]
    fn rows_that_would_be_lost_are_counted_and_what_cannot_be_is_named() {
        let mut live = side(
            &[("a", 7), ("b", 1), ("new", 3), ("same", 2)],
            &[],
            &["1", "2"],
        );
        live.rows.insert("big".to_owned(), Rows::Estimated(9));
        let mut backup = side(&[("a", 5), ("b", 4), ("gone", 1), ("same", 2)], &[], &["1"]);
        backup.rows.insert("big".to_owned(), Rows::Counted(9));
        let compared = compare(("shop", &live), ("copy", &backup));
        assert_eq!(compared.rows_more_in_live, 2 + 3);
        assert_eq!(compared.not_counted, ["big"]);
        assert_eq!(compared.applied_in_live_alone, ["shop.2"]);
        let names: Vec<&str> = compared
            .differing()
            .iter()
            .map(|t| t.table.as_str())
            .collect();
        assert_eq!(names[..2], ["b", "new"]);
        assert!(!names.contains(&"same"));
        assert!(
            compared.loss().starts_with("5 rows more in 2 tables"),
            "{}",
            compared.loss()
        );
        assert!(compared.loss().contains("not counted: big"));
    }

    #[test]
    fn a_table_that_one_alone_has_stands_for_what_hangs_on_it() {
        let live = side(
            &[],
            &[
                ("table", "public.new", "p"),
                ("column", "public.new.id", "bigint"),
                (
                    "index",
                    "public.new_key",
                    "CREATE UNIQUE INDEX new_key ON public.new USING btree (id)",
                ),
                ("column", "public.newer.id", "integer"),
            ],
            &[],
        );
        let backup = side(&[], &[("column", "public.newer.id", "bigint")], &[]);
        let compared = compare(("shop", &live), ("copy", &backup));
        let lines: Vec<(&str, &str)> = compared
            .schema
            .iter()
            .map(|l| (&*l.kind, &*l.name))
            .collect();
        assert_eq!(
            lines,
            [("column", "public.newer.id"), ("table", "public.new")]
        );
        assert!(!compared.is_same());
        assert!(compare(("a", &live), ("b", &live)).is_same());
    }

    #[test]
    fn what_the_server_writes_otherwise_after_a_restore_is_no_difference() {
        let index = |predicate| {
            let definition =
                format!("CREATE INDEX i ON public.t USING btree (a) WHERE {predicate}");
            side(&[], &[("index", "public.i", &definition)], &[])
        };
        let live = index("((v)::text = ANY ((ARRAY['a'::character varying])::text[]))");
        let restored = index("((v)::text = ANY (ARRAY[('a'::character varying)::text]))");
        assert!(compare(("shop", &live), ("copy", &restored)).is_same());
        let other = index("((v)::text = ANY (ARRAY[('b'::character varying)::text]))");
        assert!(!compare(("shop", &live), ("copy", &other)).is_same());
    }
}
