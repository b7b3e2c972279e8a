//! Where `locks` looks: what is said nearest, and a word on which it was.

use crate::support;

use super::scene::{database, look};

#[test]
fn without_django_by_dsn_url_or_libpqs_variables() {
    let database = database(15);
    let folder = tempfile::tempdir().expect("a folder");
    let cli = support::cli_in(folder.path()).arg("locks");
    let server = database.server();
    let by_variables = cli
        .clone()
        .env("PGHOST", server.host())
        .env("PGPORT", &server.port().to_string())
        .env("PGUSER", server.user())
        .env("PGPASSWORD", server.password())
        .env("PGDATABASE", database.name());
    let by_url = cli
        .clone()
        .env("DATABASE_URL", &database.dsn())
        .env("PGHOST", "nowhere.invalid");
    let by_flag = cli
        .clone()
        .args(["--dsn", &database.dsn()])
        .env("DATABASE_URL", "postgresql://nowhere.invalid/x");
    for (cli, way) in [
        (by_variables, "PG*"),
        (by_url, "DATABASE_URL"),
        (by_flag, "--dsn"),
    ] {
        let ran = cli.clone().run().expect(0);
        assert!(
            ran.stdout.contains("nobody waits for a lock"),
            "{}",
            ran.stdout
        );
        assert!(
            ran.stderr.contains(way) && ran.stderr.contains(database.name()),
            "{}",
            ran.stderr
        );
        let seen = look(&cli);
        assert_eq!(
            (&seen["command"], &seen["schema_version"]),
            (&"locks".into(), &1.into())
        );
        assert!(!ran.stderr.contains(server.password()), "{}", ran.stderr);
    }
}

#[test]
fn in_a_project_its_own_database() {
    let shop = support::shop("5.2", 15);
    let ran = support::cli(&shop).arg("locks").run().expect(0);
    assert!(
        ran.stderr.contains("the project's database default"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains(shop.database.name()), "{}", ran.stderr);
    // what is said in the environment is nearer than the project
    let other = database(15);
    let cli = support::cli(&shop)
        .arg("locks")
        .env("DATABASE_URL", &other.dsn());
    let ran = cli.run().expect(0);
    assert!(
        ran.stderr.contains(other.name()) && ran.stderr.contains("DATABASE_URL"),
        "{}",
        ran.stderr
    );
    // and a flag of the project nearer still
    let ran = cli.args(["--database", "default"]).run().expect(0);
    assert!(ran.stderr.contains(shop.database.name()), "{}", ran.stderr);
}

#[test]
fn no_connection_is_30_and_says_where_it_went() {
    let folder = tempfile::tempdir().expect("a folder");
    let cli = support::cli_in(folder.path()).args([
        "locks",
        "--dsn",
        "postgresql://u:sesame@127.0.0.1:1/x",
        "--format",
        "json",
    ]);
    let ran = cli.run().expect(30);
    let error = &ran.json()["error"];
    assert_eq!(
        (&error["code"], &error["class"]),
        (&30.into(), &"database-refused".into())
    );
    assert!(
        ran.stderr.contains("127.0.0.1:1") && ran.stderr.contains("--dsn"),
        "{}",
        ran.stderr
    );
    assert!(
        !ran.stderr.contains("sesame") && !ran.stdout.contains("sesame"),
        "{}",
        ran.stderr
    );
}

#[test]
fn readiness_without_names_needs_a_project() {
    let database = database(15);
    let folder = tempfile::tempdir().expect("a folder");
    let ran = support::cli_in(folder.path())
        .args(["locks", "--readiness", "--dsn", &database.dsn()])
        .run()
        .expect(20);
    assert!(
        ran.stderr.contains("Not a Django project root"),
        "{}",
        ran.stderr
    );
}
