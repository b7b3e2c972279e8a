//! `backup`, `backup verify` and `backup list`.

use std::path::{Path, PathBuf};

use super::common::{Blog, blog, files, in_order, no_backup_left};
use crate::support;

#[track_caller]
fn backup(blog: &Blog) -> PathBuf {
    let ran = support::cli(&blog.project)
        .args(["backup", "-q"])
        .run()
        .expect(0);
    blog.project.folder().join(ran.stdout.trim())
}

/// `backup verify` ends with 41 and says why.
#[track_caller]
fn does_not_verify(blog: &Blog, file: &Path, words: &[&str]) {
    let verify = [
        "backup",
        "verify",
        &file.display().to_string(),
        "--format",
        "json",
    ];
    let document = support::cli(&blog.project)
        .args(verify)
        .run()
        .expect(41)
        .json();
    assert_eq!(
        (&document["command"], &document["error"]["class"]),
        (&"backup".into(), &"backup-unverified".into())
    );
    assert_eq!(document["changed"], "no");
    let message = document["error"]["message"].as_str().expect("a message");
    for word in words {
        assert!(message.contains(word), "no `{word}` in: {message}");
    }
}

#[test]
fn a_backup_is_taken_verified_and_listed() {
    let blog = blog(|app| app);
    let document = support::cli(&blog.project)
        .args(["backup", "--format", "json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(
        (&document["schema_version"], &document["command"]),
        (&1.into(), &"backup".into())
    );
    assert_eq!(document["format"], "plain");
    assert_eq!(
        document["tables"], 2,
        "blog_post and django_migrations: {document}"
    );
    assert_eq!(document["rows"], 21);
    assert_eq!(document["sha256"].as_str().map(str::len), Some(64));
    let file = document["file"].as_str().expect("a file");
    let path = blog.project.folder().join(file);
    assert_eq!(
        document["bytes"],
        std::fs::metadata(&path).expect("the file").len()
    );
    let verified = support::cli(&blog.project)
        .args(["backup", "verify", file])
        .run()
        .expect(0);
    in_order(
        &verified.stdout,
        &["is whole", "2 tables", "21 rows", "sha256"],
    );
    let listed = support::cli(&blog.project)
        .args(["backup", "list", "--format", "json"])
        .run()
        .expect(0)
        .json();
    let rows = listed["backups"].as_array().expect("a list");
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["database"], &rows[0]["rows"]),
        (&blog.database.name().into(), &21.into())
    );
    let listed = support::cli(&blog.project)
        .args(["backup", "list"])
        .run()
        .expect(0);
    assert!(
        listed
            .stdout
            .contains(file.rsplit('/').next().expect("a name")),
        "{}",
        listed.snapshot()
    );
}

#[test]
fn an_empty_folder_of_backups_is_said() {
    let blog = blog(|app| app);
    let listed = support::cli(&blog.project)
        .args(["backup", "list"])
        .run()
        .expect(0);
    assert!(
        listed.stdout.contains("no backups in"),
        "{}",
        listed.snapshot()
    );
}

/// As the report's command would: `gunzip -c FILE | psql` into an empty database gives the same.
#[test]
fn a_backup_restores_with_psql() {
    let blog = blog(|app| app);
    let (file, server) = (backup(&blog), blog.database.server());
    let empty = server.database().expect("a database");
    let mut psql = server.install().command("psql");
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]);
    empty.environment(&mut psql);
    let unzip = std::process::Command::new("gunzip")
        .arg("-c")
        .arg(&file)
        .stdout(std::process::Stdio::piped())
        .spawn();
    let stdout = unzip.expect("gunzip").stdout.expect("a pipe");
    let restored = psql.stdin(stdout).output().expect("psql");
    assert!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );
    assert_eq!(
        super::common::contents(&empty),
        super::common::contents(&blog.database)
    );
}

#[test]
fn a_truncated_backup_does_not_verify() {
    let blog = blog(|app| app);
    let file = backup(&blog);
    let bytes = std::fs::read(&file).expect("the file");
    std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("written");
    does_not_verify(&blog, &file, &[&file.display().to_string()]);
}

#[test]
fn a_backup_with_a_flipped_byte_does_not_verify() {
    let blog = blog(|app| app);
    let file = backup(&blog);
    let mut bytes = std::fs::read(&file).expect("the file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&file, &bytes).expect("written");
    does_not_verify(&blog, &file, &[&file.display().to_string()]);
}

#[test]
fn a_backup_without_a_pg_dump_is_refused() {
    let blog = blog(|app| app);
    let cli = support::cli(&blog.project).args([
        "backup",
        "--pg-dump",
        "/nowhere/pg_dump",
        "--format",
        "json",
    ]);
    let document = cli.run().expect(40).json();
    assert_eq!(
        (&document["error"]["class"], &document["changed"]),
        (&"pg-dump-missing".into(), &"no".into())
    );
    no_backup_left(&blog.project);
}

#[test]
fn a_backup_leaves_the_file_and_its_manifest_alone() {
    let blog = blog(|app| app);
    let file = backup(&blog);
    let left = files(file.parent().expect("a folder"));
    assert!(
        left.iter()
            .all(|name| name == ".gitignore" || name.starts_with("backup_")),
        "{left:?}"
    );
    assert!(
        !left.iter().any(|name| name.ends_with(".partial")),
        "{left:?}"
    );
    assert!(!blog.project.folder().join(".django-migrate").exists());
}

#[test]
fn a_file_that_is_not_there_is_a_usage_error_and_no_bad_backup() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = support::cli_in(folder.path())
        .args(["backup", "verify", "gone.sql.gz"])
        .run()
        .expect(2);
    in_order(&ran.stderr, &["cannot read gone.sql.gz", "backup list"]);
    assert!(!ran.stderr.contains("take a new backup"), "{}", ran.stderr);
}

/// It counts as a backup no more, until it reads well again (a cable, a disk that was lent).
#[test]
fn a_backup_that_was_found_damaged_says_so_in_the_list() {
    let blog = blog(|app| app);
    let file = backup(&blog);
    let name = file.display().to_string();
    let whole = std::fs::read(&file).expect("the file");
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&file, &bytes).expect("written");
    let listed = || {
        let list = ["backup", "list", "--format", "json"];
        let ran = support::cli(&blog.project).args(list).run().expect(0);
        ran.json()["backups"][0].clone()
    };
    assert_eq!(listed()["state"], "whole");
    does_not_verify(&blog, &file, &[]);
    assert_eq!(listed()["state"], "refuted");
    let why = listed()["why"].as_str().expect("why").to_owned();
    assert!(
        why.contains("do not rely on it") && why.contains(&name),
        "{why}"
    );
    let restore = ["restore", &name, "--into", "elsewhere"];
    let ran = support::cli(&blog.project).args(restore).run().expect(41);
    in_order(&ran.stderr, &["do not rely on it: "]);

    std::fs::write(&file, &whole).expect("written");
    let verify = ["backup", "verify", &name];
    support::cli(&blog.project).args(verify).run().expect(0);
    assert_eq!(listed()["state"], "whole");
}
