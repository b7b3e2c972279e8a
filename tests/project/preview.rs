//! `preview`: the document that cli.md promises, and `--fail-on`.

use serde_json::Value;

use crate::support::{MATRIX, SHOP_PENDING, Shop, cli, shop, shop_with};

#[track_caller]
fn document(shop: &Shop, arguments: &[&str]) -> Value {
    cli(shop)
        .arg("preview")
        .args(arguments)
        .args(["--format", "json"])
        .run()
        .expect(0)
        .json()
}

/// The value has these fields, and where two kinds are named it has one of them.
#[track_caller]
fn has(value: &Value, fields: &[(&str, &str)]) {
    for (name, kinds) in fields {
        let found = match &value[name] {
            _ if value.get(name).is_none() => "absent",
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "text",
            Value::Array(_) => "list",
            Value::Object(_) => "object",
        };
        assert!(
            kinds.split('|').any(|kind| kind == found),
            "{name} is {found}, not {kinds}, in {value:#}"
        );
    }
}

#[track_caller]
fn one_of(value: &Value, words: &[&str]) {
    assert!(
        value.as_str().is_some_and(|word| words.contains(&word)),
        "{value} is none of {words:?}"
    );
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

#[track_caller]
fn finding(value: &Value) {
    has(
        value,
        &[
            ("code", "text"),
            ("severity", "text"),
            ("message", "text"),
            ("remedy", "text"),
            ("relation", "text|null"),
        ],
    );
    one_of(&value["severity"], &["note", "ask", "stop"]);
    let code = value["code"].as_str().unwrap();
    assert!(
        code.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
        "{code} is no kebab-case"
    );
}

#[track_caller]
fn statement(value: &Value) {
    has(
        value,
        &[
            ("sql", "text"),
            ("line", "number"),
            ("kind", "text"),
            ("relations", "list"),
            ("locks", "list"),
            ("rewrites", "list"),
            ("scans", "list"),
            ("scan_reasons", "object"),
            ("blocks", "text"),
            ("transactional", "bool"),
            ("parsed", "bool"),
            ("destructive", "bool"),
            ("evidence", "text"),
            ("findings", "list"),
        ],
    );
    one_of(&value["blocks"], &["nothing", "writes", "reads"]);
    one_of(&value["evidence"], &["static", "catalog", "measured"]);
    for lock in list(&value["locks"]) {
        has(&lock, &[("relation", "text"), ("mode", "text")]);
        assert!(lock["mode"].as_str().unwrap().ends_with("Lock"), "{lock}");
    }
    for relation in list(&value["relations"]) {
        let name = relation.as_str().unwrap();
        assert!(
            name.contains('.') && !name.contains('"'),
            "{name} is no schema.name"
        );
    }
    list(&value["findings"]).iter().for_each(finding);
}

#[test]
fn every_promised_field_is_there() {
    for (major, version) in MATRIX {
        let shop = shop(version, major);
        let all = document(&shop, &[]);
        has(
            &all,
            &[
                ("schema_version", "number"),
                ("database", "object"),
                ("plan_fingerprint", "text"),
                ("migrations", "list"),
                ("verdict", "text"),
                ("findings", "list"),
            ],
        );
        assert_eq!(
            (&all["schema_version"], &all["command"]),
            (&1.into(), &"preview".into())
        );
        has(
            &all["database"],
            &[
                ("alias", "text"),
                ("name", "text"),
                ("server_version", "number"),
            ],
        );
        assert_eq!(all["database"]["name"], shop.database.name());
        assert_eq!(
            all["database"]["server_version"]
                .as_u64()
                .map(|n| n / 10_000),
            Some(u64::from(major))
        );
        one_of(&all["verdict"], &["go", "ask", "stop"]);
        let migrations = list(&all["migrations"]);
        let names: Vec<&str> = migrations
            .iter()
            .filter_map(|m| m["name"].as_str())
            .collect();
        assert_eq!(names, SHOP_PENDING);
        for migration in &migrations {
            has(
                migration,
                &[
                    ("app", "text"),
                    ("name", "text"),
                    ("atomic", "bool"),
                    ("reversible", "bool"),
                    ("complete", "bool"),
                    ("missing", "list"),
                    ("sql_source", "text"),
                    ("deploy", "text"),
                    ("statements", "list"),
                ],
            );
            one_of(
                &migration["sql_source"],
                &["collected", "rehearsal", "unavailable"],
            );
            one_of(
                &migration["deploy"],
                &["before", "after", "either", "neither"],
            );
            for missing in list(&migration["missing"]) {
                has(&missing, &[("operation", "text"), ("why", "text")]);
            }
            assert_eq!(
                migration["complete"],
                list(&migration["missing"]).is_empty()
            );
            list(&migration["statements"]).iter().for_each(statement);
        }
        list(&all["findings"]).iter().for_each(finding);
    }
}

#[test]
fn what_the_shop_would_do() {
    let shop = shop("5.2", 15);
    let all = document(&shop, &[]);
    let migrations = list(&all["migrations"]);
    let kinds = |at: usize| -> Vec<String> {
        list(&migrations[at]["statements"])
            .iter()
            .map(|s| s["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(kinds(0)[0], "add_column");
    assert_eq!(kinds(1), ["create_index"]);
    assert_eq!(migrations[1]["atomic"], false);
    assert_eq!(
        list(&migrations[1]["statements"])[0]["transactional"],
        false
    );
    let run_python = &migrations[2];
    assert_eq!(
        (&run_python["complete"], &run_python["sql_source"]),
        (&false.into(), &"unavailable".into())
    );
    assert!(
        run_python["missing"][0]["why"]
            .as_str()
            .unwrap()
            .contains("0006_fill_description.fill"),
        "{run_python:#}"
    );
    let drop = &list(&migrations[4]["statements"])[0];
    assert_eq!(
        (&drop["kind"], &drop["destructive"]),
        (&"drop_column".into(), &true.into())
    );
    assert_eq!(drop["locks"][0]["mode"], "AccessExclusiveLock");
    assert_eq!(all["verdict"], "ask");
    let codes: Vec<Value> = list(&all["findings"])
        .iter()
        .map(|f| f["code"].clone())
        .collect();
    assert!(codes.contains(&"drop-column".into()), "{codes:?}");
}

#[test]
fn a_preview_changes_nothing_and_its_plan_stays_the_same() {
    let shop = shop("5.2", 15);
    let schema = "SELECT string_agg(relname || relfilenode, ',' ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace";
    let before = shop.database.scalar(schema).unwrap();
    let first = document(&shop, &[]);
    let again = document(&shop, &[]);
    assert_eq!(first["plan_fingerprint"], again["plan_fingerprint"]);
    let fewer = document(&shop, &["shop", "0005"]);
    assert_ne!(first["plan_fingerprint"], fewer["plan_fingerprint"]);
    assert_eq!(shop.database.scalar(schema).unwrap(), before);
    assert!(
        !shop.folder().join(".django-migrate").exists() && !shop.folder().join("backups").exists()
    );
    let advisory = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory' AND datname = current_database()";
    assert_eq!(shop.database.scalar(advisory).unwrap(), "0");
}

#[test]
fn fail_on_decides_the_exit_code() {
    let shop = shop("5.2", 15);
    let preview = |arguments: &[&str]| cli(&shop).arg("preview").args(arguments).run().code();
    for (severity, code) in [("note", 12), ("ask", 12), ("stop", 0), ("never", 0)] {
        assert_eq!(preview(&["--fail-on", severity]), code, "{severity}");
    }
    assert_eq!(preview(&[]), 0, "never is the default");
    // without a finding there is nothing to fail on
    assert_eq!(preview(&["shop", "0004", "--fail-on", "ask"]), 0);
    let ran = cli(&shop)
        .args(["preview", "--fail-on", "ask", "--format", "json"])
        .run()
        .expect(12);
    assert_eq!(
        ran.json()["verdict"],
        "ask",
        "the document stays the answer"
    );
}

#[test]
fn a_migration_that_is_broken_itself() {
    let broken = "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    \
                  dependencies = [('shop', '0008_remove_item_legacy_code')]\n    \
                  operations = [migrations.AddField('item', 'ghost', models.ForeignKey('shop.Nobody', models.CASCADE))]\n";
    let shop = shop_with("5.2", 15, |b| {
        b.file("shop/migrations/0009_ghost.py", broken)
    });
    let ran = cli(&shop)
        .args(["preview", "--format", "json"])
        .run()
        .expect(23);
    let error = &ran.json()["error"];
    assert_eq!(error["class"], "sql-unavailable", "{}", ran.snapshot());
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("shop.0009_ghost"),
        "{error}"
    );
}

#[test]
fn what_a_person_reads() {
    let shop = shop("5.2", 15);
    let ran = cli(&shop).args(["preview"]).run().expect(0);
    for word in [
        "shop.0004_item_description",
        "ALTER TABLE",
        "DROP COLUMN",
        "legacy_code",
        "500 rows",
        "verdict",
        "ask",
    ] {
        assert!(ran.stdout.contains(word), "{word}\n{}", ran.snapshot());
    }
    assert!(
        !ran.stdout.contains('\u{1b}'),
        "no colour where there is no terminal"
    );
}
