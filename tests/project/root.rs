//! Folders that are no project: halted with 20, and nothing of ours is left in them.

use std::path::Path;

use super::halt::{files, halt, halts};
use crate::support::{cli_in, shop, shop_with};

/// Every command that needs a project.
const COMMANDS: [&[&str]; 6] = [
    &["run"],
    &["run", "--apply", "--yes"],
    &["check"],
    &["status"],
    &["preview"],
    &["backup"],
];

fn empty() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn a_folder_without_manage_py_is_not_a_django_project_root() {
    let folder = empty();
    for command in COMMANDS {
        let halt = halt(&cli_in(folder.path()), command, 20, "not-a-django-project");
        halt.says(&[
            "Not a Django project root",
            "no manage.py",
            "--project DIR",
            "--entry MODULE:FUNC",
        ]);
        halt.says(&[&folder.path().display().to_string()]);
    }
    assert_eq!(
        files(folder.path()),
        Vec::<std::path::PathBuf>::new(),
        "nothing may be written there"
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "not even a folder"
    );
}

#[test]
fn what_a_person_sees_without_manage_py() {
    let folder = empty();
    let name = regex_of(folder.path());
    let ran = cli_in(folder.path())
        .filter(&name, "[FOLDER]")
        .args(["run"])
        .run();
    insta::assert_snapshot!(ran.snapshot(), @r"
    exit code: 20
    ----- stdout -----
    ----- stderr -----
    error: Not a Django project root: [FOLDER] has no manage.py
    hint: run this in the folder of manage.py, name it with --project DIR, or say --entry MODULE:FUNC where a project has none
    ");
}

fn regex_of(path: &Path) -> String {
    path.display().to_string().replace('.', r"\.")
}

#[test]
fn the_nearest_manage_py_is_suggested() {
    let shop = shop("5.2", 15);
    let inside = shop.folder().join("shop/migrations");
    halt(&cli_in(&inside), &["run"], 20, "not-a-django-project")
        .says(&[&format!("say --project {}", shop.folder().display())]);
    let outside = shop
        .folder()
        .parent()
        .expect("a temporary folder has a parent");
    let lone = outside.join(format!("around-{}", std::process::id()));
    fs_err::create_dir_all(lone.join("site")).unwrap();
    fs_err::write(lone.join("site/manage.py"), "").unwrap();
    let suggested = halt(&cli_in(&lone), &["check"], 20, "not-a-django-project");
    fs_err::remove_dir_all(&lone).unwrap();
    suggested.says(&[&format!("say --project {}", lone.join("site").display())]);
}

#[test]
fn project_names_the_root_from_anywhere() {
    let shop = shop("5.2", 15);
    let elsewhere = empty();
    let cli = crate::support::cli(&shop).current_dir(elsewhere.path());
    let root = shop.folder().display().to_string();
    let ran = cli
        .args(["status", "--format", "json", "--project", &root])
        .run()
        .expect(0);
    assert_eq!(ran.json()["command"], "status");
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn a_run_from_elsewhere_leaves_its_files_in_the_project() {
    let shop = shop("5.2", 15);
    let elsewhere =
        tempfile::tempdir_in(shop.folder().parent().expect("a parent")).expect("a folder");
    let name = shop
        .folder()
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let relative = format!("../{name}");
    let cli = crate::support::cli(&shop).current_dir(elsewhere.path());
    let ran = cli
        .clone()
        .args(["run", "--project", &relative, "--format", "json"])
        .run()
        .expect(0);
    let lines = ran.json_lines();
    let report = lines.last().unwrap()["report"]
        .as_str()
        .expect("a path")
        .to_owned();
    assert!(elsewhere.path().join(&report).is_file(), "{report}");
    let backups = files(&shop.folder().join("backups"));
    assert!(
        backups
            .iter()
            .any(|file| file.to_string_lossy().ends_with(".sql.gz")),
        "{backups:?}"
    );
    assert_eq!(
        std::fs::read_dir(elsewhere.path()).unwrap().count(),
        0,
        "nothing here"
    );
    let ran = cli
        .args(["report", "latest", "--project", &relative])
        .run()
        .expect(0);
    assert!(ran.stdout.contains("Dry run"), "{}", ran.snapshot());
}

#[test]
fn a_project_folder_that_is_not_there() {
    let folder = empty();
    let missing = folder.path().join("gone");
    for command in ["run", "check", "status", "preview", "backup"] {
        let halt = halt(
            &cli_in(folder.path()),
            &[command, "--project", &missing.display().to_string()],
            20,
            "not-a-django-project",
        );
        halt.says(&["Not a Django project root", "gone"]);
    }
    assert!(!missing.exists(), "it must not be made");
}

#[test]
fn a_project_that_is_a_file() {
    let folder = empty();
    fs_err::write(folder.path().join("manage.py"), "").unwrap();
    let file = folder.path().join("manage.py").display().to_string();
    halt(
        &cli_in(folder.path()),
        &["run", "--project", &file],
        20,
        "not-a-django-project",
    )
    .says(&["Not a Django project root", "is no folder"]);
}

#[test]
fn a_manage_py_that_never_calls_django() {
    let shop = shop_with("5.2", 15, |b| {
        b.file("manage.py", "print('a build script')\n")
    });
    for command in ["run", "check", "status", "preview", "backup"] {
        halts(&shop, &[command], 20, "entry-failed").says(&[
            "manage.py",
            "execute_from_command_line",
            "--entry MODULE:FUNC",
        ]);
    }
}

#[test]
fn a_manage_py_that_cannot_be_run() {
    let broken = "import os\nfrom nowhere_at_all import something\n";
    let shop = shop_with("5.2", 15, |b| b.file("manage.py", broken));
    halts(&shop, &["run"], 20, "entry-failed").says(&["nowhere_at_all"]);
    shop.write_file("manage.py", "def main(:\n").unwrap();
    halts(&shop, &["run"], 20, "entry-failed").says(&["SyntaxError", "manage.py"]);
}
