//! A folder that is either whole or not there: built under a lock, valid once its marker is written.
//!
//! It is built where it will stay, since virtual environments hold their own path; what a broken run left is thrown
//! away by the next.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

const MARKER: &str = ".complete";

/// The folder `kind/name` under `root`, built by `build` unless it is whole already.
pub(crate) fn get_or_build(
    root: &Path,
    kind: &str,
    name: &str,
    build: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let folder = root.join(kind).join(name);
    if folder.join(MARKER).exists() {
        return Ok(folder);
    }
    let _lock = lock(root, &format!("{kind}-{name}"))?;
    if folder.join(MARKER).exists() {
        return Ok(folder);
    }
    if folder.exists() {
        fs_err::remove_dir_all(&folder)?;
    }
    fs_err::create_dir_all(&folder)?;
    build(&folder).with_context(|| format!("cannot make {kind}/{name} in {}", root.display()))?;
    let marker = folder.join(".complete.partial");
    fs_err::write(&marker, "")?;
    fs_err::rename(marker, folder.join(MARKER))?;
    Ok(folder)
}

/// Held until the file is dropped; the kernel lets go of it with the process.
pub(crate) fn lock(root: &Path, name: &str) -> Result<File> {
    let locks = root.join("locks");
    fs_err::create_dir_all(&locks)?;
    let path = locks.join(format!("{name}.lock"));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.with_context(|| format!("cannot open the lock {}", path.display()))?;
    file.lock()
        .with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_build_is_made_again_and_a_whole_one_is_kept() -> Result<()> {
        let root = tempfile::tempdir()?;
        let broken = get_or_build(root.path(), "pg", "x", |folder| {
            fs_err::write(folder.join("half"), "")?;
            anyhow::bail!("the disk is full")
        });
        assert!(format!("{:#}", broken.unwrap_err()).contains("the disk is full"));

        let folder = get_or_build(root.path(), "pg", "x", |folder| {
            assert!(
                !folder.join("half").exists(),
                "what the broken build left is gone"
            );
            Ok(fs_err::write(folder.join("whole"), "")?)
        })?;
        assert!(folder.join("whole").exists());

        let again = get_or_build(root.path(), "pg", "x", |_| anyhow::bail!("built twice"))?;
        assert_eq!(again, folder);
        Ok(())
    }

    #[test]
    fn side_by_side_one_builds_and_the_others_wait() -> Result<()> {
        let root = tempfile::tempdir()?;
        let built = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    get_or_build(root.path(), "venv", "y", |_| {
                        built.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        Ok(())
                    })
                    .unwrap();
                });
            }
        });
        assert_eq!(built.into_inner(), 1);
        Ok(())
    }
}
