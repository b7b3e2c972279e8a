//! Where the environment lives: `DJANGO_MIGRATE_ENV`, else `target/env` of the workspace, else, where root starts
//! servers as another uid that may not enter it (a clone in /root, mode 0700), a folder under TMPDIR or /var/tmp.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Chooses the folder and makes it.
pub(super) fn choose() -> Result<PathBuf> {
    if let Some(wanted) = std::env::var_os("DJANGO_MIGRATE_ENV").filter(|value| !value.is_empty()) {
        let wanted = std::path::absolute(wanted)?;
        make(&wanted)?;
        if !enterable(&wanted) {
            bail!(
                "DJANGO_MIGRATE_ENV={} cannot be entered by other users, and as root the servers run as one: \
                 every parent folder needs mode o+x",
                wanted.display()
            );
        }
        return Ok(wanted);
    }
    let near = crate::workspace().join("target/env");
    if make(&near).is_ok() && enterable(&near) {
        return Ok(near);
    }
    let uid = rustix::process::getuid().as_raw();
    for parent in roomy_temporary_folders() {
        let folder = parent.join(format!("django-migrate-env-{uid}"));
        if make(&folder).is_ok() && ours(&folder) && enterable(&folder) {
            return Ok(folder);
        }
    }
    bail!("no folder for the environment: set DJANGO_MIGRATE_ENV to one that other users may enter")
}

/// TMPDIR where it is set, then what outlives a reboot, then what every machine has.
fn roomy_temporary_folders() -> Vec<PathBuf> {
    let named = std::env::var_os("TMPDIR")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from);
    named
        .into_iter()
        .chain([PathBuf::from("/var/tmp"), PathBuf::from("/tmp")])
        .collect()
}

fn make(folder: &Path) -> Result<()> {
    fs_err::create_dir_all(folder)?;
    let mode = fs_err::symlink_metadata(folder)?.permissions().mode();
    if mode & 0o055 != 0o055 && ours(folder) {
        fs_err::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
            .context("the environment's folder")?;
    }
    Ok(())
}

/// In a folder that anybody may write, somebody else's folder or link of our name is not taken.
pub(crate) fn ours(folder: &Path) -> bool {
    let uid = rustix::process::getuid().as_raw();
    std::fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir() && found.uid() == uid)
}

/// Whether the uid that servers will have can get in: itself, or anybody where root drops to another.
pub(crate) fn enterable(folder: &Path) -> bool {
    if !rustix::process::getuid().is_root() {
        return true;
    }
    folder.ancestors().all(|step| {
        std::fs::metadata(step).is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
    })
}
