//! A password with every odd character works for Django, for our own sessions and for pg_dump, and shows nowhere.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::common::{Told, apply_shop, files};
use crate::support::{self, Shop};

const PASSWORD: &str = r#"p'w "q %41 \ b=c{d}$HOME #é~x"#;
/// Parts that would still give it away where it is quoted or escaped.
const PARTS: [&str; 3] = [PASSWORD, "b=c{d}$HOME", "%41 "];

#[track_caller]
fn shop(role: &str) -> Shop {
    let server = support::shared(15);
    let literal = PASSWORD.replace('\'', "''");
    server
        .create_role(role, &format!("SUPERUSER PASSWORD '{literal}'"))
        .expect("a role");
    support::shop_with("5.2", 15, |builder| builder.login(role, PASSWORD))
}

#[track_caller]
fn shows_nowhere(place: &str, text: &str) {
    for part in PARTS {
        assert!(!text.contains(part), "the password is in {place}");
    }
}

/// Command lines and, as root, nothing of the environment: only the former are for everyone to read.
fn command_lines(seen: &Mutex<BTreeSet<String>>) {
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Ok(words) = std::fs::read(entry.path().join("cmdline"))
            && !words.is_empty()
        {
            let line = String::from_utf8_lossy(&words).replace('\0', " ");
            seen.lock().expect("nobody panics").insert(line);
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn an_odd_password_works_everywhere_and_shows_nowhere() {
    let shop = shop("odd_password_works");
    let (cli, over) = (
        apply_shop(&shop).args(["-v", "--format", "json"]),
        AtomicBool::new(false),
    );
    let seen = Mutex::new(BTreeSet::new());
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                command_lines(&seen);
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        });
        let ran = cli.run();
        over.store(true, Ordering::Relaxed);
        ran
    });
    shows_nowhere("stdout", &ran.stdout);
    shows_nowhere("stderr", &ran.stderr);
    let told = Told::by(ran, 0);
    assert_eq!(told.of_kind("backup_finished").len(), 1);
    let lines = seen.into_inner().expect("nobody panics");
    for program in ["pg_dump", "python", "pytest"] {
        assert!(
            lines.iter().any(|line| line.contains(program)),
            "{program} was not seen: {lines:#?}"
        );
    }
    lines
        .iter()
        .for_each(|line| shows_nowhere("a command line", line));
    for folder in [".django-migrate", "backups"] {
        let folder = shop.folder().join(folder);
        for name in files(&folder) {
            let bytes = std::fs::read(folder.join(&name)).expect("a file");
            shows_nowhere(&name, &String::from_utf8_lossy(&bytes));
        }
    }
}

/// What libpq and the server say about a refused password is shown; the password is not.
#[test]
fn a_refused_password_does_not_show() {
    let shop = shop("odd_password_refused");
    shop.server()
        .create_role("odd_password_refused", "PASSWORD 'another'")
        .expect("a role");
    for cli in [
        support::cli(&shop).args(["run", "-v", "--format", "json"]),
        support::cli(&shop).args(["check", "-v"]),
        support::cli(&shop).args(["backup", "-v"]),
    ] {
        let ran = cli.run().expect(30);
        shows_nowhere("stdout", &ran.stdout);
        shows_nowhere("stderr", &ran.stderr);
    }
}

/// A migration prints the password and raises with it; our words, the journal and the report have neither.
#[test]
fn a_migration_that_prints_the_password_is_scrubbed() {
    let shop = shop("odd_password_printed");
    let code = "import sys\n\nfrom django.conf import settings\nfrom django.db import migrations\n\n\n\
                def log_in(apps, editor):\n    password = settings.DATABASES['default']['PASSWORD']\n    \
                print('the password is ' + password)\n    print(password, file=sys.stderr)\n    \
                raise ValueError('cannot log in with ' + password)\n\n\n\
                class Migration(migrations.Migration):\n    dependencies = [('shop', '0003_order')]\n    \
                operations = [migrations.RunPython(log_in)]\n";
    for pending in support::SHOP_PENDING {
        shop.remove_file(&format!("shop/migrations/{pending}.py"))
            .expect("removed");
    }
    shop.write_file("shop/migrations/0004_log_in.py", code)
        .expect("written");
    let ran = support::cli(&shop)
        .args(super::common::BARE)
        .args(["-v", "--format", "json"])
        .run();
    shows_nowhere("stdout", &ran.stdout);
    shows_nowhere("stderr", &ran.stderr);
    Told::by(ran, 50)
        .because("migration-failed", "no")
        .says(&["cannot log in with"]);
    let folder = shop.folder().join(".django-migrate");
    for name in files(&folder) {
        shows_nowhere(&name, &super::common::read(&folder.join(&name)));
    }
}
