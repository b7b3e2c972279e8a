//! What two databases have in common, and a Python that counts how often it is started.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::support::{Database, Project};

/// Fails unless both have the same schema, as `pg_dump -s` writes it, and the same rows of `django_migrations` in the
/// same order.
#[track_caller]
pub(super) fn same(ours: &Database, djangos: &Database) {
    let rows = |database| -> Vec<String> {
        let rows = history(database).into_iter();
        rows.map(|(app, name)| format!("{app}.{name}")).collect()
    };
    let expected = rows(djangos);
    assert!(!expected.is_empty(), "Django migrated nothing");
    equal("rows of django_migrations", &rows(ours), &expected);

    let lines = |database| -> Vec<String> { schema(database).lines().map(str::to_owned).collect() };
    let expected = lines(djangos);
    let tables = expected
        .iter()
        .filter(|line| line.starts_with("CREATE TABLE"));
    assert!(tables.count() > 50, "{expected:#?}");
    equal("lines of pg_dump -s", &lines(ours), &expected);
}

/// Says the first difference, since there are thousands of lines.
#[track_caller]
fn equal(what: &str, ours: &[String], djangos: &[String]) {
    let first = ours.iter().zip(djangos).find(|(one, other)| one != other);
    assert_eq!(first, None, "{what} differ, first here (ours, Django's)");
    assert_eq!(ours.len(), djangos.len(), "number of {what}");
}

/// Both of the pair, in the order in which they were recorded.
#[track_caller]
pub(super) fn history(database: &Database) -> Vec<(String, String)> {
    let rows = database
        .query("SELECT app, name FROM django_migrations ORDER BY id")
        .unwrap_or_else(|why| panic!("{why:#}"));
    rows.into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect()
}

/// Newer versions of pg_dump draw a key for each dump.
#[track_caller]
fn schema(database: &Database) -> String {
    let mut command = database.server().install().command("pg_dump");
    command
        .args(["--schema-only", "--no-sync", "-w"])
        .stdin(Stdio::null());
    database.environment(&mut command);
    let output = command
        .output()
        .unwrap_or_else(|why| panic!("pg_dump: {why}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8_lossy(&output.stdout);
    let stays = |line: &&str| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict");
    text.lines().filter(stays).collect::<Vec<_>>().join("\n")
}

/// A folder that looks like a virtual environment: its Python is the project's, and keeps a line for each start.
pub(super) struct Counter {
    folder: tempfile::TempDir,
}

impl Counter {
    #[track_caller]
    pub(super) fn of(project: &Project) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (bin, log) = (folder.path().join("bin"), folder.path().join("log"));
        std::fs::create_dir(&bin).expect("a folder");
        let script = format!(
            "#!/bin/sh\necho \"$1 $2\" | head -1 >>{}\nexec {} \"$@\"\n",
            log.display(),
            project.venv().python().display()
        );
        let python = bin.join("python");
        std::fs::write(&python, script).expect("a script");
        std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).expect("a mode");
        Self { folder }
    }

    /// For `VIRTUAL_ENV`.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How often it was started, besides the project's own tests.
    #[track_caller]
    pub(super) fn started(&self) -> usize {
        let log = std::fs::read_to_string(self.folder.path().join("log")).expect("a log");
        log.lines()
            .filter(|line| !line.starts_with("manage.py test"))
            .count()
    }
}
