//! Databases that are reached and not fit for a run: 31. And other ways to the same one: `--dsn`.

use super::halt::{halts, no_secret};
use crate::support::{
    Env, Options, PoolMode, Project, TempServer, cli, django, lead_through, pooler, shared, shop,
    shop_with,
};

#[test]
fn a_database_that_is_not_postgresql() {
    let sqlite = "DATABASES['default'] = {'ENGINE': 'django.db.backends.sqlite3', 'NAME': BASE_DIR / 'db.sqlite3'}";
    let shop = shop_with("5.2", 15, |builder| builder.settings(sqlite));
    for command in ["run", "check", "status", "preview", "backup"] {
        halts(&shop, &[command], 31, "not-postgresql").says(&[
            "default",
            "django.db.backends.sqlite3",
            "PostgreSQL",
            "--database",
        ]);
    }
    assert!(
        !shop.folder().join("db.sqlite3").exists(),
        "it must not even be opened"
    );
}

#[test]
fn another_alias_that_is_not_postgresql() {
    let sqlite =
        "DATABASES['cache'] = {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}";
    let shop = shop_with("5.2", 15, |builder| builder.settings(sqlite));
    halts(&shop, &["run", "--database", "cache"], 31, "not-postgresql").says(&["cache"]);
    cli(&shop).args(["preview"]).run().expect(0);
}

#[test]
fn an_alias_that_is_not_there() {
    let shop = shop("5.2", 15);
    for command in ["run", "check", "status", "preview", "backup"] {
        halts(
            &shop,
            &[command, "--database", "replica"],
            2,
            "unknown-database",
        )
        .says(&["replica", "--database takes an alias of DATABASES: default"]);
    }
}

#[test]
fn another_way_to_the_same_database() {
    let shop = shop("5.2", 15);
    let server = shop.server();
    let socket = server.socket_dir().display().to_string();
    for dsn in [
        server.dsn(shop.database.name()),
        format!("host={socket} port={}", server.port()),
        format!("host=localhost hostaddr=127.0.0.1 port={}", server.port()),
    ] {
        let ran = cli(&shop)
            .args(["check", "-v", "--dsn", &dsn, "--format", "json"])
            .run()
            .expect(0);
        no_secret(&shop, &ran, server.password());
        cli(&shop).args(["preview", "--dsn", &dsn]).run().expect(0);
    }
    let ran = cli(&shop)
        .env("DJANGO_MIGRATE_DSN", &server.dsn(shop.database.name()))
        .args(["run", "-v"])
        .run()
        .expect(0);
    no_secret(&shop, &ran, server.password());
}

#[test]
fn a_dsn_to_another_server() {
    // the same login and the same name on both: only the system identifier tells
    let (login, password) = ("twin", "twin-peaks-1990");
    let other = shared(18);
    for server in [shared(15), other] {
        let attributes = format!("SUPERUSER PASSWORD '{password}'");
        server.create_role(login, &attributes).expect("a role");
    }
    let shop = shop_with("5.2", 15, |builder| builder.login(login, password));
    let dsn = other.dsn_as(login, password, shop.database.name());
    let twin = other
        .named_database(shop.database.name())
        .expect("a database");
    for command in [
        &["run", "--apply", "--yes"][..],
        &["check"],
        &["preview"],
        &["backup"],
    ] {
        let arguments = [command, &["--dsn", &dsn]].concat();
        let halt = halts(&shop, &arguments, 31, "not-the-same-database");
        halt.says(&["another database than Django's", "--dsn"])
            .talks(&["django:", "ours:"]);
        no_secret(&shop, &halt.ran, password);
    }
    drop(twin);
}

#[test]
fn a_dsn_to_another_database_of_the_same_server() {
    let shop = shop("5.2", 15);
    let other = shop.server().database().expect("a database");
    halts(
        &shop,
        &["run", "--dsn", &other.dsn()],
        31,
        "not-the-same-database",
    )
    .says(&["--dsn"]);
}

#[test]
fn a_dsn_that_cannot_be_read() {
    let shop = shop("5.2", 15);
    let dsn = "postgres://shop:tr0ub4dor@db:notaport/shop";
    let halt = halts(&shop, &["run", "--dsn", dsn], 2, "settings");
    halt.says(&["--dsn cannot be used"]);
    no_secret(&shop, &halt.ran, "tr0ub4dor");
}

#[test]
fn a_router_decides_what_an_alias_plans() {
    let router = "class Router:\n    def allow_migrate(self, db, app_label, **hints):\n        \
                  return (app_label == 'archive') == (db == 'other')\n";
    let server = shared(15);
    let (default, other) = (server.database().unwrap(), server.database().unwrap());
    let project = Project::new(&django("5.2"), &default)
        .database("other", &other)
        .settings("DATABASE_ROUTERS = ['config.router.Router']")
        .file("config/router.py", router)
        .app("archive", |app| {
            app.models("class Old(models.Model):\n    name = models.CharField(max_length=9)\n").operations(
                "0001_initial",
                "migrations.CreateModel('Old', [('id', models.BigAutoField(primary_key=True)), ('name', models.CharField(max_length=9))])",
            )
        })
        .write()
        .unwrap();
    let tables = |alias: &str| {
        let ran = cli(&project)
            .args(["preview", "--database", alias, "--format", "json"])
            .run()
            .expect(0);
        let document = ran.json();
        assert_eq!(document["database"]["alias"], alias);
        let migrations = document["migrations"].as_array().cloned().unwrap();
        let statements = migrations
            .iter()
            .flat_map(|m| m["statements"].as_array().cloned().unwrap());
        statements
            .filter(|s| s["kind"] == "create_table")
            .map(|s| s["relations"][0].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(tables("other"), ["public.archive_old"]);
    let at_default = tables("default");
    assert!(
        at_default.contains(&"public.auth_user".to_owned())
            && !at_default.contains(&"public.archive_old".to_owned()),
        "{at_default:?}"
    );
    let ran = cli(&project)
        .args(["check", "--database", "other", "--format", "json"])
        .run()
        .expect(0);
    assert!(
        ran.json()["checks"][2]["detail"]
            .as_str()
            .unwrap()
            .ends_with(other.name()),
        "{}",
        ran.snapshot()
    );
}

#[test]
fn a_standby_takes_no_changes() {
    let install = Env::open()
        .and_then(|env| env.postgres(15))
        .expect("PostgreSQL 15");
    let files = vec![("standby.signal".to_owned(), Vec::new())];
    let standby = TempServer::start_with(
        &install,
        Options {
            files,
            ..Options::default()
        },
    )
    .expect("a standby");
    let settings = format!(
        "DATABASES['default'].update(HOST='127.0.0.1', PORT={}, NAME='postgres', USER='{}', PASSWORD='{}')",
        standby.port(),
        standby.user(),
        standby.password()
    );
    let shop = shop_with("5.2", 15, |builder| builder.settings(&settings));
    for command in [
        &["run"][..],
        &["run", "--apply", "--yes"],
        &["check"],
        &["preview"],
    ] {
        let halt = halts(&shop, command, 31, "standby");
        halt.says(&["standby", "primary"]);
        no_secret(&shop, &halt.ran, standby.password());
    }
    // what the server is stands before the refusal, which is told once
    let ran = cli(&shop).args(["check"]).run().expect(31);
    let [facts, refused] = ["database ages", "verdict stop"].map(|text| ran.stdout.find(text));
    assert!(facts.is_some() && facts < refused, "{}", ran.snapshot());
    assert!(
        ran.stdout.contains("✗ connection  standby\n"),
        "{}",
        ran.snapshot()
    );
    let told = format!("{}{}", ran.stdout, ran.stderr);
    assert_eq!(told.matches("it takes no changes").count(), 1, "{told}");
    let document = cli(&shop)
        .args(["check", "--format", "json"])
        .run()
        .expect(31)
        .json();
    assert_eq!(document["server"]["standby"], true, "{document:#}");
    // what only reads may read there
    let ran = cli(&shop).args(["status"]).run().expect(0);
    assert!(ran.stdout.contains("0 applied"), "{}", ran.snapshot());
    let write = "DATABASES['default']['OPTIONS'] = {'target_session_attrs': 'read-write'}";
    let text = shop.read_file("config/settings.py").unwrap();
    shop.write_file("config/settings.py", &format!("{text}\n{write}\n"))
        .unwrap();
    halts(&shop, &["run"], 31, "standby").says(&["session is read-only", "target_session_attrs"]);
}

#[test]
fn a_backup_through_a_transaction_pooler() {
    let shop = shop("5.2", 15);
    let Some(pooler) = pooler(shop.server(), PoolMode::Transaction) else {
        return;
    };
    lead_through(&shop, &pooler);
    // all of its pending migrations in a transaction, so that only the backup is in question
    shop.write_file(
        "shop/migrations/0005_item_name_idx.py",
        &shop
            .read_file("shop/migrations/0005_item_name_idx.py")
            .unwrap()
            .replace("atomic = False", "")
            .replace("AddIndexConcurrently", "AddIndex"),
    )
    .unwrap();
    for command in [
        &["run"][..],
        &["run", "--apply", "--yes"],
        &["backup"],
        &["check"],
    ] {
        halts(&shop, command, 31, "pooler").says(&[
            "transaction pooler",
            "pg_dump",
            "--dsn postgresql://HOST:PORT of the server itself",
        ]);
    }
    // to say that there is none is another matter
    let direct = shop.server().dsn(shop.database.name());
    cli(&shop).args(["check", "--dsn", &direct]).run().expect(0);
    cli(&shop)
        .args(["run", "--no-backup", "--acknowledge-no-backup"])
        .run()
        .expect(0);
}

#[test]
fn a_migration_outside_a_transaction_through_a_transaction_pooler() {
    let shop = shop("5.2", 15);
    let Some(pooler) = pooler(shop.server(), PoolMode::Transaction) else {
        return;
    };
    lead_through(&shop, &pooler);
    let direct = shop.server().dsn(shop.database.name());
    for command in [&["run"][..], &["run", "--apply", "--yes"]] {
        let arguments = [command, &["--dsn", &direct]].concat();
        halts(&shop, &arguments, 31, "pooler").says(&[
            "shop.0005_item_name_idx",
            "atomic = False",
            "no timeout",
        ]);
    }
}
