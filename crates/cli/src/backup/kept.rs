//! What becomes of older backups once a new one is proven.
//!
//! Absent here: which may go; `dumper` decides, and never on the last good one.

use std::num::NonZeroUsize;

use dumper::retention::{self, Keep, Pruned};
use dumper::{Archive, DumpRequest};
use jiff::Timestamp;

use super::BackupPlan;
use crate::event::{EventKind, NoteLevel};
use crate::settings;
use crate::ui;

/// Says what it removed. That something cannot be removed is no reason to have no backup.
pub(super) fn prune(plan: &BackupPlan<'_>, request: &DumpRequest, archive: &Archive) {
    let settings::Keep { last, days } = plan.settings.keep;
    if last.is_none() && days.is_none() {
        return;
    }
    let keep = Keep {
        count: last.and_then(|n| NonZeroUsize::new(n.get() as usize)),
        days: days.map(std::num::NonZeroU32::get),
    };
    let pruned = retention::prune(
        &request.directory,
        &request.database,
        keep,
        Some(&archive.path),
        Timestamp::now(),
    );
    for (level, message) in words(pruned, &rules(plan.settings.keep)) {
        plan.reporter.emit(EventKind::Note { level, message });
    }
}

/// `--keep 3 --keep-days 30`
fn rules(keep: settings::Keep) -> String {
    let last = keep.last.map(|n| format!("--keep {n}"));
    let days = keep.days.map(|n| format!("--keep-days {n}"));
    let rules: Vec<String> = last.into_iter().chain(days).collect();
    rules.join(" ")
}

fn words(pruned: std::io::Result<Pruned>, rules: &str) -> Vec<(NoteLevel, String)> {
    let pruned = match pruned {
        Ok(pruned) => pruned,
        Err(e) => {
            let message = format!("{rules}: the older backups cannot be looked through: {e}");
            return vec![(NoteLevel::Warning, message)];
        }
    };
    let mut said = Vec::new();
    if !pruned.removed.is_empty() {
        let freed = pruned.removed.iter().map(|r| r.bytes).sum();
        let names: Vec<String> = pruned
            .removed
            .iter()
            .map(|r| match r.unfinished {
                true => format!("{} (unfinished)", ui::path(&r.path)),
                false => ui::path(&r.path),
            })
            .collect();
        let message = format!(
            "{rules}: removed {}, {} freed: {}",
            ui::count(names.len() as u64, "backup"),
            ui::bytes(freed),
            names.join(", ")
        );
        said.push((NoteLevel::Note, message));
    }
    said.extend(pruned.failed.iter().map(|(path, e)| {
        let message = format!("{rules}: {} cannot be removed: {e}", ui::path(path));
        (NoteLevel::Warning, message)
    }));
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use dumper::retention::Removed;

    #[test]
    fn what_was_removed_is_said() {
        let pruned = Pruned {
            removed: vec![Removed {
                path: "backups/a.sql.gz".into(),
                bytes: 2048,
                unfinished: false,
            }],
            kept: vec![],
            failed: vec![(
                "backups/b.sql.gz".into(),
                std::io::ErrorKind::PermissionDenied.into(),
            )],
        };
        let said = words(Ok(pruned), "--keep 1");
        assert_eq!(
            said[0],
            (
                NoteLevel::Note,
                "--keep 1: removed 1 backup, 2.0 kB freed: backups/a.sql.gz".to_owned()
            )
        );
        assert_eq!(said[1].0, NoteLevel::Warning);
        assert!(
            said[1].1.contains("b.sql.gz cannot be removed"),
            "{}",
            said[1].1
        );
        assert!(words(Ok(Pruned::default()), "--keep 1").is_empty());
    }
}
