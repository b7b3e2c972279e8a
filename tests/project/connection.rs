//! Databases that cannot be reached, or do not let us in: 30, each kind told apart, and never with the password.

use std::net::TcpListener;

use super::halt::{Halt, halts, halts_with, no_secret};
use crate::support::{Options, Project, Shop, TempServer, cli, django, shop_with};

/// Every command that connects halts alike; what the last one said is given back.
#[track_caller]
fn unreachable(shop: &Project, class: &str) -> Halt {
    for command in [
        &["run", "--apply", "--yes"][..],
        &["check"],
        &["status"],
        &["preview"],
        &["backup"],
    ] {
        halts(shop, command, 30, class);
    }
    halts(shop, &["run"], 30, class)
}

/// The shop whose default database differs in these settings.
#[track_caller]
fn with_database(python: &str) -> Shop {
    shop_with("5.2", 15, |builder| {
        builder.settings(&format!("DATABASES['default'].update({python})"))
    })
}

#[test]
fn connection_refused() {
    // nobody listens on tcpmux any more
    let port = 1;
    let shop = with_database(&format!("PORT={port}"));
    unreachable(&shop, "database-refused").says(&[
        "no connection to",
        &format!("127.0.0.1:{port}"),
        "refused",
    ]);
}

#[test]
fn connection_timed_out() {
    // the kernel completes the handshake, and then nobody says a word
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("bound").port();
    let shop = with_database(&format!("PORT={port}, OPTIONS=dict(connect_timeout=2)"));
    let halt = halts(&shop, &["run"], 30, "database-timeout");
    halt.says(&["no connection to", &port.to_string()]);
    halts(&shop, &["check"], 30, "database-timeout");
}

#[test]
fn wrong_password() {
    let shop = with_database("PASSWORD='correct-horse-battery'");
    let halt = unreachable(&shop, "database-wrong-password");
    halt.says(&["password authentication failed", shop.server().user()]);
    no_secret(&shop, &halt.ran, "correct-horse-battery");
    let halt = halts(&shop, &["run", "-v"], 30, "database-wrong-password");
    no_secret(&shop, &halt.ran, "correct-horse-battery");
}

#[test]
fn no_such_database() {
    let shop = with_database("NAME='warehouse'");
    unreachable(&shop, "database-missing").says(&["warehouse", "does not exist"]);
}

#[test]
fn no_such_host() {
    let shop = with_database("HOST='db.invalid'");
    unreachable(&shop, "database-host-unknown").says(&["db.invalid"]);
}

#[test]
fn no_such_socket() {
    let shop = with_database("HOST='/nowhere/run'");
    halts(&shop, &["run"], 30, "database-refused").says(&["/nowhere/run"]);
}

/// A server that trusts nobody from this database, and everybody else.
fn strict() -> TempServer {
    let hba = "local all all scram-sha-256\nhost closed all 127.0.0.1/32 reject\n\
               host peerless all 127.0.0.1/32 scram-sha-256\nhost shop,shut,postgres all 127.0.0.1/32 trust\n";
    let install = crate::support::Env::open()
        .and_then(|env| env.postgres(15))
        .expect("PostgreSQL 15");
    let options = Options {
        hba: Some(hba.to_owned()),
        ..Options::default()
    };
    TempServer::start_with(&install, options).expect("a server")
}

#[test]
fn what_pg_hba_and_roles_refuse() {
    let server = strict();
    let database = server.named_database("shop").expect("a database");
    let write = |settings: &str| {
        Project::new(&django("5.2"), &database)
            .settings(settings)
            .write()
            .expect("a project")
    };
    let missing = write("DATABASES['default']['USER'] = 'nobody_here'");
    halts(&missing, &["run"], 30, "database-role-missing").says(&["nobody_here", "does not exist"]);
    let hba = write("DATABASES['default']['NAME'] = 'elsewhere'");
    halts(&hba, &["run"], 30, "database-not-allowed").says(&["pg_hba.conf", "elsewhere"]);
    let rejected = write("DATABASES['default']['NAME'] = 'closed'");
    halts(&rejected, &["check"], 30, "database-not-allowed").says(&["pg_hba.conf", "closed"]);
    server.execute("postgres", "CREATE ROLE clerk LOGIN; REVOKE CONNECT ON DATABASE shop FROM public; CREATE ROLE ghost NOLOGIN").unwrap();
    let refused = write("DATABASES['default']['USER'] = 'clerk'");
    halts(&refused, &["run"], 30, "database-not-allowed").says(&["permission denied", "CONNECT"]);
    server
        .execute("postgres", "CREATE DATABASE shut ALLOW_CONNECTIONS false")
        .unwrap();
    let shut = write("DATABASES['default']['NAME'] = 'shut'");
    halts(&shut, &["run"], 30, "database-not-allowed").says(&[
        "shut",
        "not currently accepting connections",
        "ALLOW_CONNECTIONS",
    ]);
    let ghost = write("DATABASES['default']['USER'] = 'ghost'");
    halts(&ghost, &["run"], 30, "database-not-allowed").says(&["ghost", "not permitted to log in"]);
}

#[test]
fn too_many_connections() {
    let server = strict();
    let database = server.named_database("shop").expect("a database");
    server
        .execute("postgres", "CREATE ROLE clerk LOGIN CONNECTION LIMIT 0")
        .unwrap();
    let project = Project::new(&django("5.2"), &database)
        .settings("DATABASES['default']['USER'] = 'clerk'")
        .write()
        .expect("a project");
    halts(&project, &["run"], 30, "database-busy").says(&["too many connections"]);
}

#[test]
fn tls_that_the_server_does_not_speak() {
    let shop = with_database("OPTIONS=dict(sslmode='require')");
    halts(&shop, &["run"], 30, "database-tls").says(&["SSL"]);
}

#[test]
fn a_password_of_the_environment_stays_there() {
    let shop = with_database("PASSWORD=''");
    let cli = cli(&shop).env("PGPASSWORD", "correct-horse-battery");
    let halt = halts_with(&cli, &shop, &["run", "-v"], 30, "database-wrong-password");
    no_secret(&shop, &halt.ran, "correct-horse-battery");
    let right = crate::support::cli(&shop).env("PGPASSWORD", shop.server().password());
    let ran = right.args(["preview", "-v"]).run().expect(0);
    no_secret(&shop, &ran, shop.server().password());
}

#[test]
fn a_safeguard_that_only_django_has_is_told() {
    let shop = with_database("OPTIONS=dict(require_auth='scram-sha-256', sslcrldir='/no/such')");
    let code = "connection-safeguard-not-enforced";
    let checked = cli(&shop).args(["check", "--format", "json"]).run();
    let document = checked.expect(0).json();
    let finding = &document["findings"][0];
    assert_eq!(
        (&finding["code"], &finding["severity"]),
        (&code.into(), &"ask".into()),
        "{document:#}"
    );
    let message = finding["message"].as_str().unwrap_or_default();
    assert!(
        message.starts_with("require_auth, sslcrldir in"),
        "{message}"
    );

    let ran = cli(&shop).args(["run"]).run().expect(0);
    let screen = format!("{} {}", ran.stdout, ran.stderr);
    let words: Vec<&str> = screen.split_whitespace().collect();
    let said = words.join(" ");
    for text in [
        "require_auth, sslcrldir in the connection's settings",
        "sslmode=verify-full",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
}

/// What a driver fills in by itself is nobody's wish.
#[test]
fn no_driver_has_parameters_that_are_not_followed() {
    for (postgres, version) in crate::support::MATRIX {
        let shop = crate::support::shop(version, postgres);
        let ran = cli(&shop).args(["check", "--format", "json"]).run();
        let document = ran.expect(0).json();
        assert_eq!(document["findings"], serde_json::json!([]), "{version}");
    }
}
