use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::{ConnectOptions, Environment, Secret};

fn environment(variables: &[(&str, &str)], home: &std::path::Path) -> Environment {
    let variables = variables
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    Environment::of(variables, Some(home.to_owned()), "os-user")
}

#[track_caller]
fn check(dsn: &str, variables: &[(&str, &str)], expected: &str) {
    let home = tempfile::tempdir().unwrap();
    let options = ConnectOptions::parse_in(dsn, &environment(variables, home.path()));
    let found = match options {
        Ok(options) => options.describe(),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{dsn} {variables:?}");
}

#[test]
fn explicit_then_environment_then_defaults() {
    check("", &[], "os-user@localhost:5432/os-user");
    check("user=me", &[], "me@localhost:5432/me");
    check(
        "user=me",
        &[
            ("PGDATABASE", "shop"),
            ("PGUSER", "you"),
            ("PGPORT", "5433"),
        ],
        "me@localhost:5433/shop",
    );
    check(
        "postgres://db1/x",
        &[("PGHOST", "db9"), ("PGUSER", "")],
        "os-user@db1:5432/x",
    );
    check("host=a,b port=1,2 user=u", &[], "u@a:1,b:2/u");
    check("host=::1 user=u", &[], "u@[::1]:5432/u");
    check("host=/run/pg user=u", &[], "u@/run/pg:5432/u");
    check("hostaddr=10.0.0.1 user=u", &[], "u@10.0.0.1:5432/u");
}

#[test]
fn refused() {
    check("port=x", &[], "invalid port value: not a number");
    check("port=0", &[], "invalid port value: \"0\"");
    check(
        "host=a,b port=1,2,3",
        &[],
        "could not match 3 port numbers to 2 hosts",
    );
    check(
        "host=a hostaddr=::1,::2",
        &[],
        "could not match 1 host names to 2 hostaddr values",
    );
    check("sslmode=maybe", &[], "invalid sslmode value: \"maybe\"");
    check(
        "",
        &[("PGSSLMODE", "maybe")],
        "invalid sslmode value: \"maybe\"",
    );
    check(
        "sslmode=require sslrootcert=system",
        &[],
        "weak sslmode \"require\" may not be used with sslrootcert=system (use \"verify-full\")",
    );
    check(
        "gssencmode=require",
        &[],
        "gssencmode=require: GSSAPI encryption is not supported",
    );
}

#[test]
fn a_service_goes_between() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".pg_service.conf");
    fs::write(&file, "[shop]\nhost=db1\nport=5433\ndbname=shop\n").unwrap();
    let variables = [
        ("PGHOST", "db9"),
        ("PGUSER", "me"),
        ("PGSYSCONFDIR", "/nowhere"),
    ];
    let environment = environment(&variables, home.path());
    let options = ConnectOptions::parse_in("service=shop port=1", &environment).unwrap();
    assert_eq!(options.describe(), "me@db1:1/shop");
    let error = ConnectOptions::parse_in("service=none", &environment).unwrap_err();
    assert_eq!(error.keyword(), Some("service"));
    assert!(
        error
            .to_string()
            .starts_with("definition of service \"none\" not found"),
        "{error}"
    );
}

#[test]
fn a_password_file_counts_only_when_private() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".pgpass");
    fs::write(&file, "a:*:*:*:one\nb:*:*:*:two\n").unwrap();
    let environment = environment(&[], home.path());
    let resolve = || ConnectOptions::parse_in("host=a,b user=me", &environment).unwrap();

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let options = resolve();
    assert_eq!(options.password(), None);
    assert!(
        options.ignored()[0].contains("chmod 0600"),
        "{:?}",
        options.ignored()
    );

    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let options = resolve();
    let passwords: Vec<_> = options
        .hosts()
        .iter()
        .map(|h| options.password_for(h).map(Secret::expose))
        .collect();
    assert_eq!(passwords, [Some("one"), Some("two")]);
    assert!(!format!("{options:?}").contains("two"));
}

#[test]
fn a_password_file_is_read_as_libpq_reads_it() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".pgpass");
    let text =
        b"# the caf\xe9's own\n/tmp:1:*:*:by path\nlocalhost:2:*:*:by name\n/srv:2:*:*:elsewhere\n";
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    for (dsn, expected) in [
        ("host=/tmp port=1 user=me", Some("by path")),
        ("host=/tmp port=2 user=me", Some("by name")),
        ("host=/srv port=2 user=me", Some("elsewhere")),
        ("host=/srv port=1 user=me", None),
    ] {
        // an empty name is none
        let environment = environment(&[("PGPASSFILE", "")], home.path());
        let options = ConnectOptions::parse_in(dsn, &environment).unwrap();
        let found = options.password_for(&options.hosts()[0]);
        assert_eq!(found.map(Secret::expose), expected, "{dsn}");
    }
}

#[test]
fn keywords_that_libpq_resolved() {
    let keywords: BTreeMap<_, _> = [
        ("host", "db1"),
        ("port", "5432"),
        ("user", "shop"),
        ("dbname", "shop"),
        ("sslmode", "prefer"),
        ("sslcompression", "0"),
        ("sslsni", "1"),
        ("gssencmode", "prefer"),
        ("krbsrvname", "postgres"),
        ("sslcrldir", "/x"),
        ("nonsense", "1"),
        ("options", "-c statement_timeout=5s"),
    ]
    .into_iter()
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .collect();
    let options = ConnectOptions::from_keywords(&keywords, Some(Secret::from("pw"))).unwrap();
    assert_eq!(options.describe(), "shop@db1:5432/shop");
    assert_eq!(options.ignored(), ["nonsense", "sslcrldir"]);
    assert_eq!(
        options.ignored_safeguards().collect::<Vec<_>>(),
        ["sslcrldir"]
    );
    let expected = [
        ("PGHOST", "db1"),
        ("PGPORT", "5432"),
        ("PGUSER", "shop"),
        ("PGDATABASE", "shop"),
        ("PGSSLMODE", "prefer"),
        ("PGCONNECT_TIMEOUT", "10"),
        ("PGOPTIONS", "-c statement_timeout=5s"),
    ];
    let found = options.libpq_environment();
    let found: Vec<_> = found
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn another_way_replaces_hosts_and_keeps_role_and_password() {
    let keywords = [("host", "db1"), ("user", "shop"), ("dbname", "shop")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    let django = ConnectOptions::from_keywords(&keywords, Some(Secret::from("pw"))).unwrap();
    let by = |dsn: &str| {
        let options = django.clone().by_way_of(dsn, &Environment::default());
        options.map(|o| (o.describe(), o.password().map(|p| p.expose().to_owned())))
    };
    let shop = |place: &str| Ok((place.to_owned(), Some("pw".to_owned())));
    assert_eq!(
        by("host=localhost port=5433"),
        shop("shop@localhost:5433/shop")
    );
    assert_eq!(
        by("postgresql://localhost:5433"),
        shop("shop@localhost:5433/shop")
    );
    assert_eq!(
        by("postgresql://me:other@far/shop"),
        shop("shop@far:5432/shop")
    );
    // another database is not passed over in silence: whoever asks compares it
    assert_eq!(by("postgresql://far/copy"), shop("shop@far:5432/copy"));
}

#[test]
fn safeguards_of_either_way_are_told() {
    let keywords = [
        ("host", "db1"),
        ("user", "u"),
        ("require_auth", "scram-sha-256"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into();
    let django = ConnectOptions::from_keywords(&keywords, None).unwrap();
    let by = django
        .by_way_of(
            "host=b sslcrldir=/x ssl_min_protocol_version=TLSv1.1",
            &Environment::default(),
        )
        .unwrap();
    let told: Vec<_> = by.ignored_safeguards().collect();
    assert_eq!(told, ["require_auth", "sslcrldir"]);
}

#[test]
fn the_old_way_to_require_tls() {
    let home = tempfile::tempdir().unwrap();
    let mode = |dsn: &str, value: &str| {
        let environment = environment(&[("PGREQUIRESSL", value)], home.path());
        let options = ConnectOptions::parse_in(dsn, &environment).unwrap();
        (options.tls().mode.as_str(), options.ignored().len())
    };
    assert_eq!(mode("user=u", "1"), ("require", 0));
    assert_eq!(mode("user=u", "0"), ("prefer", 0));
    assert_eq!(mode("user=u sslmode=disable", "1"), ("disable", 0));
}
