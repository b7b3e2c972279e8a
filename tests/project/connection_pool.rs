//! Projects whose connections come from psycopg's pool (`OPTIONS["pool"]`, Django 5.1).

use super::halt::halts;
use crate::support::{Shop, cli, shop_with};

#[track_caller]
fn pooled(options: &str) -> Shop {
    shop_with("6.1", 15, |builder| {
        builder.settings(&format!(
            "DATABASES['default'].setdefault('OPTIONS', {{}})['pool'] = {options}"
        ))
    })
}

#[test]
fn every_command_works_and_ends() {
    for options in ["True", "{'min_size': 2, 'max_size': 4, 'timeout': 10}"] {
        let shop = pooled(options);
        let checked = cli(&shop).args(["check", "--format", "json"]).run();
        let document = checked.expect(0).json();
        // the pool is Django's own: nothing of it is a keyword that we pass over
        assert_eq!(document["findings"], serde_json::json!([]), "{document:#}");
        for command in [&["status"][..], &["preview"], &["run"]] {
            cli(&shop).args(command).run().expect(0);
        }
        // no pool's worker thread keeps a session open
        let sessions = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
            shop.database.name()
        );
        let begun = std::time::Instant::now();
        while shop
            .server()
            .scalar("postgres", &sessions)
            .expect("a count")
            != "0"
        {
            assert!(begun.elapsed().as_secs() < 10, "sessions are left");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

#[test]
fn it_applies() {
    let shop = pooled("True");
    let flags = [
        "--apply",
        "--yes",
        "--no-backup",
        "--acknowledge-no-backup",
        "--skip-tests",
    ];
    let ran = cli(&shop).args(["run", "shop", "0005"]).args(flags).run();
    ran.expect(0);
    let applied = "SELECT count(*) FROM django_migrations WHERE app = 'shop'";
    assert_eq!(shop.database.scalar(applied).expect("a count"), "5");
}

#[test]
fn a_pool_that_gets_no_connection_is_a_refusal() {
    // psycopg's pool tries again and again, and then only says that it took too long
    let shop = shop_with("6.1", 15, |builder| {
        builder.settings(
            "DATABASES['default'].update(PASSWORD='wrong')\n\
             DATABASES['default'].setdefault('OPTIONS', {})['pool'] = {'timeout': 2}",
        )
    });
    halts(&shop, &["check"], 30, "database-wrong-password").says(&["password"]);
}
