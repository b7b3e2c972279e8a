//! A backup that cannot be had ends the run before anything changes, and leaves no file that looks like one.

use std::path::Path;

use super::common::{Blog, Told, blog, contents, files, no_backup_left, script, text};
use crate::support::{self, TestCli};

/// A blog with one pending migration that adds a column.
fn pending() -> Blog {
    blog(|app| {
        app.operations(
            "0002_likes",
            "migrations.AddField('post', 'likes', models.IntegerField(null=True))",
        )
    })
}

fn apply(blog: &Blog) -> TestCli {
    support::cli(&blog.project).args([
        "run",
        "--apply",
        "--yes",
        "--skip-tests",
        "--format",
        "json",
    ])
}

/// The run ends with 40 and this class; nothing was changed, and nothing looks like a backup.
#[track_caller]
fn fails(blog: &Blog, cli: &TestCli, class: &str, words: &[&str]) -> Told {
    let before = contents(&blog.database);
    let told = Told::by(cli.run(), 40).because(class, "no").says(words);
    assert_eq!(contents(&blog.database), before);
    no_backup_left(&blog.project);
    assert!(
        told.of_kind("backup_finished").is_empty() && told.of_kind("migration_started").is_empty()
    );
    told
}

/// It was refused at step 1.
#[track_caller]
fn before_the_backup(told: &Told) {
    let steps: Vec<&str> = told
        .of_kind("step_started")
        .iter()
        .map(|line| text(&line["step"]))
        .collect();
    assert_eq!(steps, ["pending", "report"]);
}

/// The server's own pg_dump, through a script that does more.
fn around_pg_dump(blog: &Blog, folder: &Path, body: &str) -> String {
    let install = blog.database.server().install();
    let library = install
        .library_variable()
        .map(|(name, value)| format!("export {name}='{value}'\n"))
        .unwrap_or_default();
    let real = install.bin_dir.join("pg_dump");
    let text = format!(
        "#!/bin/sh\n{library}real='{}'\ncase \"$1\" in --version|-V) exec \"$real\" --version;; esac\n{body}\n",
        real.display()
    );
    script(&folder.join("pg_dump"), &text)
}

#[test]
fn no_pg_dump_is_refused_before_the_run_starts() {
    let (blog, empty) = (pending(), tempfile::tempdir().expect("a folder"));
    let missing = empty.path().join("pg_dump").display().to_string();
    let told = fails(
        &blog,
        &apply(&blog).args(["--pg-dump", &missing]),
        "pg-dump-missing",
        &[&missing],
    );
    before_the_backup(&told);
}

#[test]
fn a_pg_dump_older_than_the_server_is_refused_before_the_run_starts() {
    let (blog, folder) = (pending(), tempfile::tempdir().expect("a folder"));
    let old = script(
        &folder.path().join("pg_dump"),
        "#!/bin/sh\necho 'pg_dump (PostgreSQL) 13.4'\n",
    );
    let told = fails(
        &blog,
        &apply(&blog).args(["--pg-dump", &old]),
        "pg-dump-too-old",
        &["13.4", "15"],
    );
    before_the_backup(&told);
}

#[test]
fn a_role_that_may_not_read_a_table_is_told_which() {
    let blog = pending();
    let role = format!("reader_{}", blog.database.name());
    let server = blog.database.server();
    server
        .create_role(&role, "PASSWORD 'reads'")
        .expect("a role");
    blog.execute(&format!(
        "ALTER TABLE blog_post OWNER TO {role}; ALTER TABLE django_migrations OWNER TO {role};
         GRANT CREATE ON SCHEMA public TO {role};
         CREATE TABLE payroll (n int); REVOKE ALL ON payroll FROM PUBLIC"
    ));
    let settings = blog
        .project
        .read_file("config/settings.py")
        .expect("settings");
    let login = format!("DATABASES['default'].update(USER='{role}', PASSWORD='reads')\n");
    blog.project
        .write_file("config/settings.py", &format!("{settings}\n{login}"))
        .expect("written");
    fails(&blog, &apply(&blog), "backup-refused", &["payroll"]);
    blog.execute(&format!("DROP OWNED BY {role} CASCADE"));
    server
        .execute("postgres", &format!("DROP ROLE {role}"))
        .expect("dropped");
}

#[test]
fn a_pg_dump_that_writes_nothing_has_made_no_backup() {
    let (blog, folder) = (pending(), tempfile::tempdir().expect("a folder"));
    let empty = around_pg_dump(&blog, folder.path(), "exit 0");
    fails(
        &blog,
        &apply(&blog).args(["--pg-dump", &empty]),
        "backup-empty",
        &["pg_dump"],
    );
}

#[test]
fn a_pg_dump_that_fails_half_way_has_made_no_backup() {
    let (blog, folder) = (pending(), tempfile::tempdir().expect("a folder"));
    let half = around_pg_dump(
        &blog,
        folder.path(),
        "\"$real\" \"$@\" | head -c 900; echo 'pg_dump: error: the disk of the server is tired' >&2; exit 1",
    );
    fails(
        &blog,
        &apply(&blog).args(["--pg-dump", &half]),
        "backup-failed",
        &["the disk of the server is tired"],
    );
}

/// The exit status says that all is well; the end marker is not there.
#[test]
fn a_dump_that_is_cut_short_does_not_verify() {
    let (blog, folder) = (pending(), tempfile::tempdir().expect("a folder"));
    let cut = around_pg_dump(
        &blog,
        folder.path(),
        "\"$real\" \"$@\" | head -c 900; exit 0",
    );
    let before = contents(&blog.database);
    let told = Told::by(apply(&blog).args(["--pg-dump", &cut]).run(), 41)
        .because("backup-unverified", "no");
    assert!(told.of_kind("migration_started").is_empty());
    assert_eq!(contents(&blog.database), before);
    no_backup_left(&blog.project);
}

/// Somebody holds a table; pg_dump must not wait for ever.
#[test]
fn a_table_that_stays_locked_ends_the_backup() {
    let blog = pending();
    let (name, cli) = (
        blog.database.name().to_owned(),
        apply(&blog).args(["--lock-wait-timeout", "300ms"]),
    );
    let ran = blog.database.server().with_client(&name, |client| {
        let mut holder = client.transaction()?;
        holder.batch_execute("LOCK TABLE blog_post IN ACCESS EXCLUSIVE MODE")?;
        Ok(cli.run())
    });
    Told::by(ran.expect("a session"), 40)
        .because("backup-lock-timeout", "no")
        .says(&["blog_post"]);
    no_backup_left(&blog.project);
}

/// Needs root and a kernel that lets us mount.
#[test]
#[cfg(target_os = "linux")]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_full_disk_leaves_no_file() {
    let (blog, folder) = (pending(), tempfile::tempdir().expect("a folder"));
    let Some(small) = SmallDisk::mount(folder.path()) else {
        eprintln!("skipped: a small file system needs root and the right to mount");
        return;
    };
    blog.execute("CREATE TABLE big AS SELECT md5(n::text) FROM generate_series(1, 60000) n");
    let place = small.0.display().to_string();
    fails(
        &blog,
        &apply(&blog).args(["--backup-dir", &place]),
        "backup-out-of-disk",
        &[&place],
    );
    let left: Vec<String> = files(&small.0)
        .into_iter()
        .filter(|name| name != ".gitignore")
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// 256 kB of memory as a file system, unmounted with the value.
#[cfg(target_os = "linux")]
struct SmallDisk(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount(place: &Path) -> Option<Self> {
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs"])
            .arg(place)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then(|| Self(place.to_owned()))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

/// The folder cannot be made: a file is in its place.
#[test]
fn a_backup_folder_that_cannot_be_made_is_named() {
    let blog = pending();
    blog.project.write_file("taken", "a file").expect("written");
    let ran = apply(&blog).args(["--backup-dir", "taken/backups"]).run();
    Told::by(ran, 40)
        .because("backup-failed", "no")
        .says(&["taken"]);
    assert_eq!(blog.applied(), ["0001_initial"]);
}
