//! What the tests of a restore share: a blog with a backup, names of databases that are not there yet, and how to read
//! what a restore says.
//!
//! Absent here: expectations beyond "it ended with this class".

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{self, Server, TestCli};
use crate::workflow::common::{Blog, blog, contents, text};

/// A blog, its backup, and a name for the restored database, which is dropped at the end with what was left beside it.
pub(super) struct Scene {
    pub(super) blog: Blog,
    pub(super) file: PathBuf,
    pub(super) into: String,
}

impl Scene {
    #[track_caller]
    pub(super) fn new() -> Self {
        Self::taken(&[])
    }

    /// With a backup that was taken so.
    #[track_caller]
    pub(super) fn taken(flags: &[&str]) -> Self {
        let blog = blog(|app| app);
        let taken = support::cli(&blog.project)
            .args(["backup", "-q"])
            .args(flags)
            .run()
            .expect(0);
        let file = blog.project.folder().join(taken.stdout.trim());
        let into = format!("{}_back", blog.database.name());
        Self { blog, file, into }
    }

    pub(super) fn server(&self) -> &'static Server {
        support::shared(15)
    }

    /// `restore FILE --into …`
    pub(super) fn restore(&self) -> TestCli {
        self.restore_file(&self.file)
    }

    pub(super) fn restore_file(&self, file: &std::path::Path) -> TestCli {
        support::cli(&self.blog.project)
            .arg("restore")
            .arg(file.display().to_string())
            .args(["--into", &self.into])
    }

    /// Databases whose names begin with the one that is wanted.
    pub(super) fn databases(&self) -> Vec<String> {
        let sql = format!(
            "SELECT datname FROM pg_database WHERE starts_with(datname, '{}') ORDER BY 1",
            self.into
        );
        let rows = self.server().query("postgres", &sql).expect("databases");
        rows.into_iter().flatten().collect()
    }

    #[track_caller]
    pub(super) fn scalar(&self, sql: &str) -> String {
        self.server()
            .scalar(&self.into, sql)
            .unwrap_or_else(|why| panic!("{why:#}"))
    }

    #[track_caller]
    pub(super) fn on_server(&self, sql: &str) {
        self.server()
            .execute("postgres", sql)
            .unwrap_or_else(|why| panic!("{why:#}"));
    }

    /// What pg_dump says of the restored one is what it says of the blog.
    #[track_caller]
    pub(super) fn is_the_same(&self) {
        let mut dump = self.server().install().command("pg_dump");
        dump.args(["--no-sync", "-w", "-d", &self.server().dsn(&self.into)]);
        let dumped = dump.output().expect("pg_dump");
        assert!(
            dumped.status.success(),
            "{}",
            String::from_utf8_lossy(&dumped.stderr)
        );
        let restored: Vec<String> = String::from_utf8_lossy(&dumped.stdout)
            .lines()
            .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
            .map(str::to_owned)
            .collect();
        assert_eq!(restored.join("\n"), contents(&self.blog.database));
    }

    /// A dump of somebody else's, in a file of this name.
    #[track_caller]
    pub(super) fn foreign(&self, name: &str, sql: &str) -> PathBuf {
        let text = format!("{HEAD}\n{sql}\n{END}");
        self.blog.project.write_file(name, &text).expect("written");
        self.blog.project.folder().join(name)
    }
}

/// As pg_dump begins and ends.
const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n\
                    SELECT pg_catalog.set_config('search_path', '', false);\n";
const END: &str = "\n--\n-- PostgreSQL database dump complete\n--\n\n";

impl Drop for Scene {
    fn drop(&mut self) {
        for name in self.databases() {
            let drop = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
            let _ = self.server().execute("postgres", &drop);
        }
    }
}

/// Fails unless the restore ended with this code and class, and says this of the databases.
#[track_caller]
pub(super) fn because(
    cli: &TestCli,
    code: i32,
    class: &str,
    changed: &str,
    words: &[&str],
) -> Value {
    let document = cli
        .clone()
        .args(["--format", "json"])
        .run()
        .expect(code)
        .json();
    assert_eq!(document["command"], "restore", "{document:#}");
    assert_eq!(
        (
            &document["error"]["class"],
            &document["error"]["code"],
            &document["changed"]
        ),
        (&class.into(), &code.into(), &changed.into()),
        "{document:#}"
    );
    let said = format!(
        "{}\n{}",
        text(&document["error"]["message"]),
        text(&document["error"]["hint"])
    );
    for word in words {
        assert!(said.contains(word), "no `{word}` in: {said}");
    }
    document
}
