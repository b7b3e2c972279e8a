//! The plan: which migrations, which way, in which order, and a fingerprint that stays the same while they do. Pure.
//!
//! Absent here: SQL. The fingerprint hashes migrations, their operations and the bytes of their files; rendered SQL is
//! not reproducible (`now()`, random tokens and UUIDs in defaults, sets iterated).

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::django::ProjectFacts;
use crate::django::wire::{Agreed, FieldState, MigrationItem, MigrationState, Operation, Planned};
use crate::names::{AppLabel, MigrationId, MigrationName};

/// Which way a plan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Pending migrations are applied.
    Forward,
    /// Applied ones are taken back.
    Back,
}

impl Direction {
    /// What a migration of the plan is in the end: `applied`.
    pub(crate) fn done(self) -> &'static str {
        match self {
            Self::Forward => "applied",
            Self::Back => "rolled back",
        }
    }
}

/// What would be applied, or taken back.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) direction: Direction,
    pub(crate) steps: Vec<PlanStep>,
    pub(crate) fingerprint: String,
    /// Where each app of the plan stands before: its last applied migration, or none.
    pub(crate) previous: BTreeMap<AppLabel, Option<MigrationName>>,
}

/// One migration of the plan.
#[derive(Debug, Clone)]
pub(crate) struct PlanStep {
    pub(crate) id: MigrationId,
    pub(crate) atomic: bool,
    pub(crate) file: Option<String>,
    pub(crate) source_sha256: Option<String>,
    pub(crate) operations: Vec<Operation>,
    /// Of each operation its first line in the file, where that was asked.
    pub(crate) lines: Vec<usize>,
    /// `describe()` of the operations without a way back.
    pub(crate) irreversible: Vec<String>,
}

impl Plan {
    /// Of what the bridge planned, which is all in one direction.
    pub(crate) fn of(facts: &ProjectFacts) -> Self {
        let back = facts.planned.iter().any(|planned| planned.backward);
        let steps: Vec<PlanStep> = facts.planned.iter().map(step).collect();
        let apps: BTreeSet<&AppLabel> = steps.iter().map(|s| &s.id.app).collect();
        let previous = apps
            .into_iter()
            .map(|app| (app.clone(), last_applied(app, &facts.migrations)))
            .collect();
        Self {
            direction: match back {
                true => Direction::Back,
                false => Direction::Forward,
            },
            fingerprint: fingerprint(&facts.planned),
            steps,
            previous,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// What the real run is held to.
    pub(crate) fn agreed(&self) -> Vec<Agreed> {
        let agreed = |s: &PlanStep| Agreed {
            app: s.id.app.0.clone(),
            name: s.id.name.0.clone(),
            source_sha256: s.source_sha256.clone(),
        };
        self.steps.iter().map(agreed).collect()
    }

    /// Those that are where the plan wants them, by what the history has.
    pub(crate) fn done(&self, recorded: &BTreeSet<MigrationId>) -> Vec<MigrationId> {
        let wanted = self.direction == Direction::Forward;
        let done = |id: &&MigrationId| recorded.contains(*id) == wanted;
        self.ids().filter(done).cloned().collect()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &MigrationId> {
        self.steps.iter().map(|s| &s.id)
    }
}

fn step(planned: &Planned) -> PlanStep {
    PlanStep {
        id: MigrationId::new(&planned.app, &planned.name),
        atomic: planned.atomic,
        file: planned.file.clone(),
        source_sha256: planned.source_sha256.clone(),
        irreversible: planned
            .operations
            .iter()
            .filter(|o| !o.reversible)
            .map(|o| o.describe.clone())
            .collect(),
        operations: planned.operations.clone(),
        lines: planned.lines.clone(),
    }
}

/// The applied migration of `app` on which no other applied migration of `app` depends: where `migrate APP NAME`
/// has to go back to. A squash counts once all that it replaces is applied, and then it is the one on disk.
fn last_applied(app: &AppLabel, items: &[MigrationItem]) -> Option<MigrationName> {
    let applied: Vec<&MigrationItem> = items
        .iter()
        .filter(|i| i.app == app.0 && i.state == MigrationState::Applied)
        .collect();
    let needed: BTreeSet<&str> = applied
        .iter()
        .flat_map(|i| &i.dependencies)
        .map(String::as_str)
        .collect();
    let is_leaf = |i: &&&MigrationItem| !needed.contains(format!("{}.{}", i.app, i.name).as_str());
    applied
        .iter()
        .filter(is_leaf)
        .map(|i| MigrationName(i.name.clone()))
        .max()
}

/// SHA-256 over the plan in order, shortened to 16 hexadecimal digits.
fn fingerprint(planned: &[Planned]) -> String {
    let mut hash = Sha256::new();
    for migration in planned {
        line(
            &mut hash,
            &[
                if migration.backward {
                    "back"
                } else {
                    "migration"
                },
                &migration.app,
                &migration.name,
                flag(migration.atomic),
                // what RunSQL and RunPython do stands only in the file
                migration.source_sha256.as_deref().unwrap_or_default(),
            ],
        );
        migration
            .operations
            .iter()
            .for_each(|o| operation(&mut hash, o));
    }
    let digest = hash.finalize();
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn operation(hash: &mut Sha256, o: &Operation) {
    let text = |s: &Option<String>| s.clone().unwrap_or_default();
    line(
        hash,
        &[
            "operation",
            &o.class,
            &o.describe,
            flag(o.reversible),
            flag(o.elidable),
            &text(&o.table),
            &text(&o.code),
        ],
    );
    for field in [&o.field_before, &o.field_after] {
        self::field(hash, field.as_ref());
    }
    o.database_operations
        .iter()
        .chain(&o.state_operations)
        .for_each(|o| operation(hash, o));
}

fn field(hash: &mut Sha256, field: Option<&FieldState>) {
    let Some(f) = field else {
        return line(hash, &["no field"]);
    };
    let text = |s: &Option<String>| s.clone().unwrap_or_default();
    line(
        hash,
        &[
            "field",
            &f.class,
            &text(&f.column),
            &text(&f.db_type),
            &text(&f.related),
            flag(f.null),
            flag(f.unique),
            flag(f.db_index),
            flag(f.primary_key),
            flag(f.has_default),
            flag(f.has_db_default),
        ],
    );
}

fn flag(value: bool) -> &'static str {
    if value { "1" } else { "0" }
}

/// Fields with their lengths, so that no two lists hash alike.
fn line(hash: &mut Sha256, fields: &[&str]) {
    for field in fields {
        hash.update((field.len() as u64).to_le_bytes());
        hash.update(field.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, state: MigrationState, dependencies: &[&str]) -> MigrationItem {
        MigrationItem {
            app: "shop".into(),
            name: name.into(),
            state,
            replaces: vec![],
            dependencies: dependencies.iter().map(|d| (*d).to_owned()).collect(),
        }
    }

    #[track_caller]
    fn check(items: &[MigrationItem], expected: Option<&str>) {
        let found = last_applied(&AppLabel("shop".into()), items);
        assert_eq!(found.map(|n| n.0).as_deref(), expected);
    }

    #[test]
    fn the_way_back_leads_to_the_last_applied() {
        use MigrationState::{Applied, Pending};
        check(&[], None);
        check(&[item("0001", Pending, &[])], None);
        check(
            &[
                item("0001", Applied, &[]),
                item("0002", Pending, &["shop.0001"]),
            ],
            Some("0001"),
        );
        let merged = [
            item("0001", Applied, &[]),
            item("0002_a", Applied, &["shop.0001"]),
            item("0002_b", Applied, &["shop.0001"]),
            item("0003_merge", Applied, &["shop.0002_a", "shop.0002_b"]),
            item("0004", Pending, &["shop.0003_merge"]),
        ];
        check(&merged, Some("0003_merge"));
    }

    fn planned(name: &str, describe: &str) -> Planned {
        let json = serde_json::json!({
            "app": "shop", "name": name, "backward": false, "initial": false, "atomic": true, "file": null, "source_sha256": "aa",
            "dependencies": [], "replaces": [], "operations": [{
                "class": "django.db.migrations.operations.fields.AddField", "base": "AddField", "describe": describe,
                "reversible": true, "reduces_to_sql": true, "elidable": false, "atomic": false, "model": "Item",
                "table": "shop_item", "field": "price", "field_before": null, "field_after": null, "code": null,
                "database_operations": [], "state_operations": []}]
        });
        serde_json::from_value(json).expect("the wire's own shape")
    }

    #[test]
    fn the_fingerprint_follows_order_and_operations() {
        let (a, b) = (
            planned("0001", "Add field price"),
            planned("0002", "Add field size"),
        );
        let of =
            |list: &[&Planned]| fingerprint(&list.iter().map(|p| (*p).clone()).collect::<Vec<_>>());
        assert_eq!(of(&[&a, &b]), of(&[&a, &b]));
        assert_ne!(of(&[&a, &b]), of(&[&b, &a]));
        assert_ne!(of(&[&a]), of(&[&planned("0001", "Add field cost")]));
        let edited = Planned {
            source_sha256: Some("bb".into()),
            ..a.clone()
        };
        assert_ne!(of(&[&a]), of(&[&edited]));
        let back = Planned {
            backward: true,
            ..a.clone()
        };
        assert_ne!(of(&[&a]), of(&[&back]), "the way back is another plan");
        assert_eq!(of(&[&a]).len(), 16);
    }
}
