//! The halts whose words come from Django or from psycopg, on each version of both.

use super::halt::halts;
use crate::support::{Project, Shop, shared, shop, shop_with, venv};

const DJANGOS: [&str; 2] = ["4.2", "newest"];

type Break = fn(&Shop);

/// What breaks the shop's graph, and the class that it must get.
const BREAKS: [(&str, Break); 7] = [
    ("missing-migration", |shop| {
        let (name, own) = (
            "0008_remove_item_legacy_code",
            "(\"shop\", \"0007_order_coupon\")",
        );
        rewrite(shop, name, name, own, "(\"ghost\", \"__first__\")");
    }),
    ("missing-migration", |shop| {
        shop.remove_file("shop/migrations/0005_item_name_idx.py")
            .unwrap();
    }),
    ("bad-migration", |shop| {
        shop.write_file("shop/migrations/0008_x.py", "class Migration(:\n")
            .unwrap();
    }),
    ("bad-migration", |shop| {
        shop.write_file("shop/migrations/0008_x.py", "# nothing\n")
            .unwrap();
    }),
    ("plan-conflict", |shop| {
        rewrite(
            shop,
            "0005_item_name_idx",
            "0008_rival",
            "0004_item",
            "0004_item",
        );
    }),
    ("plan-cycle", |shop| {
        rewrite(
            shop,
            "0004_item_description",
            "0004_item_description",
            "0003_order",
            "0008_remove_item_legacy_code",
        );
    }),
    ("inconsistent-history", |shop| {
        shop.database
            .execute("DELETE FROM django_migrations WHERE name = '0002_item_stock'")
            .unwrap();
    }),
];

/// Writes a migration of the shop again under a name, with one text for another.
fn rewrite(shop: &Shop, name: &str, to: &str, old: &str, new: &str) {
    let text = shop
        .read_file(&format!("shop/migrations/{name}.py"))
        .unwrap();
    assert!(text.contains(old), "{text}");
    shop.write_file(&format!("shop/migrations/{to}.py"), &text.replace(old, new))
        .unwrap();
}

#[test]
fn broken_graphs_are_told_apart_on_every_django() {
    for version in DJANGOS {
        for (class, break_it) in BREAKS {
            let shop = shop(version, 15);
            break_it(&shop);
            halts(&shop, &["run"], 22, class);
        }
    }
}

#[test]
fn broken_projects_are_told_apart_on_every_django() {
    for version in DJANGOS {
        for (settings, code, class) in [
            ("raise RuntimeError('no')", 21, "project-failed"),
            ("import sys; sys.exit(2)", 21, "project-failed"),
            ("INSTALLED_APPS += ['gone']", 21, "project-failed"),
            (
                "INSTALLED_APPS += ['django.contrib.admin']",
                21,
                "checks-failed",
            ),
            ("AUTH_USER_MODEL = 'shop.Nobody'", 21, "project-failed"),
            (
                "DATABASES['default']['ENGINE'] = 'django.db.backends.sqlite3'",
                31,
                "not-postgresql",
            ),
            (
                "DATABASES['default']['PASSWORD'] = 'not this one'",
                30,
                "database-wrong-password",
            ),
        ] {
            let shop = shop_with(version, 15, |builder| builder.settings(settings));
            halts(&shop, &["run"], code, class);
        }
        let shop = shop(version, 15);
        halts(&shop, &["run", "nowhere"], 2, "unknown-app");
        halts(&shop, &["run", "shop", "0042"], 2, "unknown-migration");
        halts(&shop, &["run", "shop", "000"], 2, "unknown-migration");
        halts(&shop, &["run", "shop", "0001"], 2, "backwards-target");
    }
}

#[test]
fn psycopg2_says_it_in_its_own_words() {
    let database = shared(15).database().expect("a database");
    let environment = venv("django42-psycopg2");
    for (update, class) in [
        ("PORT=1", "database-refused"),
        ("PASSWORD='not this one'", "database-wrong-password"),
        ("NAME='warehouse'", "database-missing"),
        ("HOST='db.invalid'", "database-host-unknown"),
        ("OPTIONS={'sslmode': 'require'}", "database-tls"),
    ] {
        let project = Project::new(&environment, &database)
            .settings(&format!("DATABASES['default'].update({update})"))
            .write()
            .expect("a project");
        halts(&project, &["run"], 30, class);
    }
}
