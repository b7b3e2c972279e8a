//! What the tests of the workflow share: a small project, the usual flags, and how to read a run's end.
//!
//! Absent here: expectations beyond "it ended with this class".
#![allow(dead_code, reason = "no test uses all of it")]

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{self, App, Database, Project, Ran, Server, Shop, TestCli, Venv};

/// Without a terminal, without a backup, without tests: for what is about something else.
pub(crate) const BARE: [&str; 6] = [
    "run",
    "--apply",
    "--yes",
    "--no-backup",
    "--acknowledge-no-backup",
    "--skip-tests",
];

/// `0001_initial` of the blog.
const INITIAL: &str = "migrations.CreateModel('Post', [
        ('id', models.BigAutoField(primary_key=True, serialize=False)),
        ('title', models.CharField(max_length=80)),
        ('slug', models.CharField(max_length=80)),
    ])";
const MODELS: &str = "class Post(models.Model):
    id = models.BigAutoField(primary_key=True)
    title = models.CharField(max_length=80)
    slug = models.CharField(max_length=80)
";

/// The blog's models with more fields: `likes = models.IntegerField(null=True)`.
pub(crate) fn models(field: &str) -> String {
    format!("{MODELS}    {field}\n")
}

/// A project with one app and one applied migration: 20 posts, of which two have the same slug.
pub(crate) struct Blog {
    pub(crate) project: Project,
    pub(crate) database: Database,
}

/// The blog with more migrations, on the shared PostgreSQL 15 with Django 5.2.
#[track_caller]
pub(crate) fn blog(describe: impl FnOnce(App) -> App) -> Blog {
    blog_on(support::shared(15), "5.2", describe)
}

/// The blog on the shared PostgreSQL 15 in the environment of this name.
#[track_caller]
pub(crate) fn blog_in(venv: &str, describe: impl FnOnce(App) -> App) -> Blog {
    blog_of(support::shared(15), &support::venv(venv), describe)
}

/// The blog on any server.
#[track_caller]
pub(crate) fn blog_on(server: &Server, version: &str, describe: impl FnOnce(App) -> App) -> Blog {
    blog_of(server, &support::django(version), describe)
}

#[track_caller]
fn blog_of(server: &Server, venv: &Venv, describe: impl FnOnce(App) -> App) -> Blog {
    let write = |database: &Database, describe: &mut dyn FnMut(App) -> App| {
        Project::new(venv, database)
            .app("blog", |app| {
                describe(app.models(MODELS).operations("0001_initial", INITIAL))
            })
            .settings("INSTALLED_APPS = ['blog']")
            .write()
    };
    let database = server
        .database_with(&format!("blog_{}", venv.name), |database| {
            write(database, &mut |app| app)?.manage(&["migrate"])?;
            database.execute(
                "INSERT INTO blog_post (title, slug) SELECT 'Post ' || n, 'post-' || least(n, 19) FROM generate_series(1, 20) n",
            )
        })
        .unwrap_or_else(|why| panic!("no blog: {why:#}"));
    let mut describe = Some(describe);
    let project = write(&database, &mut |app| {
        describe.take().expect("called once")(app)
    })
    .unwrap_or_else(|why| panic!("no blog: {why:#}"));
    Blog { project, database }
}

impl Blog {
    /// `run --apply` without questions, backup and tests; its output is JSON lines.
    pub(crate) fn apply(&self) -> TestCli {
        support::cli(&self.project)
            .args(BARE)
            .args(["--format", "json"])
    }

    /// The same in words for a person.
    pub(crate) fn apply_text(&self) -> TestCli {
        support::cli(&self.project).args(BARE)
    }

    pub(crate) fn scalar(&self, sql: &str) -> String {
        self.database
            .scalar(sql)
            .unwrap_or_else(|why| panic!("{why:#}"))
    }

    pub(crate) fn execute(&self, sql: &str) {
        self.database
            .execute(sql)
            .unwrap_or_else(|why| panic!("{why:#}"));
    }

    pub(crate) fn applied(&self) -> Vec<String> {
        applied(&self.database, "blog")
    }

    pub(crate) fn columns(&self) -> String {
        self.scalar(
            "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute \
             WHERE attrelid = 'blog_post'::regclass AND attnum > 0 AND NOT attisdropped",
        )
    }
}

/// What `run --format json` said, and what its journal has beside it.
#[derive(Debug)]
pub(crate) struct Told {
    /// What scripts read.
    pub(crate) said: Vec<Value>,
    /// The journal where there is one; it has the same lines and more.
    pub(crate) lines: Vec<Value>,
    pub(crate) finished: Value,
}

impl Told {
    /// Fails unless the last line, and no other, is `run_finished` with this exit code.
    #[track_caller]
    pub(crate) fn by(ran: Ran, code: i32) -> Self {
        let ran = ran.expect(code);
        Self::of(&ran.json_lines(), code)
    }

    #[track_caller]
    pub(crate) fn of(lines: &[Value], code: i32) -> Self {
        let ends: Vec<usize> = (0..lines.len())
            .filter(|at| lines[*at]["kind"] == "run_finished")
            .collect();
        assert_eq!(
            ends,
            [lines.len() - 1],
            "run_finished is the last line, once"
        );
        let finished = lines[lines.len() - 1].clone();
        assert_eq!(finished["exit_code"], code, "{finished:#}");
        Self {
            said: lines.to_vec(),
            lines: journal(lines).unwrap_or_else(|| lines.to_vec()),
            finished,
        }
    }

    /// Fails unless the run ended with this class, and says this of the database.
    #[track_caller]
    pub(crate) fn because(self, class: &str, changed: &str) -> Self {
        let (finished, error) = (&self.finished, &self.finished["error"]);
        assert_eq!(error["class"], class, "{finished:#}");
        assert_eq!(finished["changed"], changed, "{finished:#}");
        assert!(
            error["hint"].as_str().is_some_and(|hint| !hint.is_empty()),
            "no hint: {finished:#}"
        );
        self
    }

    /// All that the failure says: message, sources and hint.
    pub(crate) fn error(&self) -> String {
        let error = &self.finished["error"];
        format!(
            "{}\n{}\n{}",
            text(&error["message"]),
            error["sources"],
            text(&error["hint"])
        )
    }

    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        let error = self.error();
        for word in words {
            assert!(error.contains(word), "no `{word}` in:\n{error}");
        }
        self
    }

    /// The lines of a kind.
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.lines
            .iter()
            .filter(|line| line["kind"] == kind)
            .collect()
    }

    /// `app.name` of each line of a kind.
    pub(crate) fn migrations(&self, kind: &str) -> Vec<String> {
        let name = |line: &&Value| format!("{}.{}", text(&line["app"]), text(&line["name"]));
        self.of_kind(kind).iter().map(name).collect()
    }

    /// What the project's tests printed.
    #[track_caller]
    pub(crate) fn tests_log(&self, project: &Project) -> String {
        let folder = project
            .folder()
            .join(".django-migrate/runs")
            .join(text(&self.finished["run"]));
        read(&folder.join("tests.log"))
    }

    /// `report.md`, where the last line says that it is.
    #[track_caller]
    pub(crate) fn report(&self, project: &Project) -> String {
        let path = self.finished["report"].as_str().expect("a report");
        read(&project.folder().join(path))
    }
}

/// The whole lines of the journal of the run that began with these lines.
fn journal(said: &[Value]) -> Option<Vec<Value>> {
    let started = said.first().filter(|line| line["kind"] == "run_started")?;
    let folder = Path::new(text(&started["project"]))
        .join(".django-migrate/runs")
        .join(text(&started["run"]));
    Some(json_lines(
        &std::fs::read_to_string(folder.join("journal.jsonl")).ok()?,
    ))
}

/// The last line may not be whole yet.
fn json_lines(text: &str) -> Vec<Value> {
    let whole = text.rfind('\n').map_or("", |at| &text[..at]);
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    whole.lines().map(parse).collect()
}

/// A JSON string's text, or nothing.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[track_caller]
pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Fails unless each of these is in the text, in this order.
#[track_caller]
pub(crate) fn in_order(text: &str, parts: &[&str]) {
    let mut at = 0;
    for part in parts {
        let found = text[at..].find(part);
        at +=
            found.unwrap_or_else(|| panic!("no `{part}` after byte {at} of:\n{text}")) + part.len();
    }
}

/// What `django_migrations` has of an app, in the order in which it came.
#[track_caller]
pub(crate) fn applied(database: &Database, app: &str) -> Vec<String> {
    let sql = format!("SELECT name FROM django_migrations WHERE app = '{app}' ORDER BY id");
    let rows = database.query(&sql).unwrap_or_else(|why| panic!("{why:#}"));
    rows.into_iter().flatten().collect()
}

/// The fingerprint of the plan, as a dry run prints it.
#[track_caller]
pub(crate) fn fingerprint(project: &Project) -> String {
    let dry = support::cli(project).args([
        "run",
        "--no-backup",
        "--acknowledge-no-backup",
        "--format",
        "json",
    ]);
    let told = Told::by(dry.run(), 0);
    text(&told.of_kind("preview_finished")[0]["plan_fingerprint"]).to_owned()
}

/// `run --apply` of the shop with everything that it needs without a terminal, besides `--no-backup` and `--skip-tests`.
#[track_caller]
pub(crate) fn apply_shop(shop: &Shop) -> TestCli {
    let plan = fingerprint(shop);
    support::cli(shop).args([
        "run",
        "--apply",
        "--yes",
        "--plan",
        &plan,
        "--confirm-destructive",
        "I understand",
    ])
}

/// Schema and data as `pg_dump` writes them, without the key that newer versions draw for each dump.
#[track_caller]
pub(crate) fn contents(database: &Database) -> String {
    let mut command = database.server().install().command("pg_dump");
    command.args(["--no-sync", "-w"]).stdin(Stdio::null());
    database.environment(&mut command);
    let output = command
        .output()
        .unwrap_or_else(|why| panic!("pg_dump: {why}"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let stays = |line: &&str| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict");
    text.lines().filter(stays).collect::<Vec<_>>().join("\n")
}

/// The files of a folder, however deep, by their paths below it.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    let mut names: Vec<String> = found
        .iter()
        .map(|path| {
            path.strip_prefix(folder)
                .unwrap_or(path)
                .display()
                .to_string()
        })
        .collect();
    names.sort();
    names
}

/// Fails unless the folder of backups, if it is there at all, has nothing that looks like a backup.
#[track_caller]
pub(crate) fn no_backup_left(project: &Project) {
    let left: Vec<String> = files(&project.folder().join("backups"))
        .into_iter()
        .filter(|name| name != ".gitignore")
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// An executable file.
#[track_caller]
pub(crate) fn script(path: &Path, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    path.display().to_string()
}

/// Asks again and again until it is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The tool while it runs, its JSON lines in a file.
pub(crate) struct Running {
    child: Child,
    out: PathBuf,
    _folder: tempfile::TempDir,
}

impl Running {
    #[track_caller]
    pub(crate) fn start(cli: &TestCli) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("stdout");
        let stdout = std::fs::File::create(&out).expect("a file");
        let mut command = cli.command();
        command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped());
        let child = command.spawn().unwrap_or_else(|why| panic!("{why}"));
        Self {
            child,
            out,
            _folder: folder,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        send(self.child.id(), signal);
    }

    fn said(&self) -> Vec<Value> {
        json_lines(&std::fs::read_to_string(&self.out).unwrap_or_default())
    }

    /// The journal so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let said = self.said();
        journal(&said).unwrap_or(said)
    }

    /// It has come to its end.
    pub(crate) fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Waits for a line that is as described.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let over = matches!(self.child.try_wait(), Ok(Some(_)));
            if let Some(found) = self.lines().into_iter().find(&is_it) {
                return found;
            }
            assert!(
                !over,
                "it ended without {what}:\n{}\n{}",
                self.last_lines(),
                self.stderr()
            );
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "no {what}:\n{}",
                self.last_lines()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn last_lines(&self) -> String {
        let lines = self.lines();
        let last = &lines[lines.len().saturating_sub(4)..];
        last.iter().map(|line| format!("{line}\n")).collect()
    }

    fn stderr(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            let _ = pipe.read_to_string(&mut text);
        }
        text
    }

    /// The end: exit code (for a signal, 128 and its number) and lines.
    #[track_caller]
    pub(crate) fn end(&mut self) -> (i32, Vec<Value>) {
        use std::os::unix::process::ExitStatusExt as _;
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().expect("a child") {
                Some(status) => break status,
                None => {
                    assert!(
                        begun.elapsed() < Duration::from_secs(90),
                        "no end:\n{}",
                        self.last_lines()
                    );
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        };
        (
            status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
            self.said(),
        )
    }

    /// The end, which must be this exit code.
    #[track_caller]
    pub(crate) fn told(&mut self, code: i32) -> Told {
        let (found, lines) = self.end();
        assert_eq!(found, code, "{:#?}\n{}", lines.last(), self.stderr());
        Told::of(&lines, code)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .expect("a pid");
    kill_process(pid, signal).unwrap_or_else(|why| panic!("cannot signal: {why}"));
}

/// The children of a process, by their pids and command lines.
pub(crate) fn children(pid: u32) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(child) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok());
        if parent == Some(pid) {
            let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push((child, String::from_utf8_lossy(&words).replace('\0', " ")));
        }
    }
    found
}

/// Whether a process is there and no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Sessions of the run's own migrations.
pub(crate) fn backends(database: &Database) -> usize {
    let sql = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND application_name LIKE 'django-migrate %'",
        database.name()
    );
    database
        .server()
        .query("postgres", &sql)
        .unwrap_or_else(|why| panic!("{why:#}"))
        .len()
}
