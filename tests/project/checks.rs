//! Django's system checks are a gate: errors halt, silenced ones do not count, warnings are told.

use super::halt::halts;
use crate::support::{Shop, cli, shop_with};

/// The shop with an app that registers these checks.
#[track_caller]
fn with_checks(functions: &str, settings: &str) -> Shop {
    let config = "from django.apps import AppConfig\n\n\nclass Config(AppConfig):\n    name = 'rules'\n\n    \
                  def ready(self):\n        from . import rules\n";
    let rules =
        format!("from django.core import checks\nfrom shop.models import Item\n\n\n{functions}\n");
    shop_with("5.2", 15, |builder| {
        builder
            .app("rules", |app| {
                app.file("apps.py", config).file("rules.py", &rules)
            })
            .settings(settings)
    })
}

const ERROR: &str = "@checks.register()\ndef prices(app_configs, **kwargs):\n    \
    return [checks.Error('prices need a currency', hint='set SHOP_CURRENCY', obj=Item, id='rules.E007')]\n";

#[test]
fn a_failing_check_halts_with_its_id_object_and_hint() {
    let shop = with_checks(ERROR, "");
    for command in [
        &["run"][..],
        &["run", "--apply", "--yes"],
        &["check"],
        &["preview"],
    ] {
        let halt = halts(&shop, command, 21, "checks-failed");
        halt.says(&[
            "1 error",
            "shop.Item",
            "rules.E007",
            "prices need a currency",
            "set SHOP_CURRENCY",
            "manage.py check",
        ]);
    }
}

#[test]
fn all_failing_checks_are_listed() {
    let models = "class Price(models.Model):\n    amount = models.DecimalField()\n    name = models.CharField(max_length='x')\n";
    let shop = shop_with("5.2", 15, |b| b.app("billing", |app| app.models(models)));
    halts(&shop, &["run"], 21, "checks-failed").says(&[
        "billing.Price.amount",
        "fields.E130",
        "fields.E132",
        "billing.Price.name",
        "fields.E121",
    ]);
}

#[test]
fn a_silenced_error_does_not_count() {
    let shop = with_checks(ERROR, "SILENCED_SYSTEM_CHECKS = ['rules.E007']");
    let ran = cli(&shop)
        .args(["check", "--format", "json"])
        .run()
        .expect(0);
    assert_eq!(ran.json()["checks"][1]["detail"], "no errors, 0 warnings");
    cli(&shop).args(["preview"]).run().expect(0);
}

const WARNING: &str = "@checks.register()\ndef prices(app_configs, **kwargs):\n    \
    return [checks.Warning('no currency is set', obj=Item, id='rules.W001')]\n";

#[test]
fn a_warning_is_shown_and_halts_nothing() {
    let shop = with_checks(WARNING, "");
    let ran = cli(&shop)
        .args(["run", "--no-backup", "--acknowledge-no-backup"])
        .run()
        .expect(0);
    for word in ["rules.W001", "no currency is set", "shop.Item"] {
        assert!(ran.stderr.contains(word), "{word}\n{}", ran.snapshot());
    }
    let report = cli(&shop)
        .args(["report", "latest", "--format", "markdown"])
        .run()
        .expect(0);
    assert!(
        report.stdout.contains("rules.W001"),
        "{}",
        report.snapshot()
    );
    let ran = cli(&shop)
        .args(["check", "--format", "json"])
        .run()
        .expect(0);
    assert_eq!(ran.json()["checks"][1]["detail"], "no errors, 1 warning");
}

#[test]
fn the_checks_of_the_database_run_too() {
    let check = "@checks.register(checks.Tags.database)\ndef reach(app_configs, databases, **kwargs):\n    \
        return [checks.Critical('the alias %s is closed' % name, id='rules.C001') for name in databases or []]\n";
    let shop = with_checks(check, "");
    halts(&shop, &["run"], 21, "checks-failed")
        .says(&["rules.C001", "the alias default is closed"]);
}

#[test]
fn a_check_that_raises() {
    let check = "@checks.register()\ndef broken(app_configs, **kwargs):\n    return Item.no_such_manager.all()\n";
    let shop = with_checks(check, "");
    for command in ["run", "check"] {
        halts(&shop, &[command], 21, "checks-failed")
            .says(&["a system check raised", "no_such_manager"]);
    }
}
