//! Whether two databases are the same, as pg_dump sees them.

use xtask::servers::Server;

/// pg_dump's plain SQL of a database, by its own version's pg_dump.
pub fn plain(server: &Server, database: &str) -> Vec<u8> {
    pg_dump(server, database, &["-Fp", "-E", "UTF8"])
}

/// What pg_dump of the server's version writes to its standard output.
pub fn pg_dump(server: &Server, database: &str, arguments: &[&str]) -> Vec<u8> {
    pg_dump_of(server, server, database, arguments)
}

/// What pg_dump of another server's version writes.
pub fn pg_dump_of(
    program: &Server,
    server: &Server,
    database: &str,
    arguments: &[&str],
) -> Vec<u8> {
    let mut command = program.install().command("pg_dump");
    let output = command
        .env("PGHOST", server.host())
        .env("PGPORT", server.port().to_string())
        .env("PGUSER", server.user())
        .env("PGPASSWORD", server.password())
        .env("PGDATABASE", database)
        // what a server's own settings would change in the text
        .env(
            "PGOPTIONS",
            "-c standard_conforming_strings=on -c quote_all_identifiers=off -c bytea_output=hex -c timezone=UTC",
        )
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Byte for byte, but for the random keys of `\restrict`. Of two that differ the first lines that do are shown.
#[track_caller]
pub fn assert_same(what: &str, left: &[u8], right: &[u8]) {
    let (left, right) = (lines(left), lines(right));
    if left == right {
        return;
    }
    let at = left
        .iter()
        .zip(&right)
        .position(|(left, right)| left != right)
        .unwrap_or(left.len().min(right.len()));
    let around = |lines: &[&[u8]]| {
        let part = &lines[at.saturating_sub(3).min(lines.len())..(at + 6).min(lines.len())];
        let short = |line: &&[u8]| {
            String::from_utf8_lossy(&line[..line.len().min(300)]).into_owned() + "\n"
        };
        part.iter().map(short).collect::<String>()
    };
    panic!(
        "{what}: line {} of {} and {} differs\n--- left\n{}--- right\n{}",
        at + 1,
        left.len(),
        right.len(),
        around(&left),
        around(&right)
    );
}

/// [`assert_same`], where the rows of a COPY block may come in any order: many sessions loaded them.
#[track_caller]
pub fn assert_same_rows(what: &str, left: &[u8], right: &[u8]) {
    assert_same(what, &sorted(left), &sorted(right));
}

/// With the rows of every COPY block in order.
fn sorted(sql: &[u8]) -> Vec<u8> {
    let mut sorted = Vec::new();
    let mut block: Option<Vec<&[u8]>> = None;
    for line in sql.split(|&byte| byte == b'\n') {
        match &mut block {
            Some(rows) if line == b"\\." => {
                rows.sort_unstable();
                sorted.append(rows);
                block = None;
            }
            Some(rows) => {
                rows.push(line);
                continue;
            }
            None if line.starts_with(b"COPY ") && line.ends_with(b" FROM stdin;") => {
                block = Some(Vec::new());
            }
            None => {}
        }
        sorted.push(line);
    }
    sorted.extend(block.into_iter().flatten());
    sorted.join(&b'\n')
}

fn lines(sql: &[u8]) -> Vec<&[u8]> {
    let key =
        |line: &&[u8]| !line.starts_with(b"\\restrict ") && !line.starts_with(b"\\unrestrict ");
    sql.split(|&byte| byte == b'\n').filter(key).collect()
}

#[test]
fn what_differs_is_seen() {
    let caught = |left: &'static [u8], right: &'static [u8]| {
        std::panic::catch_unwind(|| assert_same_rows("x", left, right)).is_err()
    };
    assert!(!caught(
        b"\\restrict a\nCOPY a FROM stdin;\n1\n2\n\\.\nx",
        b"\\restrict b\nCOPY a FROM stdin;\n2\n1\n\\.\nx"
    ));
    assert!(caught(b"x\ny", b"x"));
    assert!(caught(b"a\nb", b"b\na"));
    assert!(caught(
        b"COPY a FROM stdin;\n1\n\\.\n",
        b"COPY a FROM stdin;\n1\n1\n\\.\n"
    ));
}
