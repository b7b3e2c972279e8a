//! Ways to start a project: a manage.py of its own ways, `--settings`, `--entry` without manage.py.

use super::halt::{halts, halts_with};
use crate::support::{cli, shop_with};

#[test]
fn a_manage_py_with_its_own_path_and_environment() {
    let manage = "import os\nimport sys\n\nROOT = os.path.dirname(os.path.abspath(__file__))\n\
                  sys.path.insert(0, os.path.join(ROOT, 'lib'))\n\
                  os.environ['SHOP_STAGE'] = open(os.path.join(ROOT, '.env')).read().strip()\n\
                  os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.settings')\n\n\
                  if __name__ == '__main__':\n    from django.core.management import execute_from_command_line\n    \
                  execute_from_command_line(sys.argv)\n";
    let shop = shop_with("5.2", 15, |builder| {
        builder
            .file("manage.py", manage)
            .file(".env", "production\n")
            .file("lib/shop_flags.py", "READY = True\n")
            .settings("import os, shop_flags\nassert shop_flags.READY and os.environ['SHOP_STAGE'] == 'production'")
    });
    for command in ["check", "status", "preview"] {
        cli(&shop).arg(command).run().expect(0);
    }
}

#[test]
fn settings_see_the_command_line_of_migrate() {
    let shop = shop_with("5.2", 15, |builder| {
        builder.settings("import sys\nassert sys.argv[1] == 'migrate', sys.argv")
    });
    cli(&shop).args(["status"]).run().expect(0);
}

#[test]
fn settings_named_by_flag_environment_and_file() {
    let other = "from config.settings import *\nINSTALLED_APPS = ['django.contrib.contenttypes']\n";
    let shop = shop_with("5.2", 15, |builder| builder.file("config/small.py", other));
    let named = |cli: crate::support::TestCli| {
        let ran = cli.args(["--format", "json"]).run().expect(0);
        let all = ran.json()["migrations"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        all.iter().filter(|m| m["state"] == "pending").count()
    };
    let status = || cli(&shop).arg("status");
    assert_eq!(named(status()), 5);
    assert_eq!(named(status().args(["--settings", "config.small"])), 0);
    assert_eq!(
        named(status().env("DJANGO_SETTINGS_MODULE", "config.small")),
        0,
        "as manage.py's setdefault has it"
    );
    assert_eq!(
        named(status().env("DJANGO_MIGRATE_SETTINGS", "config.small")),
        0
    );
    shop.write_file(
        "pyproject.toml",
        "[tool.django-migrate]\nsettings = \"config.small\"\n",
    )
    .unwrap();
    assert_eq!(named(status()), 0);
    assert_eq!(
        named(status().args(["--settings", "config.settings"])),
        5,
        "the flag wins"
    );
}

/// What a package with a console script has instead of manage.py.
const MAIN: &str = "import os\nimport sys\n\n\ndef main():\n    \
    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.settings')\n    \
    from django.core.management import execute_from_command_line\n    execute_from_command_line(sys.argv)\n\n\n\
    def nothing():\n    return 1\n\n\nNUMBER = 4\n";

#[test]
fn an_entry_function_needs_no_manage_py() {
    let shop = shop_with("5.2", 15, |builder| {
        builder.without("manage.py").file("shopctl.py", MAIN)
    });
    let ran = cli(&shop)
        .args(["status", "--entry", "shopctl:main"])
        .run()
        .expect(0);
    assert!(ran.stdout.contains("5 pending"), "{}", ran.snapshot());
    let ran = cli(&shop)
        .args(["check", "--entry", "shopctl:main", "--format", "json"])
        .run()
        .expect(0);
    let detail = ran.json()["checks"][0]["detail"].to_string();
    assert!(detail.contains("shopctl:main"), "{detail}");
    shop.write_file(
        "pyproject.toml",
        "[tool.django-migrate]\nentry = \"shopctl:main\"\n",
    )
    .unwrap();
    cli(&shop).args(["preview"]).run().expect(0);
    halts(&shop, &["run", "--entry", "shopctl"], 2, "settings").says(&["MODULE:FUNC", "shopctl"]);
}

#[test]
fn entry_functions_that_do_not_start_django() {
    let shop = shop_with("5.2", 15, |builder| {
        builder.without("manage.py").file("shopctl.py", MAIN)
    });
    for (entry, word) in [
        ("shopctl:gone", "gone"),
        ("shopctl:nothing", "execute_from_command_line"),
        ("shopctl:NUMBER", "int"),
        ("no_module:main", "no_module"),
    ] {
        halts(&shop, &["run", "--entry", entry], 20, "entry-failed").says(&[word]);
    }
}

#[test]
fn a_pythonpath_is_put_first() {
    let shop = shop_with("5.2", 15, |builder| {
        builder.file("lib/extra_settings.py", "from config.settings import *\n")
    });
    let named = ["--settings", "extra_settings"];
    halts_with(
        &cli(&shop),
        &shop,
        &["check", named[0], named[1]],
        21,
        "project-failed",
    )
    .says(&["extra_settings"]);
    cli(&shop)
        .args(["check", named[0], named[1], "--pythonpath", "lib"])
        .run()
        .expect(0);
}
