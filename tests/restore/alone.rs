//! Without a project: the server by `--dsn`, `DATABASE_URL` or `PG*`; no Python starts.

use super::common::Scene;
use crate::support::{self, TestCli};
use crate::workflow::common::in_order;

impl Scene {
    /// In a folder that is no project.
    fn elsewhere(&self, folder: &std::path::Path) -> TestCli {
        let programs = self.server().bin_dir().display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        support::cli_in(folder)
            .env("PATH", &format!("{programs}:{path}"))
            .arg("restore")
            .arg(self.file.display().to_string())
            .args(["--into", &self.into])
    }
}

#[test]
fn a_dsn_is_enough() {
    let (scene, folder) = (Scene::new(), tempfile::tempdir().expect("a folder"));
    let ran = scene
        .elsewhere(folder.path())
        .args(["--dsn", &scene.server().dsn("postgres")])
        .run()
        .expect(0);
    in_order(&ran.stderr, &["by --dsn"]);
    in_order(&ran.stdout, &["21 rows", "1 migration recorded in it"]);
    scene.is_the_same();
}

#[test]
fn so_is_the_environment() {
    let (scene, folder) = (Scene::new(), tempfile::tempdir().expect("a folder"));
    let server = scene.server();
    let ran = scene
        .elsewhere(folder.path())
        .env("PGHOST", server.host())
        .env("PGPORT", &server.port().to_string())
        .env("PGUSER", server.user())
        .env("PGPASSWORD", server.password())
        .env("PGDATABASE", "postgres")
        .run()
        .expect(0);
    in_order(&ran.stderr, &["PG* variables"]);
    scene.is_the_same();
}

#[test]
fn nobody_there_is_no_restore() {
    let (scene, folder) = (Scene::new(), tempfile::tempdir().expect("a folder"));
    let ran = scene
        .elsewhere(folder.path())
        .args(["--dsn", "postgresql://u@127.0.0.1:1/x", "--format", "json"])
        .run()
        .expect(30);
    assert_eq!(ran.json()["error"]["class"], "database-refused");
}
