//! What a restored database is to the project: its `django_migrations` against the files on disk.
//!
//! Pure. Absent here: reading either.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::django::wire::{MigrationItem, MigrationState};
use crate::names::MigrationId;
use crate::ui::count;

/// Names that are said; the document has them all.
const NAMED: usize = 6;

/// What is in the database, and what is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Compared {
    /// Recorded in the restored database.
    pub(crate) applied: u64,
    /// Recorded there, and no file of the project's has it.
    pub(crate) missing_on_disk: Vec<String>,
    /// On disk, and not recorded there: what `run` would apply.
    pub(crate) pending: Vec<String>,
}

/// `applied` are the rows of `django_migrations`, `items` the project's own. A squash stands for what it replaces.
pub(crate) fn compare(applied: &BTreeSet<MigrationId>, items: &[MigrationItem]) -> Compared {
    let on_disk: Vec<&MigrationItem> = items
        .iter()
        // recorded in the live database alone
        .filter(|item| item.state != MigrationState::Missing)
        .collect();
    let id = |item: &MigrationItem| MigrationId::new(&item.app, &item.name);
    let replaced_by = |item: &MigrationItem| {
        let name = id(item).to_string();
        on_disk
            .iter()
            .any(|squash| squash.replaces.contains(&name) && stands(squash, applied))
    };
    let known: BTreeSet<String> = on_disk
        .iter()
        .flat_map(|item| item.replaces.iter().cloned().chain([id(item).to_string()]))
        .collect();
    let missing = applied.iter().map(ToString::to_string);
    let pending = on_disk
        .iter()
        .filter(|item| !stands(item, applied) && !replaced_by(item));
    Compared {
        applied: applied.len() as u64,
        missing_on_disk: missing.filter(|name| !known.contains(name)).collect(),
        pending: pending.map(|item| id(item).to_string()).collect(),
    }
}

/// It is recorded, or it is a squash and all that it replaces is.
fn stands(item: &MigrationItem, applied: &BTreeSet<MigrationId>) -> bool {
    let recorded: BTreeSet<String> = applied.iter().map(ToString::to_string).collect();
    let replaces = &item.replaces;
    applied.contains(&MigrationId::new(&item.app, &item.name))
        || (!replaces.is_empty() && replaces.iter().all(|name| recorded.contains(name)))
}

impl Compared {
    /// For a person.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.missing_on_disk.is_empty() {
            lines.push(format!(
                "{} in it {} no file in the project, so the backup is of a newer or another release: {}",
                count(self.missing_on_disk.len() as u64, "migration"),
                if self.missing_on_disk.len() == 1 { "has" } else { "have" },
                named(&self.missing_on_disk)
            ));
        }
        if !self.pending.is_empty() {
            lines.push(format!(
                "{} of the project {} pending in it: {}",
                count(self.pending.len() as u64, "migration"),
                if self.pending.len() == 1 { "is" } else { "are" },
                named(&self.pending)
            ));
        }
        if lines.is_empty() {
            let n = count(self.applied, "migration");
            lines.push(format!(
                "{n} recorded in it, as the project has them on disk"
            ));
        }
        lines
    }
}

fn named(names: &[String]) -> String {
    let mut text = names
        .iter()
        .take(NAMED)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(more) = names.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, state: MigrationState, replaces: &[&str]) -> MigrationItem {
        MigrationItem {
            app: "shop".into(),
            name: name.into(),
            state,
            replaces: replaces.iter().map(|name| format!("shop.{name}")).collect(),
            dependencies: vec![],
        }
    }

    #[track_caller]
    fn check(applied: &[&str], items: &[MigrationItem], missing: &[&str], pending: &[&str]) {
        let applied = applied.iter().map(|name| MigrationId::new("shop", name));
        let compared = compare(&applied.collect(), items);
        let full = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| format!("shop.{name}")).collect()
        };
        assert_eq!(compared.missing_on_disk, full(missing));
        assert_eq!(compared.pending, full(pending));
    }

    #[test]
    fn what_the_live_database_has_is_nothing_to_the_restored_one() {
        let items = [
            item("0001", MigrationState::Applied, &[]),
            item("0002", MigrationState::Applied, &[]),
            // its file is gone, and the restored database never had it
            item("0003", MigrationState::Missing, &[]),
        ];
        check(&["0001"], &items, &[], &["0002"]);
        check(&["0001", "0002", "0003"], &items, &["0003"], &[]);
        check(&[], &[], &[], &[]);
    }

    #[test]
    fn a_squash_stands_for_what_it_replaces() {
        let squash = || item("0001_squashed", MigrationState::Pending, &["0001", "0002"]);
        check(&["0001", "0002"], &[squash()], &[], &[]);
        check(&["0001"], &[squash()], &[], &["0001_squashed"]);
        let both = [
            squash(),
            item("0001", MigrationState::Squashed, &[]),
            item("0002", MigrationState::Squashed, &[]),
        ];
        check(&["0001_squashed"], &both, &[], &[]);
        check(&["0001", "0002"], &both, &[], &[]);
    }

    #[test]
    fn many_names_are_counted() {
        let names: Vec<String> = (0..9).map(|n| format!("a.{n}")).collect();
        let compared = Compared {
            applied: 0,
            missing_on_disk: vec!["a.x".into()],
            pending: names,
        };
        let lines = compared.lines();
        assert!(
            lines[0].starts_with("1 migration in it has no file"),
            "{lines:?}"
        );
        assert!(lines[1].contains("a.5 and 3 more"), "{lines:?}");
    }
}
