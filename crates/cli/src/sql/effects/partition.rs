//! ATTACH and DETACH PARTITION: bounds that are checked, indexes that are built, foreign keys that change hands.

use super::Effects;
use crate::sql::action::Method;
use crate::sql::world::{Facet, Id, Key, KeyKind, Object};
use crate::sql::{LockMode, Relation, ScanReason};

impl Effects<'_> {
    pub(super) fn attach(&mut self, table: &Relation, partition: &Relation) {
        let world = self.world;
        self.lock(partition, LockMode::AccessExclusive);
        self.new_partition(table);
        let (Some((parent, _)), Some((id, object))) = (world.get(table), world.get(partition))
        else {
            return self.scan(partition, ScanReason::Verify);
        };
        let family: Vec<Id> = world.descendants(id).into_iter().chain([id]).collect();
        for one in &family {
            self.lock_id(*one, LockMode::AccessExclusive);
            self.scan_id(*one, ScanReason::Verify);
        }
        let checks = |key: &Key| key.is_valid && matches!(key.kind, KeyKind::Check { .. });
        if object.keys.iter().any(checks) {
            self.unknown(format!(
                "whether a CHECK of {partition} proves its bounds, so that its rows need not be read"
            ));
        }
        if self.builds(parent, object) {
            for one in &family {
                self.scan_id(*one, ScanReason::IndexBuild);
            }
        }
        let keys = world
            .object(parent)
            .into_iter()
            .flat_map(|object| &object.keys);
        for key in keys {
            if let KeyKind::Foreign { to: Some(to), .. } = key.kind
                && let Some(name) = world.name_of(to)
            {
                self.scan_id(id, ScanReason::FkValidate);
                self.look_up(&family, name);
            }
        }
    }

    /// An index of the parent has no like among the partition's own.
    fn builds(&self, parent: Id, partition: &Object) -> bool {
        let world = self.world;
        let index = |id: &Id| world.object(*id).and_then(|object| object.index.as_ref());
        let own: Vec<_> = partition.indexes.iter().filter_map(index).collect();
        let parents = world
            .object(parent)
            .into_iter()
            .flat_map(|object| &object.indexes)
            .filter_map(index);
        parents.into_iter().any(|wanted| {
            !own.iter().any(|own| {
                own.keys == wanted.keys
                    && own.is_unique == wanted.is_unique
                    && own.access_method == wanted.access_method
                    && own.facet == Facet::Plain
                    && wanted.facet == Facet::Plain
            })
        })
    }

    pub(super) fn detach(&mut self, table: &Relation, partition: &Relation, method: Method) {
        let world = self.world;
        self.outside_transaction |= method == Method::Concurrently;
        // in its second transaction, when nobody sees the partition in its parent any more
        self.lock(partition, LockMode::AccessExclusive);
        let Some((id, _)) = world.get(partition) else {
            return;
        };
        let attached = world
            .get(table)
            .map(|(_, parent)| parent.indexes.clone())
            .unwrap_or_default();
        let indexes = world
            .object(id)
            .into_iter()
            .flat_map(|object| &object.indexes);
        for index in indexes {
            let parents = world
                .object(*index)
                .map(|object| object.parents.as_slice())
                .unwrap_or_default();
            if parents.iter().any(|parent| attached.contains(parent)) {
                self.lock_id(*index, LockMode::AccessExclusive);
            }
        }
        // its foreign keys become its own
        for key in world.object(id).into_iter().flat_map(|object| &object.keys) {
            if let (KeyKind::Foreign { to: Some(to), .. }, Some(_)) = (&key.kind, key.parent) {
                self.lock_id(*to, LockMode::ShareRowExclusive);
            }
        }
        let siblings = world
            .get(table)
            .into_iter()
            .flat_map(|(_, parent)| &parent.children);
        for sibling in siblings {
            if world
                .object(*sibling)
                .is_some_and(|sibling| sibling.is_default)
                && method == Method::Plain
            {
                self.lock_id(*sibling, LockMode::AccessExclusive);
            }
        }
    }
}
