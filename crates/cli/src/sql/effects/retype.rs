//! ALTER COLUMN … TYPE: the file, the indexes, the constraints, the sequence behind it.

use super::create::KEPT_OPEN;
use super::{Effects, OldType};
use crate::sql::action::Using;
use crate::sql::types::{self, Fit, Storage};
use crate::sql::world::{Facet, Id, KeyKind, Object};
use crate::sql::{LockMode, Loss, Relation, ScanReason};

/// The new type: its name, COLLATE, USING.
type New<'a> = (&'a str, Option<&'a str>, Using);

impl Effects<'_> {
    pub(super) fn alter_type(
        &mut self,
        table: &Relation,
        family: &[Id],
        column: &str,
        new: New<'_>,
        old_type: OldType<'_>,
    ) {
        let (to, collation, using) = new;
        let world = self.world;
        let known = family
            .first()
            .and_then(|id| world.object(*id)?.column(column));
        let from = known
            .map(|column| column.type_name.clone())
            .or_else(|| old_type(table, column));
        if from.is_none() {
            self.unknown(format!("which type column {column} of {table} has now"));
        }
        let bases = types::Bases {
            from: from.as_deref().map(|from| world.base_type(from)),
            to: world.base_type(to),
            is_utc: world.is_utc(),
        };
        let mut change = types::change(&bases, using);
        // the values of a domain with constraints are checked by writing them anew
        if world.is_constrained(to) && from.as_deref() != Some(to) {
            change.storage = Storage::Rewritten;
        }
        if change.fit == Fit::Cuts {
            self.losses.push(Loss::Precision {
                relation: table.clone(),
                column: column.to_owned(),
                to: to.to_owned(),
                rows: world.rows(table),
            });
        }
        let is_rewritten = change.storage == Storage::Rewritten;
        if is_rewritten && family.is_empty() {
            self.rewrite(table);
        }
        let same_order = known.is_some_and(|known| known.collation.as_deref() == collation)
            && types::same_operators(bases.from.as_deref().unwrap_or_default(), &bases.to);
        for id in family {
            let Some(object) = world.object(*id) else {
                continue;
            };
            if is_rewritten {
                self.rewrite_id(*id);
            } else {
                self.indexes_of_column(object, column, same_order);
            }
            self.constraints_of_column(*id, object, column, is_rewritten || !same_order);
            self.sequences_of_column(object, column, &bases.to);
        }
    }

    /// An index of the column is made anew, and keeps its file where nothing in it changes. Source: CheckIndexCompatible.
    fn indexes_of_column(&mut self, object: &Object, column: &str, same_order: bool) {
        let world = self.world;
        for id in &object.indexes {
            let Some(index) = world.object(*id).and_then(|index| index.index.as_ref()) else {
                continue;
            };
            if !index.uses.contains(column) {
                continue;
            }
            self.lock_id(*id, LockMode::AccessExclusive);
            if index.facet == Facet::Computed || !same_order {
                self.scan(&object.name, ScanReason::IndexBuild);
            }
        }
    }

    /// A constraint of the column is made anew, and its rows are checked again. Source: ATPostAlterTypeCleanup.
    fn constraints_of_column(
        &mut self,
        id: Id,
        object: &Object,
        column: &str,
        compares_anew: bool,
    ) {
        let world = self.world;
        for key in &object.keys {
            if !key.columns.iter().any(|name| name == column) {
                continue;
            }
            match &key.kind {
                KeyKind::Check { .. } if key.is_valid => self.scan_id(id, ScanReason::Verify),
                KeyKind::Foreign {
                    to: Some(to),
                    index,
                    ..
                } => {
                    self.lock_id(*to, LockMode::AccessExclusive);
                    if let Some(index) = index {
                        self.lock_id(*index, LockMode::AccessShare);
                    }
                    if compares_anew {
                        self.scan_id(id, ScanReason::FkValidate);
                        if let Some(name) = world.name_of(*to) {
                            self.read_all(name);
                        }
                    }
                }
                _ => {}
            }
        }
        for referrer in &object.referrers {
            let Some(other) = world.object(*referrer) else {
                continue;
            };
            let refers = other.keys.iter().any(|key| {
                matches!(&key.kind, KeyKind::Foreign { to: Some(to), to_columns, .. }
                    if *to == id && (to_columns.is_empty() || to_columns.iter().any(|name| name == column)))
            });
            if refers {
                self.lock_id(*referrer, LockMode::AccessExclusive);
                if compares_anew {
                    self.scan_id(*referrer, ScanReason::FkValidate);
                    self.lock_indexes(*referrer, LockMode::AccessShare);
                }
            }
        }
    }

    /// An identity column's sequence gets the new type; a default's is only looked up.
    fn sequences_of_column(&mut self, object: &Object, column: &str, to: &str) {
        let Some(column) = object.column(column) else {
            return;
        };
        let mode = match column.is_identity && types::is_integer(to) {
            true => LockMode::ShareRowExclusive,
            false => LockMode::AccessShare,
        };
        for sequence in &column.sequences {
            if column.is_identity || self.world.may_be_from(KEPT_OPEN) {
                self.lock_id(*sequence, mode);
            }
        }
    }
}
