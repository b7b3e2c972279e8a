//! What a backup may be asked for: formats, compression, proof, selection, and what older ones have to go.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::common::{Blog, Told, blog, files, in_order, no_backup_left, text};
use crate::support::{self, TestCli};

fn backup(blog: &Blog, flags: &[&str]) -> TestCli {
    support::cli(&blog.project).arg("backup").args(flags)
}

/// The document of a backup that was taken.
#[track_caller]
fn taken(blog: &Blog, flags: &[&str]) -> Value {
    backup(blog, flags)
        .args(["--format", "json"])
        .run()
        .expect(0)
        .json()
}

#[track_caller]
fn file(blog: &Blog, document: &Value) -> PathBuf {
    blog.project.folder().join(text(&document["file"]))
}

/// `backup verify` of it, with these flags.
#[track_caller]
fn verified(blog: &Blog, document: &Value, flags: &[&str], code: i32) -> Value {
    support::cli(&blog.project)
        .args(["backup", "verify", text(&document["file"])])
        .args(flags)
        .args(["--format", "json"])
        .run()
        .expect(code)
        .json()
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path)
        .expect("it is there")
        .permissions()
        .mode()
        & 0o777
}

#[test]
fn each_format_is_taken_counted_and_verified() {
    let blog = blog(|app| app);
    for (format, ending) in [
        ("plain", ".sql.gz"),
        ("custom", ".dump"),
        ("directory", ".dir"),
    ] {
        let document = taken(&blog, &["--backup-format", format]);
        assert_eq!(document["format"], format);
        assert_eq!(
            (&document["tables"], &document["rows"]),
            (&2.into(), &21.into()),
            "{document:#}"
        );
        assert_eq!(document["verified"], "counts", "{document:#}");
        assert_eq!(document["counted"]["exact"], 2, "{document:#}");
        let path = file(&blog, &document);
        assert!(
            path.display().to_string().ends_with(ending),
            "{}",
            path.display()
        );
        assert_eq!(
            mode(&path),
            if format == "directory" { 0o700 } else { 0o600 }
        );
        let again = verified(&blog, &document, &["--verify", "counts"], 0);
        assert_eq!(
            (
                &again["rows"],
                &again["verified"],
                &again["manifest"],
                &again["sha256"]
            ),
            (
                &21.into(),
                &"counts".into(),
                &true.into(),
                &document["sha256"]
            )
        );
    }
    let listed = support::cli(&blog.project)
        .args(["backup", "list"])
        .run()
        .expect(0);
    in_order(
        &listed.stdout,
        &[
            "taken (UTC)",
            "proof",
            "plain gzip:",
            "counts",
            "custom ",
            "directory ",
            "3 files",
        ],
    );
}

#[test]
fn each_compression_is_what_it_says() {
    let blog = blog(|app| app);
    for (how, said, magic) in [
        ("gzip:1", "gzip:1", &[0x1f, 0x8b][..]),
        ("zstd", "zstd:1", &[0x28, 0xb5, 0x2f, 0xfd]),
        ("zstd:5", "zstd:5", &[0x28, 0xb5, 0x2f, 0xfd]),
        ("none", "none", b"--\n-- PostgreSQL"),
    ] {
        let document = taken(&blog, &["--compress", how]);
        assert_eq!(document["compression"], said);
        let bytes = std::fs::read(file(&blog, &document)).expect("the file");
        assert!(bytes.starts_with(magic), "{how}: {:?}", &bytes[..20]);
        assert_eq!(verified(&blog, &document, &[], 0)["rows"], 21);
    }
}

#[test]
fn a_bad_value_is_refused_with_what_is_allowed() {
    let blog = blog(|app| app);
    for (flags, words) in [
        (
            &["--backup-format", "tar"][..],
            &["tar", "plain, custom or directory"][..],
        ),
        (
            &["--compress", "lz4"],
            &["lz4", "gzip:1 to gzip:9", "zstd:19"],
        ),
        (&["--compress", "zstd:22"], &["zstd:22", "1 to 19"]),
        (
            &["--verify", "twice"],
            &["twice", "trailer, counts or restored"],
        ),
        (
            &["--backup-format", "directory", "--jobs", "0"],
            &["jobs", "1 to 64"],
        ),
        (&["--jobs", "2"], &["--jobs", "directory"]),
        (&["--keep", "0"], &["keep", "last good backup"]),
        (&["--keep-days", "soon"], &["keep_days", "whole number"]),
        (&["--tables", "a,,b"], &["--tables", "pattern"]),
        (
            &["--lock-wait-timeout", "5"],
            &["lock_wait_timeout", "no unit"],
        ),
    ] {
        let ran = backup(&blog, flags).run().expect(2);
        in_order(&ran.stderr, words);
    }
    no_backup_left(&blog.project);
}

#[test]
fn settings_come_from_the_environment_and_the_file_too() {
    let blog = blog(|app| app);
    blog.project
        .write_file(
            "pyproject.toml",
            "[tool.django-migrate]\nbackup_format = \"custom\"\nexclude_table_data = [\"blog_*\"]\n",
        )
        .expect("written");
    let ran = backup(&blog, &["-v", "--format", "json"])
        .env("DJANGO_MIGRATE_VERIFY", "trailer")
        .run()
        .expect(0);
    let document = ran.json();
    assert_eq!(
        (
            &document["format"],
            &document["verified"],
            &document["rows"]
        ),
        (&"custom".into(), &"trailer".into(), &1.into()),
        "{document:#}"
    );
    assert_eq!(document["without_rows_of"][0], "blog_*");
    for line in [
        "backup_format = custom (./pyproject.toml)",
        "verify = trailer (environment DJANGO_MIGRATE_VERIFY)",
        "exclude_table_data = blog_* (./pyproject.toml)",
    ] {
        assert!(ran.stderr.contains(line), "no `{line}` in\n{}", ran.stderr);
    }
}

#[test]
fn a_part_of_a_database_is_told_from_a_whole_one() {
    let blog = blog(|app| app);
    let schema = taken(&blog, &["--schema-only"]);
    assert_eq!(
        (&schema["rows"], &schema["schema_only"]),
        (&0.into(), &true.into())
    );
    let tables = taken(&blog, &["--tables", "blog_post"]);
    assert_eq!(
        (
            &tables["rows"],
            &tables["tables"],
            &tables["only_tables"][0]
        ),
        (&20.into(), &1.into(), &"blog_post".into())
    );
    let ran = backup(&blog, &["--exclude-table-data", "blog_post"])
        .run()
        .expect(0);
    in_order(&ran.stderr, &["without the rows of blog_post"]);
    let ran = backup(&blog, &["--tables", "nothing_like_it"])
        .run()
        .expect(2);
    in_order(&ran.stderr, &["nothing_like_it", "pattern"]);
    let list = support::cli(&blog.project)
        .args(["backup", "list"])
        .run()
        .expect(0);
    in_order(
        &list.stdout,
        &[
            "definitions only",
            "only blog_post",
            "without the rows of blog_post",
        ],
    );
}

/// What a run goes back to holds everything but what somebody chose to lose, and the report says what.
#[test]
fn a_run_does_not_rely_on_a_part() {
    let blog = blog(|app| {
        app.operations(
            "0002_likes",
            "migrations.AddField('post', 'likes', models.IntegerField(null=True))",
        )
    });
    let run = |flags: &[&str]| {
        support::cli(&blog.project)
            .args(["run", "--format", "json"])
            .args(flags)
    };
    for flags in [&["--schema-only"][..], &["--tables", "blog_*"]] {
        Told::by(run(flags).run(), 2)
            .because("usage", "no")
            .says(&[flags[0], "go back to"]);
    }
    no_backup_left(&blog.project);
    let told = Told::by(run(&["--exclude-table-data", "blog_*"]).run(), 0);
    assert_eq!(told.of_kind("backup_finished")[0]["rows"], 1);
    let report = told.report(&blog.project);
    in_order(
        &report,
        &[
            "**Verified**: counts",
            "**Left out**: without the rows of blog_*",
            "django-migrate restore backups/",
            "--into",
        ],
    );
    assert!(!report.contains("psql"), "{report}");
}

#[test]
fn old_backups_go_and_the_new_one_stays() {
    let blog = blog(|app| app);
    let first = taken(&blog, &[]);
    let second = taken(&blog, &[]);
    let ran = backup(&blog, &["--keep", "2"]).run().expect(0);
    in_order(
        &ran.stderr,
        &["--keep 2: removed 1 backup", text(&first["file"])],
    );
    assert!(!file(&blog, &first).exists() && file(&blog, &second).exists());
    // of another selection, and so no reason for a whole one to go
    taken(&blog, &["--schema-only", "--keep", "1"]);
    assert!(file(&blog, &second).exists());
    // young enough
    let ran = backup(&blog, &["--keep-days", "1"]).run().expect(0);
    assert!(!ran.stderr.contains("removed"), "{}", ran.stderr);
    let last = taken(&blog, &["--keep", "1"]);
    let left: Vec<String> = files(&blog.project.folder().join("backups"))
        .into_iter()
        .filter(|name| name.ends_with(".sql.gz"))
        .collect();
    let name = file(&blog, &last);
    let name = name
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    assert_eq!(
        left.len(),
        2,
        "the whole one and the one without rows: {left:?}"
    );
    assert!(left.contains(&name), "{left:?}");
}

#[test]
fn a_list_tells_what_is_no_backup() {
    let blog = blog(|app| app);
    let cut = taken(&blog, &[]);
    let path = file(&blog, &cut);
    let bytes = std::fs::read(&path).expect("the file");
    std::fs::write(&path, &bytes[..bytes.len() - 1]).expect("written");
    let folder = path.parent().expect("a folder");
    std::fs::write(folder.join("backup_x_20200101_000000.sql.gz.partial"), "x").expect("written");
    std::fs::write(folder.join("backup_y_20200101_000000.sql"), "x").expect("written");
    let list = || support::cli(&blog.project).args(["backup", "list"]);
    let document = list().args(["--format", "json"]).run().expect(0).json();
    let mut states: Vec<&str> = document["backups"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| text(&row["state"]))
        .collect();
    states.sort_unstable();
    assert_eq!(states, ["left_over", "resized", "without_manifest"]);
    let shown = list().run().expect(0).stdout;
    for words in [
        "cut or changed",
        "whoever wrote it is gone",
        "no manifest of ours",
        "3 files",
    ] {
        assert!(shown.contains(words), "no `{words}` in\n{shown}");
    }
}

#[test]
fn a_grade_that_cannot_be_reached_is_no_success() {
    let blog = blog(|app| app);
    let trailer = taken(&blog, &["--verify", "trailer"]);
    assert_eq!(trailer["verified"], "trailer");
    let again = verified(&blog, &trailer, &[], 0);
    assert_eq!(again["verified"], "trailer");
    let refused = verified(&blog, &trailer, &["--verify", "counts"], 41);
    assert_eq!(refused["error"]["class"], "backup-not-proven");
    assert!(
        text(&refused["error"]["message"]).contains("is whole"),
        "{refused:#}"
    );
}

/// Who waits for whom is said while it waits, and whoever held it stands in the failure, without its query.
#[test]
fn a_backup_that_waits_says_for_whom() {
    let blog = blog(|app| app);
    let cli = backup(&blog, &["--lock-wait-timeout", "3s"]);
    let name = blog.database.name().to_owned();
    let ran = blog
        .database
        .server()
        .with_client(&name, |client| {
            client.batch_execute("SET application_name = 'nightly'")?;
            let mut holder = client.transaction()?;
            holder.batch_execute(
                "LOCK TABLE blog_post IN ACCESS EXCLUSIVE MODE; SELECT 'a secret of theirs'",
            )?;
            Ok(cli.run())
        })
        .expect("a session")
        .expect(40);
    in_order(
        &ran.stderr,
        &[
            "waits for",
            "blog_post",
            "nightly",
            "error:",
            "blog_post",
            "held by",
            "nightly",
            "--lock-wait-timeout",
        ],
    );
    assert!(!ran.stderr.contains("a secret of theirs"), "{}", ran.stderr);
    no_backup_left(&blog.project);
}

/// Not even under another name than the final one.
#[test]
fn an_interrupt_leaves_nothing_in_any_format() {
    let blog = blog(|app| app);
    let name = blog.database.name().to_owned();
    for format in ["plain", "custom", "directory"] {
        let cli = backup(&blog, &["--backup-format", format]);
        let ended = blog.database.server().with_client(&name, |client| {
            let mut holder = client.transaction()?;
            holder.batch_execute("LOCK TABLE blog_post IN ACCESS EXCLUSIVE MODE")?;
            let mut terminal = cli.tty_of(120, 40);
            terminal.wait_for("waits for public.blog_post");
            terminal.ctrl_c();
            Ok((terminal.finish(), terminal.output()))
        });
        let (code, said) = ended.expect("a session");
        assert_eq!(code, 130, "{format}: {said}");
        no_backup_left(&blog.project);
    }
}

/// It comes back as it was, and the scratch database is gone.
#[test]
fn a_backup_is_proven_by_restoring_it() {
    let blog = blog(|app| app);
    let databases = || {
        let sql = format!(
            "SELECT count(*) FROM pg_database WHERE starts_with(datname, '{}')",
            blog.database.name()
        );
        blog.scalar(&sql)
    };
    let before = databases();
    for format in ["plain", "directory"] {
        let document = taken(&blog, &["--backup-format", format, "--verify", "restored"]);
        assert_eq!(document["verified"], "restored", "{document:#}");
        let again = verified(&blog, &document, &["--verify", "restored"], 0);
        assert_eq!(
            (
                &again["verified"],
                &again["restored"]["tables"],
                &again["restored"]["rows"]
            ),
            (&"restored".into(), &2.into(), &21.into()),
            "{again:#}"
        );
        assert_eq!(databases(), before);
    }
    let list = support::cli(&blog.project)
        .args(["backup", "list"])
        .run()
        .expect(0);
    in_order(&list.stdout, &["restored", "restored"]);
}

/// A proof that cannot be made is no proof.
#[test]
fn a_proof_needs_a_role_that_may_make_databases() {
    let blog = blog(|app| app);
    let server = blog.database.server();
    let role = format!("prover_{}", blog.database.name());
    server
        .create_role(&role, "PASSWORD 'proves'")
        .expect("a role");
    let document = taken(&blog, &[]);
    let dsn = server.dsn_as(&role, "proves", "postgres");
    let refused = verified(
        &blog,
        &document,
        &["--verify", "restored", "--dsn", &dsn],
        41,
    );
    server
        .execute("postgres", &format!("DROP ROLE {role}"))
        .expect("dropped");
    assert_eq!(
        (&refused["error"]["class"], &refused["changed"]),
        (&"backup-not-proven".into(), &"no".into()),
        "{refused:#}"
    );
    assert!(
        text(&refused["error"]["message"]).contains("is not proven"),
        "{refused:#}"
    );
}
