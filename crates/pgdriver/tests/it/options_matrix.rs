//! Where a connection goes, and as whom: connection strings, `PG*` variables, services and password files as libpq reads
//! them. psycopg's verdict and what the server then says of the session are ours.
//!
//! Absent: TLS, which is `tls_matrix`'s; the folder of sockets where no host is given, which each build has its own.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use xtask::env::Env;
use xtask::servers::TempServer;

use crate::MAJORS;
use crate::libpq::{Cell, Tally};

const WHO: &str = "SELECT format('%s@%s %s %s %s', current_user, current_database(), \
                   current_setting('application_name'), current_setting('statement_timeout'), \
                   current_setting('search_path'))";

fn home(folder: &Path, name: &str, mode: u32, files: &[(&str, &str)]) -> PathBuf {
    let home = folder.join(name);
    std::fs::create_dir(&home).unwrap();
    for (file, text) in files {
        let path = home.join(file);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    home
}

struct Ask {
    cells: Vec<Cell>,
    empty: PathBuf,
}

impl Ask {
    fn cell(&mut self, dsn: &str, variables: &[(&str, &str)], home: &Path) {
        self.cells.push(Cell {
            dsn: dsn.to_owned(),
            home: home.to_owned(),
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>(),
            sql: WHO,
        });
    }

    fn dsn(&mut self, dsn: &str) {
        let home = self.empty.clone();
        self.cell(dsn, &[], &home);
    }

    fn with(&mut self, dsn: &str, variables: &[(&str, &str)]) {
        let home = self.empty.clone();
        self.cell(dsn, variables, &home);
    }
}

#[tokio::test]
async fn every_way_to_say_it() {
    let server = TempServer::start(&Env::open().unwrap().postgres(MAJORS[0]).unwrap()).unwrap();
    for sql in [
        r"CREATE ROLE clerk LOGIN PASSWORD 'a:b\c d''e'",
        "CREATE ROLE plain LOGIN PASSWORD 'sesame'",
        "CREATE DATABASE shop",
        "CREATE DATABASE \"a b/c\"",
    ] {
        server.execute("postgres", sql).unwrap();
    }
    let port = server.port();
    let socket = server.socket_dir().display().to_string();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut ask = Ask {
        cells: Vec::new(),
        empty: home(folder, "empty", 0o600, &[]),
    };

    // both forms of a connection string
    let encoded = "a%3Ab%5Cc%20d%27e";
    for dsn in [
        format!("host=127.0.0.1 port={port} user=plain password=sesame dbname=shop"),
        format!(" host = 127.0.0.1  port ={port} user= plain password='sesame' dbname=shop "),
        format!(r"host=127.0.0.1 port={port} user=clerk password='a:b\\c d\'e' dbname=shop"),
        format!(r"host=127.0.0.1 port={port} user=clerk password=a:b\\c\ d\'e dbname='a b/c'"),
        format!("host=127.0.0.1 port={port} user=plain password=sesame password=wrong dbname=shop"),
        format!("postgresql://plain:sesame@127.0.0.1:{port}/shop"),
        format!("postgres://clerk:{encoded}@127.0.0.1:{port}/a%20b%2Fc"),
        format!(
            "postgresql://127.0.0.1:{port}/shop?user=plain&password=sesame&application_name=x%20y"
        ),
        format!("postgresql://plain@/shop?host=127.0.0.1&port={port}&password=sesame"),
        format!(
            "postgresql://plain:sesame@127.0.0.1:{port}/shop?options=-c%20statement_timeout%3D5s"
        ),
        format!("postgresql://plain:sesame@127.0.0.1:1,127.0.0.1:{port}/shop"),
        format!(
            "postgresql://plain:sesame@{}:{port}/shop",
            socket.replace('/', "%2F")
        ),
        format!(
            "host={socket} port={port} user=plain password=sesame dbname=shop sslmode=verify-full"
        ),
        format!(
            "host={socket} hostaddr=127.0.0.1 port={port} user=plain password=sesame dbname=shop"
        ),
        format!(
            "host=nowhere.invalid hostaddr=127.0.0.1 port={port} user=plain password=sesame dbname=shop"
        ),
        format!("host=127.0.0.1,127.0.0.1 port={port} user=plain password=sesame dbname=shop"),
        format!("host=127.0.0.1 port={port} user=plain password=sesame"),
        format!(
            "host=127.0.0.1 port={port} user=plain password=sesame dbname=shop fallback_application_name=f"
        ),
        format!(
            "host=127.0.0.1 port={port} user=plain password=sesame dbname=shop fallback_application_name=f \
                 application_name=a"
        ),
        format!(
            r"host=127.0.0.1 port={port} user=plain password=sesame dbname=shop options='-c search_path=x,\ y'"
        ),
        format!(
            r"host=127.0.0.1 port={port} user=plain password=sesame dbname=shop options='-csearch_path=x\\ y \
                --statement-timeout=7s'"
        ),
        format!(
            "host=127.0.0.1 port={port} user=plain password=sesame dbname=shop options='-c no_such=1'"
        ),
        format!(
            "host=127.0.0.1 port={port} user=plain password=sesame dbname=shop target_session_attrs=read-write"
        ),
        format!(
            "host=127.0.0.1 port={port} user=plain password=sesame dbname=shop target_session_attrs=primary"
        ),
        format!(
            "host=127.0.0.1 port={port} user=plain password=sesame dbname=shop connect_timeout=0"
        ),
        format!(
            "host=127.0.0.1 port={port} user=plain password=sesame dbname=shop keepalives=0 tcp_user_timeout=500"
        ),
        format!(
            "host=127.0.0.1 port={port} user=plain password=sesame dbname=shop keepalives_idle=3 \
                 keepalives_interval=2 keepalives_count=4"
        ),
        format!(
            "host=127.0.0.1 port={port} user=plain password=sesame dbname=shop load_balance_hosts=random"
        ),
        format!("host=127.0.0.1 port={port} user=plain password=sesame dbname=shop sslmode=maybe"),
        format!(
            "host=127.0.0.1 port={port} user=plain password=sesame dbname=shop channel_binding=maybe"
        ),
        format!(
            "host=127.0.0.1 port={port} user=plain password=sesame dbname=shop no_such_keyword=1"
        ),
        format!("postgresql://plain:sesame@127.0.0.1:{port}/shop?no_such_keyword=1"),
        format!("host=127.0.0.1 port={port} user=plain password=sesame dbname=shop service=none"),
    ] {
        ask.dsn(&dsn);
    }

    // variables fill in what a string leaves out
    let port_text = port.to_string();
    let all = [
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", port_text.as_str()),
        ("PGUSER", "plain"),
        ("PGPASSWORD", "sesame"),
        ("PGDATABASE", "shop"),
        ("PGAPPNAME", "from the environment"),
        ("PGOPTIONS", "-c statement_timeout=3s"),
    ];
    for dsn in [
        "",
        "postgresql://",
        "user=clerk",
        "dbname=postgres",
        "password=wrong",
        "application_name=mine",
        "options='-c search_path=own'",
        "user=''",
        "postgresql:///postgres",
    ] {
        ask.with(dsn, &all);
    }
    ask.with("", &[&all[..], &[("PGHOSTADDR", "127.0.0.1")]].concat());
    ask.with("", &[&all[..], &[("PGSSLMODE", "require")]].concat());
    ask.with("", &[&all[..], &[("PGSSLMODE", "")]].concat());
    ask.with("", &[&all[..], &[("PGREQUIRESSL", "1")]].concat());
    ask.with("", &[&all[..], &[("PGCHANNELBINDING", "require")]].concat());
    ask.with(
        "",
        &[&all[..], &[("PGTARGETSESSIONATTRS", "standby")]].concat(),
    );

    // services stand between the string and the variables
    let services = format!(
        "# ours\n[shop]\nhost=127.0.0.1\nport={port}\nuser=plain\npassword=sesame\ndbname=shop\nuser=clerk\n\n\
         [half]\n  host=127.0.0.1\nport={port}\n[open]\nhost=127.0.0.1\nport={port}\nuser=plain\n\
         application_name=from the service\ndbname=shop\n[broken]\nnonsense\n"
    );
    let with_services = home(
        folder,
        "services",
        0o644,
        &[(".pg_service.conf", &services)],
    );
    let file = with_services.join(".pg_service.conf").display().to_string();
    for dsn in [
        "service=shop",
        "service=shop dbname=postgres",
        "service=half user=plain password=sesame dbname=shop",
        "service=none",
        "service=broken",
        "postgresql://?service=shop",
        "service=open password=sesame",
    ] {
        ask.cell(dsn, &[], &with_services);
        ask.with(dsn, &[("PGSERVICEFILE", &file)]);
    }
    let (system, named) = (folder.join("system"), folder.join("system/pg_service.conf"));
    std::fs::create_dir(&system).unwrap();
    std::fs::write(&named, services.replace("sesame", "wrong")).unwrap();
    let system = system.display().to_string();
    for service in ["shop", "none"] {
        ask.with("", &[("PGSERVICE", service), ("PGSYSCONFDIR", &system)]);
        ask.cell(
            "",
            &[
                ("PGSERVICE", service),
                ("PGSYSCONFDIR", &system),
                ("PGUSER", "clerk"),
            ],
            &with_services,
        );
    }

    // password files
    let login = format!("port={port} user=plain dbname=shop");
    for (name, mode, text) in [
        (
            "right",
            0o600,
            format!("127.0.0.1:{port}:shop:plain:sesame\n"),
        ),
        ("wild", 0o600, "*:*:*:*:sesame".to_owned()),
        ("read-only", 0o400, "*:*:*:*:sesame\n".to_owned()),
        ("open", 0o640, "*:*:*:*:sesame\n".to_owned()),
        ("world", 0o604, "*:*:*:*:sesame\n".to_owned()),
        (
            "first",
            0o600,
            "*:*:shop:*:sesame\n*:*:*:*:wrong\n".to_owned(),
        ),
        (
            "second",
            0o600,
            "*:*:other:*:wrong\n*:*:*:*:sesame\n".to_owned(),
        ),
        (
            "comment",
            0o600,
            "#*:*:*:*:wrong\n\n*:*:*:*:sesame\n".to_owned(),
        ),
        ("localhost", 0o600, "localhost:*:*:*:sesame\n".to_owned()),
        ("folder", 0o600, format!("{socket}:*:*:*:sesame\n")),
        ("name", 0o600, "db.invalid:*:*:*:sesame\n".to_owned()),
        ("short", 0o600, "127.0.0.1:*:*:sesame\n".to_owned()),
        ("windows", 0o600, "*:*:*:*:sesame\r\n".to_owned()),
        ("escaped", 0o600, "*:*:*:pl\\ain:ses\\ame\n".to_owned()),
        ("star", 0o600, "\\*:*:*:*:sesame\n".to_owned()),
        ("empty", 0o600, "*:*:*:*:\n".to_owned()),
    ] {
        let home = home(folder, &format!("pass-{name}"), mode, &[(".pgpass", &text)]);
        let path = home.join(".pgpass").display().to_string();
        ask.cell(&format!("host=127.0.0.1 {login}"), &[], &home);
        ask.cell(&format!("host={socket} {login}"), &[], &home);
        ask.cell(
            &format!("host=db.invalid hostaddr=127.0.0.1 {login}"),
            &[],
            &home,
        );
        ask.cell(&format!("hostaddr=127.0.0.1 {login}"), &[], &home);
        ask.dsn(&format!("host=127.0.0.1 {login} passfile={path}"));
        ask.with(&format!("host=127.0.0.1 {login}"), &[("PGPASSFILE", &path)]);
        ask.cell(
            &format!("host=127.0.0.1 {login}"),
            &[("PGPASSWORD", "wrong")],
            &home,
        );
    }
    let escaped = home(
        folder,
        "pass-clerk",
        0o600,
        &[(".pgpass", "*:*:*:clerk:a\\:b\\\\c d'e\n")],
    );
    ask.cell(
        &format!("host=127.0.0.1 port={port} user=clerk dbname=shop"),
        &[],
        &escaped,
    );

    let count = ask.cells.len();
    let mut tally = Tally::default();
    tally.ask("options", ask.cells).await;
    assert!(count > 150, "{count}");
    tally.same_in_all(count);
}
