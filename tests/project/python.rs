//! Which Python starts the project, and what is said when none can.

use std::os::unix::fs::PermissionsExt as _;

use super::halt::{halts, halts_with};
use crate::support::{Project, TestCli, cli, shop};

/// The shop with no environment active, and PATH of the system alone.
fn bare(project: &Project) -> TestCli {
    cli(project)
        .env_remove("VIRTUAL_ENV")
        .env("PATH", "/usr/bin:/bin")
}

/// An executable script in the project's `tools`.
fn script(project: &Project, name: &str, text: &str) {
    let path = format!("tools/{name}");
    project.write_file(&path, text).unwrap();
    let path = project.folder().join(path);
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// How `check` says that Python was found.
#[track_caller]
fn found_by(cli: &TestCli) -> String {
    let ran = cli
        .clone()
        .args(["check", "--format", "json"])
        .run()
        .expect(0);
    let document = ran.json();
    assert_eq!(document["checks"][0]["name"], "project");
    document["checks"][0]["detail"]
        .as_str()
        .expect("a text")
        .to_owned()
}

#[test]
fn a_python_that_is_not_there() {
    let shop = shop("5.2", 15);
    for command in ["run", "check", "status", "preview", "backup"] {
        halts(
            &shop,
            &[command, "--python", "no-such-python -X dev"],
            21,
            "python-missing",
        )
        .says(&[
            "no-such-python -X dev",
            "cannot be started",
            "--python .venv/bin/python",
        ]);
    }
}

#[test]
fn a_python_command_without_words() {
    let shop = shop("5.2", 15);
    halts(&shop, &["run", "--python", "  "], 2, "settings").says(&["python", "empty"]);
}

#[test]
fn no_python_anywhere() {
    let shop = shop("5.2", 15);
    let cli = cli(&shop).env_remove("VIRTUAL_ENV").env("PATH", "/nowhere");
    halts_with(&cli, &shop, &["run"], 21, "python-missing").says(&[
        "VIRTUAL_ENV",
        ".venv",
        "PATH",
        "--python",
    ]);
}

#[test]
fn a_program_that_is_no_python() {
    let shop = shop("5.2", 15);
    halts(&shop, &["run", "--python", "false"], 21, "project-failed")
        .says(&["`false` ended early", "exit status: 1"]);
    script(
        &shop,
        "refuses",
        "#!/bin/sh\necho 'no such service: web' >&2\nexit 3\n",
    );
    halts(
        &shop,
        &["run", "--python", "tools/refuses"],
        21,
        "project-failed",
    )
    .says(&["ended early", "exit status: 3", "no such service: web"]);
}

#[test]
fn a_python_without_django() {
    let shop = shop("5.2", 15);
    // -S leaves site-packages out
    let python = format!("{} -S", shop.venv().python().display());
    for command in ["run", "check", "preview"] {
        halts(&shop, &[command, "--python", &python], 21, "django-missing")
            .says(&["no Django", "--python"]);
    }
}

#[test]
fn a_python_without_psycopg() {
    let shop = shop("5.2", 15);
    for name in ["psycopg", "psycopg2"] {
        let text =
            format!("raise ModuleNotFoundError(\"No module named '{name}'\", name='{name}')\n");
        shop.write_file(&format!("hidden/{name}/__init__.py"), &text)
            .unwrap();
    }
    halts(
        &shop,
        &["run", "--pythonpath", "hidden"],
        21,
        "driver-missing",
    )
    .says(&["psycopg"]);
}

#[test]
fn the_active_environment_is_found() {
    let shop = shop("5.2", 15);
    let detail = found_by(&cli(&shop));
    assert!(
        detail.contains("(by VIRTUAL_ENV)") && detail.contains("Django 5.2"),
        "{detail}"
    );
}

#[test]
fn a_dot_venv_in_the_project_is_found() {
    let shop = shop("5.2", 15);
    std::os::unix::fs::symlink(&shop.venv().folder, shop.folder().join(".venv")).unwrap();
    let detail = found_by(&bare(&shop).env("PATH", &path_of_tools(&shop)));
    assert!(detail.contains("(by .venv)"), "{detail}");
}

/// The server's programs, since `check` looks for pg_dump.
fn path_of_tools(project: &Project) -> String {
    format!("{}:/usr/bin:/bin", project.server().bin_dir().display())
}

#[test]
fn a_python_on_path_is_found() {
    let shop = shop("5.2", 15);
    let detail = found_by(&cli(&shop).env_remove("VIRTUAL_ENV"));
    assert!(detail.contains("(by PATH)"), "{detail}");
}

#[test]
fn a_lock_of_uv_starts_python_through_uv() {
    let shop = shop("5.2", 15);
    shop.write_file("uv.lock", "version = 1\n").unwrap();
    let python = shop.venv().python().display().to_string();
    let uv = format!(
        "#!/bin/sh\necho \"$*\" | head -n 1 >> uv.log\nwhile [ \"$1\" != python ]; do shift; done\nshift\nexec {python} \"$@\"\n"
    );
    script(&shop, "uv", &uv);
    let path = format!(
        "{}:{}",
        shop.folder().join("tools").display(),
        path_of_tools(&shop)
    );
    let detail = found_by(&bare(&shop).env("PATH", &path));
    assert!(detail.contains("(by uv.lock)"), "{detail}");
    let log = shop.read_file("uv.log").unwrap();
    assert!(log.starts_with("run --no-sync python -c "), "{log}");
}

#[test]
fn a_command_of_several_words_starts_python() {
    let shop = shop("5.2", 15);
    let python = shop.venv().python().display().to_string();
    // what `docker compose exec` may do: talk on stdout before and after
    script(
        &shop,
        "wrapper",
        &format!(
            "#!/bin/sh\necho starting\nshift 2\n{python} \"$@\"\nstatus=$?\necho stopped\nexit $status\n"
        ),
    );
    let said = [
        "status",
        "--format",
        "json",
        "--python",
        "tools/wrapper exec python",
    ];
    let ran = bare(&shop).args(said).run().expect(0);
    assert_eq!(ran.json()["migrations"].as_array().map(Vec::len), Some(22));
    let ran = bare(&shop)
        .env("DJANGO_MIGRATE_PYTHON", "tools/wrapper exec python")
        .args(["status"])
        .run()
        .expect(0);
    assert!(ran.stdout.contains("5 pending"), "{}", ran.snapshot());
}

#[test]
fn a_python_behind_a_path_with_a_space() {
    let shop = shop("5.2", 15);
    let folder = shop.folder().join("my env");
    std::os::unix::fs::symlink(&shop.venv().folder, folder).unwrap();
    let python = "'my env/bin/python' -X dev";
    let ran = bare(&shop)
        .args(["status", "--python", python])
        .run()
        .expect(0);
    assert!(ran.stdout.contains("5 pending"), "{}", ran.snapshot());
    halts(
        &shop,
        &["run", "--python", "'my env/bin/python"],
        2,
        "settings",
    )
    .says(&["--python", "open quote"]);
}
