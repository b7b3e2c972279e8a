//! Targets that name nothing, too much, or the way back: 2, with what would be understood.

use super::halt::halts;
use crate::support::{cli, shop, shop_with};

#[test]
fn an_unknown_app() {
    let shop = shop("5.2", 15);
    for command in ["run", "check", "preview", "status"] {
        let halt = halts(&shop, &[command, "shoop"], 2, "unknown-app");
        halt.says(&["shoop"]);
    }
    halts(&shop, &["status", "shoop"], 2, "unknown-app").says(&["auth, contenttypes, shop"]);
    halts(&shop, &["run", "shoop"], 2, "unknown-app").says(&["django-migrate status"]);
}

#[test]
fn an_app_without_migrations() {
    let models = "class Note(models.Model):\n    text = models.TextField()\n";
    let shop = shop_with("5.2", 15, |b| b.app("notes", |app| app.models(models)));
    shop.remove_file("notes/migrations/__init__.py").unwrap();
    fs_err::remove_dir(shop.folder().join("notes/migrations")).unwrap();
    for command in ["run", "preview", "check"] {
        halts(&shop, &[command, "notes"], 2, "unknown-app").says(&[
            "notes",
            "does not have migrations",
            "makemigrations",
        ]);
    }
}

#[test]
fn an_unknown_migration() {
    let shop = shop("5.2", 15);
    for command in ["run", "preview"] {
        halts(&shop, &[command, "shop", "0042"], 2, "unknown-migration").says(&[
            "0042",
            "shop",
            "django-migrate status APP",
        ]);
    }
}

#[test]
fn an_ambiguous_migration() {
    let shop = shop("5.2", 15);
    let halt = halts(&shop, &["run", "shop", "000"], 2, "unknown-migration");
    halt.says(&["More than one", "000"]).talks(&[
        "matches:",
        "shop.0004_item_description, shop.0005_item_name_idx",
    ]);
}

#[test]
fn a_prefix_that_matches_one_is_enough() {
    let shop = shop("5.2", 15);
    let ran = cli(&shop)
        .args(["preview", "shop", "0005", "--format", "json"])
        .run()
        .expect(0);
    let document = ran.json();
    let names: Vec<&str> = document["migrations"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|m| m["name"].as_str())
        .collect();
    assert_eq!(names, ["0004_item_description", "0005_item_name_idx"]);
}

#[test]
fn a_target_behind_what_is_applied() {
    let shop = shop("5.2", 15);
    for arguments in [
        &["run", "shop", "0001"][..],
        &["run", "shop", "0002_item_stock", "--apply", "--yes"],
        &["preview", "shop", "0001"],
    ] {
        halts(&shop, arguments, 2, "backwards-target").says(&[
            "shop.0003_order",
            "never goes backwards",
            "rollback",
        ]);
    }
    for command in ["run", "preview"] {
        halts(&shop, &[command, "shop", "zero"], 2, "backwards-target").says(&["zero", "never"]);
    }
}

#[test]
fn a_target_that_is_applied_already_leaves_nothing_to_do() {
    let shop = shop("5.2", 15);
    let ran = cli(&shop).args(["run", "shop", "0003"]).run().expect(0);
    assert!(
        ran.stdout.contains("No migrations to apply"),
        "{}",
        ran.snapshot()
    );
}
