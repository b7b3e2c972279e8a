//! Where the project is and how it starts.

use std::path::{Path, PathBuf};

use super::wire::Entry;
use crate::exit::Class;
use crate::failure::Failure;
use crate::settings::DjangoSettings;

/// A project on disk.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    /// Absolute; the working directory of every Python process.
    pub(crate) root: PathBuf,
    pub(crate) entry: Entry,
}

impl Project {
    /// Needs manage.py in the root, unless `--entry` names the function that starts Django.
    pub(crate) fn locate(settings: &DjangoSettings) -> Result<Self, Failure> {
        let root = std::path::absolute(&settings.root)
            .map_err(|e| Failure::new(Class::Usage, format!("{}: {e}", settings.root.display())))?;
        if !root.is_dir() {
            return Err(Failure::new(
                Class::NotADjangoProject,
                format!("Not a Django project root: {} is no folder", root.display()),
            )
            .hint("--project names the folder of manage.py"));
        }
        let entry = match &settings.entry {
            Some(entry) => Entry::Function {
                module: entry.module.clone(),
                function: entry.function.clone(),
            },
            None if root.join("manage.py").is_file() => Entry::Manage {
                path: "manage.py".to_owned(),
            },
            None => return Err(no_manage_py(&root)),
        };
        Ok(Self { root, entry })
    }

    /// `manage.py`, or `MODULE:FUNC`.
    pub(crate) fn entry_text(&self) -> String {
        match &self.entry {
            Entry::Manage { path } => path.clone(),
            Entry::Function { module, function } => format!("{module}:{function}"),
        }
    }
}

fn no_manage_py(root: &Path) -> Failure {
    let failure = Failure::new(
        Class::NotADjangoProject,
        format!(
            "Not a Django project root: {} has no manage.py",
            root.display()
        ),
    );
    match nearest_manage_py(root) {
        Some(folder) => failure.hint(format!(
            "there is one in {}: say --project {0}",
            folder.display()
        )),
        None => failure.hint(
            "run this in the folder of manage.py, name it with --project DIR, \
             or say --entry MODULE:FUNC where a project has none",
        ),
    }
}

/// In a parent, or one level below.
fn nearest_manage_py(root: &Path) -> Option<PathBuf> {
    let above = root.ancestors().skip(1).take(4).map(Path::to_path_buf);
    let below = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path());
    let mut below: Vec<_> = below.filter(|p| p.is_dir()).collect();
    below.sort();
    above
        .chain(below)
        .find(|folder| folder.join("manage.py").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_manage_py_is_suggested() {
        let dir = tempfile::tempdir().unwrap();
        let site = dir.path().join("site");
        std::fs::create_dir(&site).unwrap();
        std::fs::write(site.join("manage.py"), "").unwrap();
        let failure = no_manage_py(dir.path());
        assert!(failure.message.starts_with("Not a Django project root"));
        assert!(failure.hint.unwrap().contains("site"));
    }
}
