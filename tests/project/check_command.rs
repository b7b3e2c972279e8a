//! `check`: every check of phase 1 with its detail, and with -v where each setting came from.

use super::halt::no_secret;
use crate::support::{cli, shop};

const NAMES: [&str; 7] = [
    "project",
    "django",
    "connection",
    "graph",
    "history",
    "blockers",
    "pg_dump",
];

#[test]
fn every_check_is_listed_in_order() {
    let shop = shop("5.2", 15);
    let ran = cli(&shop)
        .args(["check", "--format", "json"])
        .run()
        .expect(0);
    let document = ran.json();
    let checks = document["checks"].as_array().unwrap();
    let names: Vec<&str> = checks.iter().filter_map(|c| c["name"].as_str()).collect();
    assert_eq!(names, NAMES);
    assert!(
        checks
            .iter()
            .all(|c| c["ok"] == true && c["detail"].is_string()),
        "{document:#}"
    );
    assert_eq!(
        (&document["command"], &document["verdict"]),
        (&"check".into(), &"go".into())
    );
    assert_eq!(document["findings"], serde_json::json!([]));
    assert!(document.get("error").is_none());
    assert!(
        !shop.folder().join(".django-migrate").exists(),
        "`check` writes nothing"
    );
    no_secret(&shop, &ran, shop.server().password());
}

#[test]
fn what_a_person_sees() {
    let shop = shop("5.2", 15);
    let ran = cli(&shop)
        .filter(&format!("{}@", shop.server().user()), "[USER]@")
        .filter(
            r"Django 5\.2\.\d+, Python [\d.]+",
            "Django [DJANGO], Python [PYTHON]",
        )
        .filter(r"pg_dump \d+\.\d+", "pg_dump [PG_VERSION]")
        .args(["check"])
        .run();
    insta::assert_snapshot!(ran.snapshot(), @r"
    exit code: 0
    ----- stdout -----
    ✓ project     manage.py, Django [DJANGO], Python [PYTHON] (by VIRTUAL_ENV)
    ✓ django      no errors, 0 warnings
    ✓ connection  [USER]@127.0.0.1:[PORT]/[DATABASE]
    ✓ graph       22 migrations, 5 pending
    ✓ history     17 rows in django_migrations
    ✓ blockers    nobody in the way on 2 relations; 0 transactions over [SECONDS]
    ✓ pg_dump     pg_dump [PG_VERSION] ([PG_BIN]/pg_dump)
    verdict go
    ----- stderr -----
    ");
}

#[test]
fn a_check_that_fails_is_marked_and_ends_the_list() {
    let shop = shop("5.2", 15);
    shop.remove_file("shop/migrations/0005_item_name_idx.py")
        .unwrap();
    let ran = cli(&shop)
        .args(["check", "--format", "json"])
        .run()
        .expect(22);
    let document = ran.json();
    let marks: Vec<(&str, bool)> = document["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["name"].as_str().unwrap(), c["ok"].as_bool().unwrap()))
        .collect();
    assert_eq!(
        marks,
        [
            ("project", true),
            ("django", true),
            ("connection", true),
            ("graph", false)
        ]
    );
    assert_eq!(document["verdict"], "stop");
    assert_eq!(document["error"]["class"], "missing-migration");
    let ran = cli(&shop).args(["check"]).run().expect(22);
    assert!(ran.stdout.contains("✗ graph"), "{}", ran.snapshot());
    assert!(
        ran.stderr.contains("restore the file"),
        "{}",
        ran.snapshot()
    );
}

#[test]
fn without_pg_dump() {
    let shop = shop("5.2", 15);
    let halt = super::halt::halts(
        &shop,
        &["check", "--pg-dump", "/nowhere/pg_dump"],
        40,
        "pg-dump-missing",
    );
    halt.says(&["/nowhere/pg_dump"]);
}

#[test]
fn verbose_says_where_each_setting_came_from() {
    let shop = shop("5.2", 15);
    let file = "[tool.django-migrate]\nlock-wait-timeout = \"7s\"\nbackup_dir = \"saved\"\n";
    shop.write_file("pyproject.toml", file).unwrap();
    let ran = cli(&shop)
        .env("DJANGO_MIGRATE_COMPRESS", "gzip:3")
        .env("DJANGO_MIGRATE_BACKUP_DIR", "elsewhere")
        .env("DJANGO_MIGRATE_DSN", &shop.database.dsn())
        .args(["check", "-v", "--database", "default"])
        .run()
        .expect(0);
    for line in [
        "database = default (--database)",
        "compress = gzip:3 (environment DJANGO_MIGRATE_COMPRESS)",
        "backup_dir = elsewhere (environment DJANGO_MIGRATE_BACKUP_DIR)",
        "lock_wait_timeout = 7s (./pyproject.toml)",
        "dsn = (set) (environment DJANGO_MIGRATE_DSN)",
    ] {
        assert!(
            ran.stderr.lines().any(|said| said == line),
            "{line}\n{}",
            ran.snapshot()
        );
    }
    no_secret(&shop, &ran, shop.server().password());
    let ran = cli(&shop).args(["check"]).run().expect(0);
    assert!(
        !ran.stderr.contains("lock_wait_timeout"),
        "only with -v\n{}",
        ran.snapshot()
    );
}

#[test]
fn a_long_transaction_is_a_note() {
    let shop = shop("5.2", 15);
    let sleeper = shop.server().clone();
    let database = shop.database.name().to_owned();
    let (ready, started) = std::sync::mpsc::channel();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let holder = std::thread::spawn(move || {
        sleeper.with_client(&database, move |client| {
            // a transaction that is older than the five seconds of `check`, by the server's own clock
            let mut transaction = client.transaction()?;
            transaction.batch_execute("SELECT pg_sleep(5.2)")?;
            ready.send(())?;
            let _ = stopped.recv();
            Ok(transaction.commit()?)
        })
    });
    started.recv().expect("it began");
    let ran = cli(&shop).args(["check", "--format", "json"]).run();
    drop(stop);
    holder.join().expect("no panic").expect("no error");
    let ran = ran.expect(0);
    let document = ran.json();
    let finding = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|f| f["code"] == "long-transaction");
    let finding = finding.unwrap_or_else(|| panic!("no finding\n{}", ran.snapshot()));
    assert_eq!(finding["severity"], "note");
    assert!(
        finding["message"]
            .as_str()
            .unwrap()
            .contains("idle in transaction"),
        "{finding}"
    );
}
