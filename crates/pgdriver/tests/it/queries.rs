//! Every file under `src/sql` runs on every major, for a superuser and for a role without privileges.

use std::path::Path;

use xtask::servers::{available, shared};

use crate::{options, plain_dsn};

fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sql");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), text)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn each_file_says_what_privileges_it_needs() {
    let files = files();
    assert!(files.len() > 20, "{}", files.len());
    for (name, text) in files {
        assert!(
            text.starts_with("-- ") && text.contains("\n-- Privileges: "),
            "{name}"
        );
        assert!(!text.trim_end().ends_with(';'), "{name}");
    }
}

#[tokio::test]
async fn each_file_runs_everywhere() {
    for major in available() {
        let database = shared(*major).database().unwrap();
        database
            .execute(
                "CREATE TABLE django_migrations (id int GENERATED ALWAYS AS IDENTITY, app varchar(255), name \
                 varchar(255), applied timestamptz); GRANT SELECT ON django_migrations TO PUBLIC",
            )
            .unwrap();
        let plain = plain_dsn(database.server(), database.name());
        for dsn in [database.dsn(), plain] {
            let session = pgdriver::connect(&options(&dsn)).await.unwrap();
            for (name, text) in files() {
                let parameters = (1..=9).filter(|n| text.contains(&format!("${n}"))).count();
                let nulls = vec!["NULL"; parameters].join(", ");
                let arguments = if nulls.is_empty() {
                    nulls
                } else {
                    format!("({nulls})")
                };
                let sql = format!("PREPARE q AS {text}; EXECUTE q{arguments}; DEALLOCATE q");
                if let Err(error) = session.execute(&sql).await {
                    panic!("{name} on {}: {error}", database.server().major());
                }
            }
        }
    }
}
