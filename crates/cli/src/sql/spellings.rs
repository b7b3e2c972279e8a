//! Every form of every statement in PostgreSQL's manual, 14 to 18, in its spellings, with what it is read as.
//!
//! `spellings/*.sql` hold one statement a line under a heading: its kind, from which version the grammar has it, and
//! `asks` where it cannot be read (then it must be `parsed: false`). Servers say that nothing in them is made up.
//! Absent: locks and all that follows from a statement.

use super::action::Action;
use super::{kind, read, split};

const LISTS: [&str; 7] = [
    include_str!("spellings/alter.sql"),
    include_str!("spellings/alter_table.sql"),
    include_str!("spellings/create.sql"),
    include_str!("spellings/drop.sql"),
    include_str!("spellings/privileges.sql"),
    include_str!("spellings/queries.sql"),
    include_str!("spellings/session.sql"),
];

struct Spelling {
    sql: &'static str,
    kind: &'static str,
    from: u32,
    asks: bool,
}

fn spellings() -> Vec<Spelling> {
    let mut all = Vec::new();
    for list in LISTS {
        let (mut kind, mut from, mut asks) = ("", 14, false);
        for piece in split::split(list) {
            let before = &piece.raw[..piece.raw.find(piece.sql).unwrap_or_default()];
            let heading = before
                .lines()
                .rev()
                .find_map(|line| line.strip_prefix("-- "));
            if let Some(heading) = heading {
                (kind, from, asks) = ("", 14, false);
                for part in heading.split(", ") {
                    match part.strip_prefix("from ") {
                        Some(version) => from = version.parse().expect("a version"),
                        None if part == "asks" => asks = true,
                        None => kind = part,
                    }
                }
            }
            if !piece.sql.is_empty() {
                let sql = piece.sql;
                all.push(Spelling {
                    sql,
                    kind,
                    from,
                    asks,
                });
            }
        }
    }
    all
}

#[test]
fn each_is_read_as_what_it_is_or_asks() {
    let all = spellings();
    assert!(all.len() >= 600, "{}", all.len());
    let mut wrong = Vec::new();
    for Spelling {
        sql, kind, asks, ..
    } in all
    {
        let actions = read::read(sql);
        let is_unread = |action: &Action| matches!(action, Action::Unread { .. });
        let unread = actions.iter().any(is_unread);
        let found = kind::of(&actions).to_string();
        if unread != asks || (!asks && found != kind) {
            let unread = if unread { " (unread)" } else { "" };
            wrong.push(format!("{kind}: read as {found}{unread}: {sql}"));
        }
    }
    assert!(wrong.is_empty(), "{}: \n{}", wrong.len(), wrong.join("\n"));
}

/// In a transaction that has failed a server parses a statement and goes no further: what else it says is of its grammar.
#[test]
fn servers_take_each_for_a_statement() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut wrong = Vec::new();
    for &major in xtask::servers::available() {
        let dsn = xtask::servers::shared(major).dsn("postgres");
        wrong.extend(runtime.block_on(refused(major, &dsn)));
    }
    assert!(wrong.is_empty(), "{}: \n{}", wrong.len(), wrong.join("\n"));
}

async fn refused(major: u32, dsn: &str) -> Vec<String> {
    const FAILED: &str = "25P02";
    let (client, connection) = tokio_postgres::connect(dsn, tokio_postgres::NoTls)
        .await
        .expect("a session");
    let connection = tokio::spawn(connection);
    client.batch_execute("BEGIN").await.expect("a transaction");
    client.batch_execute("SELECT 1/0").await.expect_err("fails");
    let mut wrong = Vec::new();
    for Spelling { sql, from, .. } in spellings() {
        let code = match client.prepare(sql).await {
            // COMMIT and its like are parsed even then
            Ok(_) => FAILED.to_owned(),
            Err(error) => error
                .code()
                .map_or_else(|| error.to_string(), |code| code.code().to_owned()),
        };
        if (code == FAILED) != (major >= from) {
            wrong.push(format!(
                "{major}: {code}, written down as from {from}: {sql}"
            ));
        }
    }
    drop(client);
    drop(connection.await);
    wrong
}
