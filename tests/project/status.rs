//! `status`: every migration with its state.

use serde_json::Value;

use crate::support::{Shop, cli, shop, shop_with};

/// `(state, duplicate, out_of_order)` of a migration.
#[track_caller]
fn state(document: &Value, app: &str, name: &str) -> (String, bool, bool) {
    let rows = document["migrations"].as_array().expect("a list");
    let row = rows
        .iter()
        .find(|row| row["app"] == app && row["name"] == name);
    let row = row.unwrap_or_else(|| panic!("no {app}.{name} in {document:#}"));
    let flag = |name: &str| row[name].as_bool().expect("a flag");
    (
        row["state"].as_str().expect("a state").to_owned(),
        flag("duplicate"),
        flag("out_of_order"),
    )
}

#[track_caller]
fn document(shop: &Shop, arguments: &[&str]) -> Value {
    let ran = cli(shop)
        .arg("status")
        .args(arguments)
        .args(["--format", "json"])
        .run()
        .expect(0);
    let document = ran.json();
    assert_eq!(
        (&document["schema_version"], &document["command"]),
        (&1.into(), &"status".into())
    );
    document
}

#[test]
fn applied_and_pending() {
    let shop = shop("5.2", 15);
    let all = document(&shop, &[]);
    assert_eq!(
        state(&all, "shop", "0003_order"),
        ("applied".into(), false, false)
    );
    assert_eq!(
        state(&all, "shop", "0004_item_description"),
        ("pending".into(), false, false)
    );
    assert_eq!(state(&all, "auth", "0001_initial").0, "applied");
    let applied_at = |name: &str| {
        let rows = all["migrations"].as_array().unwrap();
        rows.iter().find(|r| r["name"] == name).unwrap()["applied_at"].clone()
    };
    let at = applied_at("0003_order");
    let at: Result<jiff::Timestamp, _> = at.as_str().expect("a time").parse();
    assert!(at.is_ok(), "{at:?}");
    assert_eq!(applied_at("0004_item_description"), Value::Null);
    let one = document(&shop, &["shop"]);
    assert!(
        one["migrations"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["app"] == "shop")
    );
    assert_eq!(one["migrations"].as_array().map(Vec::len), Some(8));
}

#[test]
fn what_a_person_sees() {
    let shop = shop("5.2", 15);
    let ran = cli(&shop).args(["status", "shop"]).run();
    insta::assert_snapshot!(ran.snapshot(), @r"
    exit code: 0
    ----- stdout -----
    shop
     [X] 0001_initial                                     [TIME]
     [X] 0002_item_stock                                  [TIME]
     [X] 0003_order                                       [TIME]
     [ ] 0004_item_description
     [ ] 0005_item_name_idx
     [ ] 0006_fill_description
     [ ] 0007_order_coupon
     [ ] 0008_remove_item_legacy_code
    3 applied, 5 pending
    ----- stderr -----
    ");
}

#[test]
fn applied_and_missing_on_disk() {
    let shop = shop("5.2", 15);
    let add = "INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0009_hotfix', now()), ('old_app', '0001_initial', now())";
    shop.database.execute(add).unwrap();
    let all = document(&shop, &[]);
    assert_eq!(state(&all, "shop", "0009_hotfix").0, "missing");
    assert_eq!(state(&all, "old_app", "0001_initial").0, "missing");
    let ran = cli(&shop).args(["status"]).run().expect(0);
    assert!(
        ran.stdout.contains("applied, but its file is missing"),
        "{}",
        ran.snapshot()
    );
    assert!(
        ran.stdout.contains("2 missing on disk"),
        "{}",
        ran.snapshot()
    );
    let ran = cli(&shop)
        .args(["check", "--format", "json"])
        .run()
        .expect(0);
    let codes: Vec<Value> = ran.json()["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["code"].clone())
        .collect();
    assert_eq!(codes, ["history-missing-file", "history-missing-file"]);
}

#[test]
fn recorded_twice_and_out_of_order() {
    let shop = shop("5.2", 15);
    let twice = "INSERT INTO django_migrations (app, name, applied) VALUES ('shop', '0002_item_stock', now())";
    shop.database.execute(twice).unwrap();
    // 0001 was recorded after 0002, which depends on it
    let late =
        "UPDATE django_migrations SET id = 1000 WHERE app = 'shop' AND name = '0001_initial'";
    shop.database.execute(late).unwrap();
    let all = document(&shop, &[]);
    assert_eq!(
        state(&all, "shop", "0002_item_stock"),
        ("applied".into(), true, true)
    );
    assert_eq!(
        state(&all, "shop", "0003_order"),
        ("applied".into(), false, false)
    );
    let ran = cli(&shop).args(["status", "shop"]).run().expect(0);
    assert!(
        ran.stdout
            .contains("recorded more than once, applied before one that it depends on"),
        "{}",
        ran.snapshot()
    );
    let ran = cli(&shop)
        .args(["check", "--format", "json"])
        .run()
        .expect(0);
    assert_eq!(ran.json()["findings"][0]["code"], "history-duplicate");
    assert_eq!(ran.json()["verdict"], "ask");
    cli(&shop)
        .args(["check", "--fail-on", "ask"])
        .run()
        .expect(12);
}

const EMPTY: &str = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = [DEPENDENCIES]\n    operations = []\n";

#[test]
fn squashes_whole_partly_and_not_at_all() {
    let squash = |replaces: &str| {
        format!(
            "{}    replaces = [{replaces}]\n",
            EMPTY.replace("DEPENDENCIES", "")
        )
    };
    let pair = |app: &str| format!("('{app}', '0001_one'), ('{app}', '0002_two')");
    let second = |app: &str| EMPTY.replace("DEPENDENCIES", &format!("('{app}', '0001_one')"));
    let shop = shop_with("5.2", 15, |builder| {
        ["whole", "partly", "fresh"]
            .into_iter()
            .fold(builder, |builder, app| {
                builder.app(app, |described| {
                    described
                        .migration("0001_one", &EMPTY.replace("DEPENDENCIES", ""))
                        .migration("0002_two", &second(app))
                        .migration("0001_squashed_0002_two", &squash(&pair(app)))
                })
            })
    });
    let applied = "INSERT INTO django_migrations (app, name, applied) VALUES ('whole', '0001_one', now()), ('whole', '0002_two', now()), ('partly', '0001_one', now())";
    shop.database.execute(applied).unwrap();
    let all = document(&shop, &[]);
    let state = |app, name| state(&all, app, name).0;
    assert_eq!(state("whole", "0001_squashed_0002_two"), "applied");
    assert_eq!(state("whole", "0001_one"), "squashed");
    assert_eq!(state("partly", "0001_squashed_0002_two"), "partly_squashed");
    assert_eq!(state("partly", "0001_one"), "applied");
    assert_eq!(state("partly", "0002_two"), "pending");
    assert_eq!(state("fresh", "0001_squashed_0002_two"), "pending");
}

#[test]
fn a_database_without_history() {
    let shop = shop("5.2", 15);
    shop.database
        .execute("DROP TABLE django_migrations")
        .unwrap();
    let all = document(&shop, &["shop"]);
    assert!(
        all["migrations"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["state"] == "pending")
    );
    let exists = shop
        .database
        .scalar("SELECT to_regclass('django_migrations') IS NULL")
        .unwrap();
    assert_eq!(exists, "t", "`status` only reads");
}
