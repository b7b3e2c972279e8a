//! A command that halts, seen from all sides: its code, its document, its words, and what it must not have touched.

use std::path::Path;

use serde_json::Value;

use crate::support::{Project, Ran, TestCli, cli};

/// What a command that halted said.
#[derive(Debug)]
pub(super) struct Halt {
    /// `error.message`
    pub(super) message: String,
    /// `error.hint`, or nothing.
    pub(super) hint: String,
    pub(super) ran: Ran,
}

/// Halts in a project. Neither its database nor its folder is other than before, but for a run's own folder; there is
/// no backup; and the password of the database stands nowhere.
#[track_caller]
pub(super) fn halts(project: &Project, arguments: &[&str], code: i32, class: &str) -> Halt {
    halts_with(&cli(project), project, arguments, code, class)
}

/// The same with another environment.
#[track_caller]
pub(super) fn halts_with(
    cli: &TestCli,
    project: &Project,
    arguments: &[&str],
    code: i32,
    class: &str,
) -> Halt {
    let before = database(project);
    let halt = halt(cli, arguments, code, class);
    assert_eq!(database(project), before, "the database was touched");
    assert!(
        !project.folder().join("backups").exists(),
        "a backup was begun\n{}",
        halt.ran.snapshot()
    );
    no_secret(project, &halt.ran, project.server().password());
    halt
}

/// Halts anywhere.
#[track_caller]
pub(super) fn halt(cli: &TestCli, arguments: &[&str], code: i32, class: &str) -> Halt {
    let ran = cli
        .clone()
        .args(arguments)
        .args(["--format", "json"])
        .run()
        .expect(code);
    let (error, changed) = document(&ran);
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(
        (
            text("class").as_str(),
            error["code"].as_i64(),
            changed.as_str()
        ),
        (class, Some(i64::from(code)), Some("no")),
        "{}",
        ran.snapshot()
    );
    let halt = Halt {
        message: text("message"),
        hint: text("hint"),
        ran,
    };
    // a person reads the same as a script
    halt.talks(&[&format!("error: {}", halt.message), &halt.hint]);
    halt
}

impl Halt {
    /// All of these stand in the message or in the hint.
    #[track_caller]
    pub(super) fn says(&self, words: &[&str]) -> &Self {
        let said = format!("{}\n{}", self.message, self.hint);
        for word in words {
            assert!(
                said.contains(word),
                "{word:?} is missing\n{}",
                self.ran.snapshot()
            );
        }
        self
    }

    /// All of these stand on stderr.
    #[track_caller]
    pub(super) fn talks(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(
                self.ran.stderr.contains(word),
                "{word:?} is missing\n{}",
                self.ran.snapshot()
            );
        }
        self
    }
}

/// The error of the only document, or of the last line of `run`.
#[track_caller]
fn document(ran: &Ran) -> (Value, Value) {
    let last = ran.stdout.lines().last().unwrap_or_default();
    let whole: Value = match serde_json::from_str::<Value>(last) {
        Ok(line) if line["kind"] == "run_finished" => {
            assert_eq!(
                line["exit_code"],
                line["error"]["code"],
                "{}",
                ran.snapshot()
            );
            // a run that halts in its first step has taken neither the lock nor a backup
            for line in ran.json_lines() {
                let kind = line["kind"].as_str().unwrap_or_default();
                let later = [
                    "lock_taken",
                    "backup_started",
                    "backup_finished",
                    "preview_finished",
                ];
                assert!(!later.contains(&kind), "{kind}\n{}", ran.snapshot());
            }
            line
        }
        _ => ran.json(),
    };
    assert_eq!(whole["schema_version"], 1);
    (whole["error"].clone(), whole["changed"].clone())
}

/// A secret stands neither in what was said nor in anything that was written.
#[track_caller]
pub(super) fn no_secret(project: &Project, ran: &Ran, secret: &str) {
    assert!(
        !ran.stdout.contains(secret),
        "in stdout\n{}",
        ran.snapshot()
    );
    assert!(
        !ran.stderr.contains(secret),
        "in stderr\n{}",
        ran.snapshot()
    );
    for path in files(&project.folder().join(".django-migrate")) {
        let text = String::from_utf8_lossy(&fs_err::read(&path).expect("ours")).into_owned();
        assert!(!text.contains(secret), "in {}", path.display());
    }
}

/// Every file below a folder, which need not be there.
pub(super) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Relations with their storage, and the history: what any migration would change. None where it cannot be reached.
fn database(project: &Project) -> Option<Vec<Vec<String>>> {
    let server = project.server();
    let query = |sql| server.query(project.database(), sql);
    let mut rows = query(
        "SELECT oid, relname, relfilenode FROM pg_class \
         WHERE relnamespace = 'public'::regnamespace ORDER BY oid",
    )
    .ok()?;
    if rows.iter().any(|row| row[1] == "django_migrations") {
        rows.extend(query("SELECT id, app, name FROM django_migrations ORDER BY id").ok()?);
    }
    Some(rows)
}
