//! The backup that a run took: found on disk, whole, and the very file that the journal names.

use std::path::{Path, PathBuf};

use dumper::Summary;

use crate::commands::Context;
use crate::commands::rollback::find::Found;
use crate::event::BackupFinished;
use crate::exit::Class;
use crate::failure::Failure;
use crate::signal::Asked;
use crate::ui;

pub(super) struct Archive {
    pub(super) path: PathBuf,
    /// As the journal has it.
    pub(super) taken: BackupFinished,
    /// RFC 3339: of the run.
    pub(super) run_began: String,
}

impl Archive {
    /// Paths in a journal are those of where the run was started, or below its project.
    pub(super) fn of(found: &Found, root: &Path) -> Result<Self, Failure> {
        let undone = &found.undone;
        let Some(taken) = &undone.backup else {
            return Err(Failure::new(
                Class::RollbackWithoutBackup,
                format!("run {} took no backup", undone.id()),
            )
            .hint("`django-migrate backup list` has others; `django-migrate restore FILE --into DB` brings one back"));
        };
        let file = Path::new(&taken.file);
        let candidates = [
            file.to_owned(),
            root.join(file),
            Path::new(&undone.started.project).join(file),
        ];
        let Some(path) = candidates.iter().find(|path| path.exists()) else {
            return Err(Failure::new(
                Class::RollbackWithoutBackup,
                format!("the backup of run {} is not there any more: {}", undone.id(), taken.file),
            )
            .hint("bring the file back to where it was, with its manifest beside it; or `django-migrate restore FILE`"));
        };
        Ok(Self {
            path: path.clone(),
            taken: taken.clone(),
            run_began: undone.run.started_at.clone(),
        })
    }

    pub(super) async fn whole(
        &self,
        pg_restore: Option<&Path>,
        context: &Context,
    ) -> Result<Summary, Failure> {
        let stop = async {
            context.signals.more_than(Asked::default()).await;
        };
        let read = dumper::verify_until(&self.path, pg_restore, |_| (), stop);
        let summary = read.await.map_err(|e| {
            if e.is_interrupted() {
                return context.signals.asked().failure();
            }
            Failure::new(Class::BackupUnverified, e.to_string())
                .hint("nothing was changed; do not rely on this file: `django-migrate backup list` has others")
        })?;
        // of the bytes that were read: a manifest may be missing
        match summary.sha256.as_str() {
            now if now != self.taken.sha256 => Err(Failure::new(
                Class::BackupUnverified,
                format!("{} is whole, but not the file that the run wrote", ui::path(&self.path)),
            )
            .source("journal", format!("SHA-256 {}", self.taken.sha256))
            .source("file", format!("SHA-256 {now}"))
            .hint("nothing was changed; find the run's own file, or restore this one with `django-migrate restore`")),
            _ => Ok(summary),
        }
    }
}
