//! ATTACH PARTITION.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Change;

pub(super) const HAZARD: Hazard = Hazard {
    code: "attach-partition",
    title: "A partition is attached",
    happens: "ATTACH reads the whole partition under ACCESS EXCLUSIVE unless a valid CHECK proves its bounds, and builds indexes that it lacks.",
    hurts: "Nobody can read the partition meanwhile.",
    safer: "Add a CHECK with the bounds NOT VALID and validate it before; build the indexes before.",
    bad: "RunSQL(\"ALTER TABLE log ATTACH PARTITION log_05 FOR VALUES …\")",
    good: "RunSQL(\"ALTER TABLE log_05 ADD CONSTRAINT bounds CHECK (…) NOT VALID\"), VALIDATE, then ATTACH",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let facts = scene.changes().filter_map(|(_, change)| match change {
        Change::AttachPartition { partition, .. } if !scene.is_new(partition) && scene.works_on(partition) => {
            let sized = scene.sized(partition);
            let message = format!("attaching {sized} reads all of it while nobody else can, unless a valid CHECK proves its bounds");
            Some(Fact::new(partition, message, HAZARD.safer))
        }
        _ => None,
    });
    facts.collect()
}
