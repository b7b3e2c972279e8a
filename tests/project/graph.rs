//! Graphs that cannot be planned: 22, with the members and the way out.

use super::halt::{halts, no_secret};
use crate::support::{App, Shop, cli, shop, shop_with};

/// A migration file of an app `stock`.
fn migration(dependencies: &str, body: &str) -> String {
    format!(
        "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    \
         dependencies = [{dependencies}]\n    {body}\n"
    )
}

const NOTHING: &str = "operations = []";

#[track_caller]
fn with_app(describe: impl FnOnce(App) -> App) -> Shop {
    shop_with("5.2", 15, |builder| builder.app("stock", describe))
}

/// Every command that plans.
const PLANNERS: [&[&str]; 4] = [
    &["run"],
    &["run", "--apply", "--yes"],
    &["check"],
    &["preview"],
];

#[test]
fn circular_dependencies_are_named_in_order() {
    let shop = with_app(|app| {
        app.migration("0001_a", &migration("('stock', '0003_c')", NOTHING))
            .migration("0002_b", &migration("('stock', '0001_a')", NOTHING))
            .migration("0003_c", &migration("('stock', '0002_b')", NOTHING))
    });
    for command in PLANNERS {
        let halt = halts(&shop, command, 22, "plan-cycle");
        halt.says(&[
            "circular dependencies",
            "stock.0001_a",
            "stock.0002_b",
            "stock.0003_c",
            "take a dependency out",
        ]);
        let at = |name: &str| halt.message.find(name).expect("named");
        let (a, b, c) = (at("0001_a"), at("0002_b"), at("0003_c"));
        assert!(
            (a < b && b < c) || (a < c && c < b),
            "from the first on: {}",
            halt.message
        );
        assert!(halt.message.contains(" → "), "{}", halt.message);
    }
}

#[test]
fn a_cycle_through_two_apps() {
    let shop = shop_with("5.2", 15, |builder| {
        builder
            .app("stock", |app| {
                app.migration(
                    "0001_initial",
                    &migration("('supply', '0001_initial')", NOTHING),
                )
            })
            .app("supply", |app| {
                app.migration(
                    "0001_initial",
                    &migration("('stock', '0001_initial')", NOTHING),
                )
            })
    });
    halts(&shop, &["run"], 22, "plan-cycle").says(&["stock.0001_initial → supply.0001_initial"]);
}

#[test]
fn a_dependency_without_a_file() {
    let shop = shop("5.2", 15);
    shop.remove_file("shop/migrations/0005_item_name_idx.py")
        .unwrap();
    for command in PLANNERS {
        let halt = halts(&shop, command, 22, "missing-migration");
        halt.says(&[
            "shop.0006_fill_description",
            "0005_item_name_idx",
            "restore the file",
        ]);
        halt.talks(&["shop.0005_item_name_idx, shop.0006_fill_description"]);
    }
}

#[test]
fn a_dependency_on_an_app_that_is_not_installed() {
    let shop = with_app(|app| {
        app.migration(
            "0001_initial",
            &migration("('ghost', '0001_initial')", NOTHING),
        )
    });
    halts(&shop, &["run"], 22, "missing-migration").says(&[
        "stock.0001_initial",
        "ghost",
        "INSTALLED_APPS",
    ]);
    let first = migration("('ghost', '__first__')", NOTHING);
    shop.write_file("stock/migrations/0001_initial.py", &first)
        .unwrap();
    for command in PLANNERS {
        halts(&shop, command, 22, "missing-migration").says(&[
            "stock.0001_initial: Dependency on unknown app: ghost",
            "INSTALLED_APPS",
        ]);
    }
}

#[test]
fn a_migration_file_with_a_syntax_error() {
    let shop = shop("5.2", 15);
    let broken =
        "from django.db import migrations\n\nclass Migration(migrations.Migration)\n    pass\n";
    shop.write_file("shop/migrations/0006_fill_description.py", broken)
        .unwrap();
    for command in PLANNERS {
        let halt = halts(&shop, command, 22, "bad-migration");
        halt.says(&[
            "SyntaxError",
            "shop/migrations/0006_fill_description.py, line 3",
            "showmigrations",
        ]);
        halt.talks(&["shop.0006_fill_description"]);
    }
}

#[test]
fn a_migration_file_that_cannot_be_imported() {
    let shop = shop("5.2", 15);
    let text = "from django.db import migrations\nfrom shop.gone import fill\n\n\nclass Migration(migrations.Migration):\n    pass\n";
    shop.write_file("shop/migrations/0006_fill_description.py", text)
        .unwrap();
    halts(&shop, &["run"], 22, "bad-migration")
        .says(&["shop.gone", "0006_fill_description.py, line 2"]);
}

#[test]
fn a_migration_file_without_a_migration() {
    let shop = shop("5.2", 15);
    shop.write_file(
        "shop/migrations/0006_fill_description.py",
        "# merged badly\n",
    )
    .unwrap();
    halts(&shop, &["run"], 22, "bad-migration")
        .says(&["0006_fill_description", "no Migration class"]);
}

#[test]
fn conflicting_migrations() {
    let shop = shop("5.2", 15);
    let rival = migration("('shop', '0007_order_coupon')", NOTHING);
    shop.write_file("shop/migrations/0008_other_branch.py", &rival)
        .unwrap();
    for command in PLANNERS {
        halts(&shop, command, 22, "plan-conflict").says(&[
            "0008_other_branch",
            "0008_remove_item_legacy_code",
            "in shop",
            "makemigrations --merge",
        ]);
    }
}

#[test]
fn a_history_that_is_out_of_order() {
    let shop = shop("5.2", 15);
    let forget = "DELETE FROM django_migrations WHERE app = 'shop' AND name = '0002_item_stock'";
    shop.database.execute(forget).unwrap();
    for command in PLANNERS {
        halts(&shop, command, 22, "inconsistent-history").says(&[
            "shop.0003_order",
            "shop.0002_item_stock",
            "applied before its dependency",
            "django_migrations",
            "--fake",
        ]);
    }
}

#[test]
fn a_partly_applied_squash_whose_old_files_are_gone() {
    let replaces =
        "replaces = [('stock', '0001_initial'), ('stock', '0002_more')]\n    operations = []";
    let shop = with_app(|app| app.migration("0001_squashed_0002_more", &migration("", replaces)));
    let half = "INSERT INTO django_migrations (app, name, applied) VALUES ('stock', '0001_initial', now())";
    shop.database.execute(half).unwrap();
    for command in PLANNERS {
        halts(&shop, command, 22, "inconsistent-history").says(&[
            "stock.0001_squashed_0002_more",
            "only some replaced migrations are applied",
            "stock.0002_more",
        ]);
    }
}

#[test]
fn a_merge_and_a_whole_squash_are_no_halt() {
    let replaces =
        "replaces = [('stock', '0001_initial'), ('stock', '0002_more')]\n    operations = []";
    let shop = with_app(|app| {
        app.migration("0001_initial", &migration("", NOTHING))
            .migration(
                "0002_more",
                &migration("('stock', '0001_initial')", NOTHING),
            )
            .migration("0001_squashed_0002_more", &migration("", replaces))
            .migration(
                "0003_a",
                &migration("('stock', '0001_squashed_0002_more')", NOTHING),
            )
            .migration(
                "0003_b",
                &migration("('stock', '0001_squashed_0002_more')", NOTHING),
            )
            .migration(
                "0004_merge",
                &migration("('stock', '0003_a'), ('stock', '0003_b')", NOTHING),
            )
    });
    let ran = cli(&shop)
        .args(["preview", "stock", "--format", "json"])
        .run()
        .expect(0);
    let names: Vec<String> = ran.json()["migrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names[0], "0001_squashed_0002_more");
    assert_eq!(names.last().unwrap(), "0004_merge");
    assert_eq!(names.len(), 4);
    no_secret(&shop, &ran, shop.server().password());
}

#[test]
fn a_broken_graph_still_shows_what_is_known_of_it() {
    let shop = shop("5.2", 15);
    let rival = migration("('shop', '0007_order_coupon')", NOTHING);
    shop.write_file("shop/migrations/0008_other_branch.py", &rival)
        .unwrap();
    let ran = cli(&shop).args(["status", "shop"]).run().expect(22);
    for name in [
        "0001_initial",
        "0008_other_branch",
        "0008_remove_item_legacy_code",
    ] {
        assert!(ran.stdout.contains(name), "{name}\n{}", ran.snapshot());
    }
    assert!(
        ran.stderr.contains("makemigrations --merge"),
        "{}",
        ran.snapshot()
    );
    let ran = cli(&shop)
        .args(["status", "shop", "--format", "json"])
        .run()
        .expect(22);
    let document = ran.json();
    assert_eq!(
        document["error"]["class"],
        "plan-conflict",
        "{}",
        ran.snapshot()
    );
    assert_eq!(
        document["migrations"].as_array().map(Vec::len),
        Some(9),
        "{}",
        ran.snapshot()
    );
}

#[test]
fn models_without_a_migration() {
    let models = "class Shelf(models.Model):\n    name = models.CharField(max_length=9)\n";
    // an app with migrations whose newest model has none
    let shop = with_app(|app| {
        app.models(models)
            .migration("0001_initial", &migration("", NOTHING))
    });
    let words = [
        "models have changes without a migration",
        "stock: Create model Shelf",
        "manage.py makemigrations",
    ];
    let ran = cli(&shop).args(["run"]).run().expect(0);
    let report = cli(&shop)
        .args(["report", "latest", "--format", "markdown"])
        .run()
        .expect(0);
    for word in words {
        assert!(
            one_line(&ran.stderr).contains(word),
            "{word}\n{}",
            ran.snapshot()
        );
        assert!(
            report.stdout.contains(word),
            "{word}\n{}",
            report.snapshot()
        );
    }
    // also where there is nothing to apply, as `migrate` says it
    let ran = cli(&shop).args(["run", "contenttypes"]).run().expect(0);
    assert!(
        ran.stdout.contains("No migrations to apply"),
        "{}",
        ran.snapshot()
    );
    assert!(
        one_line(&ran.stderr).contains(words[0]),
        "{}",
        ran.snapshot()
    );
}

/// Without the breaks that a narrow screen wants.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
