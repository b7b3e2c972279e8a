//! Connections that leave a choice of servers: pg_dump goes where the snapshot is, with that host's password.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use dumper::{DumpRequest, Password, Verified};
use pgdriver::{ConnectOptions, Environment};

use crate::support::{Fixture, run};

/// Nobody listens there.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Its first host is down, and has another password in `.pgpass` than the second.
fn request(fixture: &Fixture) -> DumpRequest {
    let mut request =
        fixture.request_with("echo \"$PGHOST:$PGPORT\" > \"${0%/*}/went\"; exec \"$REAL\" \"$@\"");
    let server = fixture.server();
    let (host, port, user) = (server.host(), server.port(), server.user());
    let (down, name) = (closed_port(), fixture.database.name());
    let passfile = fixture.folder.path().join("pgpass");
    let lines = format!(
        "127.0.0.1:{down}:*:*:other\n{host}:{port}:*:*:{}\n",
        server.password()
    );
    fs_err::write(&passfile, lines).unwrap();
    fs_err::set_permissions(&passfile, std::fs::Permissions::from_mode(0o600)).unwrap();
    let variables = BTreeMap::from([("PGPASSFILE".to_owned(), passfile.display().to_string())]);
    request.connection = ConnectOptions::parse_in(
        &format!(
            "host=127.0.0.1,{host} port={down},{port} user={user} dbname={name} target_session_attrs=read-write"
        ),
        &Environment::of(variables, None, "nobody"),
    )
    .unwrap();
    request.environment = request.connection.libpq_environment();
    let password = request.connection.password().unwrap();
    request.password = Some(Password::new(password.expose()));
    request
}

#[test]
fn of_several_hosts_pg_dump_goes_to_the_one_that_has_the_snapshot() {
    let fixture = Fixture::new("CREATE TABLE a AS SELECT 1 AS id");
    let archive = run(&request(&fixture)).unwrap();
    assert_eq!((archive.rows, archive.verified), (1, Verified::Counts));
    assert_eq!(archive.warnings, Vec::<String>::new());
    let went = fs_err::read_to_string(fixture.folder.path().join("went")).unwrap();
    let server = fixture.server();
    assert_eq!(
        went.trim_end(),
        format!("{}:{}", server.host(), server.port())
    );
}
