//! TLS: for each sslmode, certificate and root, the same verdict as libpq's own psql.

use std::path::Path;
use std::process::Stdio;

use pgdriver::ConnectErrorKind as Kind;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use xtask::env::Env;
use xtask::servers::{Options, TempServer};

use crate::{MAJORS, options};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn authority(name: &str) -> Authority {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Authority {
        pem,
        issuer: Issuer::new(params, key),
    }
}

/// Only a common name, as PostgreSQL's documentation makes certificates.
fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Certificate and key.
fn issued(authority: &Authority, params: &CertificateParams) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    (
        params.signed_by(&key, &authority.issuer).unwrap().pem(),
        key.serialize_pem(),
    )
}

/// What `openssl req -x509` makes: its own authority.
fn self_signed(name: &str) -> (String, String) {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn start(certificate: (String, String), client_ca: Option<&str>, hba: Option<&str>) -> TempServer {
    let mut settings = vec![
        ("ssl".to_owned(), "on".to_owned()),
        ("ssl_cert_file".to_owned(), "own.crt".to_owned()),
        ("ssl_key_file".to_owned(), "own.key".to_owned()),
    ];
    let mut files = vec![
        ("own.crt".to_owned(), certificate.0.into_bytes()),
        ("own.key".to_owned(), certificate.1.into_bytes()),
    ];
    if let Some(pem) = client_ca {
        settings.push(("ssl_ca_file".to_owned(), "client-ca.crt".to_owned()));
        files.push(("client-ca.crt".to_owned(), pem.as_bytes().to_vec()));
    }
    let install = Env::open().unwrap().postgres(MAJORS[0]).unwrap();
    let options = Options {
        settings,
        files,
        hba: hba.map(str::to_owned),
    };
    TempServer::start_with(&install, options).unwrap()
}

/// `Some(encrypted)`, or none where libpq does not connect.
fn psql(server: &TempServer, dsn: &str, home: &Path) -> Option<bool> {
    let output = server
        .install()
        .command("psql")
        .args([
            "-XAtw",
            "-c",
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            dsn,
        ])
        .env("HOME", home)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim() == "t")
}

async fn check(server: &TempServer, dsn: &str, home: &Path) {
    let login = format!(
        "hostaddr=127.0.0.1 port={} dbname=postgres {dsn}",
        server.port()
    );
    let login = match dsn.contains("user=") {
        true => login,
        false => format!(
            "{login} user={} password={}",
            server.user(),
            server.password()
        ),
    };
    let expected = psql(server, &login, home);
    match pgdriver::connect(&options(&login)).await {
        Ok(session) => {
            assert_eq!(
                Some(session.is_encrypted()),
                expected,
                "{dsn}: libpq says otherwise"
            );
            let answer = session
                .query_text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
                .await
                .unwrap();
            let encrypted = if session.is_encrypted() { "t" } else { "f" };
            assert_eq!(answer[0][0].as_deref(), Some(encrypted));
        }
        Err(error) => {
            assert_eq!(expected, None, "{dsn}: libpq connects, we do not: {error}");
            assert!(
                matches!(
                    error.kind(),
                    Kind::TlsRefused
                        | Kind::TlsNotVerified
                        | Kind::NoHbaEntry
                        | Kind::LoginRefused
                        | Kind::BadOptions
                ),
                "{dsn}: {:?} {error}",
                error.kind()
            );
        }
    }
}

const MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

async fn check_all(server: &TempServer, hosts: &[&str], roots: &[&str], home: &Path) {
    for mode in MODES {
        for host in hosts {
            for root in roots {
                check(server, &format!("host={host} sslmode={mode} {root}"), home).await;
            }
        }
    }
}

fn file(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, private).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn each_mode_with_a_private_authority_as_libpq() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (authority("ours"), authority("other"));
    let mut params =
        CertificateParams::new(["db.test".to_owned(), "*.cluster.test".to_owned()]).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "common.test");
    let server = start(issued(&ours, &params), None, None);
    let roots = [
        String::new(),
        format!("sslrootcert={}", file(folder.path(), "ours.crt", &ours.pem)),
        format!(
            "sslrootcert={}",
            file(folder.path(), "other.crt", &other.pem)
        ),
        format!("sslrootcert={}/missing.crt", folder.path().display()),
        format!(
            "sslrootcert={}",
            file(folder.path(), "broken.crt", "no certificate")
        ),
    ];
    let roots: Vec<&str> = roots.iter().map(String::as_str).collect();
    let hosts = [
        "db.test",
        "a.cluster.test",
        "a.b.cluster.test",
        "common.test",
    ];
    check_all(&server, &hosts[..1], &roots, folder.path()).await;
    check_all(&server, &hosts[1..], &roots[1..2], folder.path()).await;
}

#[tokio::test]
async fn the_verdicts_that_must_hold_whatever_libpq_says() {
    let folder = tempfile::tempdir().unwrap();
    let ours = authority("ours");
    let server = start(
        issued(
            &ours,
            &CertificateParams::new(["db.test".to_owned()]).unwrap(),
        ),
        None,
        None,
    );
    let root = file(folder.path(), "ours.crt", &ours.pem);
    let dsn = |rest: &str| {
        let (port, user, password) = (server.port(), server.user(), server.password());
        options(&format!(
            "hostaddr=127.0.0.1 port={port} user={user} password={password} dbname=postgres {rest}"
        ))
    };
    let kind = async |rest: &str| {
        pgdriver::connect(&dsn(rest))
            .await
            .map(|s| s.is_encrypted())
            .map_err(|e| e.kind())
    };
    assert_eq!(kind("host=db.test sslmode=disable").await, Ok(false));
    assert_eq!(kind("host=db.test sslmode=prefer").await, Ok(true));
    assert_eq!(kind("host=db.test sslmode=require").await, Ok(true));
    assert_eq!(
        kind("host=db.test sslmode=verify-full").await,
        Err(Kind::TlsNotVerified)
    );
    assert_eq!(
        kind(&format!(
            "host=db.test sslmode=verify-full sslrootcert={root}"
        ))
        .await,
        Ok(true)
    );
    assert_eq!(
        kind(&format!(
            "host=db2.test sslmode=verify-full sslrootcert={root}"
        ))
        .await,
        Err(Kind::TlsNotVerified)
    );
    assert_eq!(
        kind(&format!(
            "host=db2.test sslmode=verify-ca sslrootcert={root}"
        ))
        .await,
        Ok(true)
    );
    assert_eq!(
        kind("host=db.test sslmode=require channel_binding=require").await,
        Ok(true)
    );

    // a statement is cancelled through TLS too
    let session = pgdriver::connect(&dsn("host=db.test sslmode=require"))
        .await
        .unwrap();
    let token = session.cancel_token();
    let (asleep, woken) = tokio::join!(session.execute("SELECT pg_sleep(30)"), async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        token.cancel().await
    });
    woken.unwrap();
    assert!(asleep.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn self_signed_and_named_by_common_name_only() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = self_signed("db.test");
    let root = format!(
        "sslrootcert={}",
        file(folder.path(), "own.crt", &certificate.0)
    );
    let server = start(certificate, None, None);
    check_all(
        &server,
        &["db.test", "other.test"],
        &["", &root],
        folder.path(),
    )
    .await;
    let verified = options(&format!(
        "hostaddr=127.0.0.1 port={} user={} password={} dbname=postgres host=db.test sslmode=verify-full {root}",
        server.port(),
        server.user(),
        server.password()
    ));
    assert!(pgdriver::connect(&verified).await.unwrap().is_encrypted());
}

#[tokio::test]
async fn a_server_without_tls() {
    let folder = tempfile::tempdir().unwrap();
    let install = Env::open().unwrap().postgres(MAJORS[0]).unwrap();
    let server = TempServer::start(&install).unwrap();
    check_all(&server, &["db.test"], &[""], folder.path()).await;
    let dsn = format!(
        "host=127.0.0.1 port={} user=u sslmode=require",
        server.port()
    );
    let error = pgdriver::connect(&options(&dsn)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::TlsRefused, "{error}");
}

#[tokio::test]
async fn pg_hba_that_wants_one_or_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let ours = authority("ours");
    for hba in [
        "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n",
        "local all all scram-sha-256\nhostnossl all all 127.0.0.1/32 scram-sha-256\nhostssl template1 all 127.0.0.1/32 trust\n",
    ] {
        // template1 is where the harness asks, without TLS, whether the server is up
        let hba = format!("{hba}hostnossl template1 all 127.0.0.1/32 trust\n");
        let certificate = issued(
            &ours,
            &CertificateParams::new(["db.test".to_owned()]).unwrap(),
        );
        let server = start(certificate, None, Some(&hba));
        check_all(&server, &["db.test"], &[""], folder.path()).await;
    }
}

#[tokio::test]
async fn client_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let ours = authority("ours");
    let server_certificate = issued(
        &ours,
        &CertificateParams::new(["db.test".to_owned()]).unwrap(),
    );
    let hba = "local all all scram-sha-256\nhostnossl all all 127.0.0.1/32 scram-sha-256\nhostssl all all \
               127.0.0.1/32 cert\n";
    let server = start(server_certificate, Some(&ours.pem), Some(hba));
    server
        .execute("postgres", "CREATE ROLE cert_user LOGIN")
        .unwrap();
    let (certificate, key) = issued(&ours, &named("cert_user"));
    let cert = file(folder.path(), "client.crt", &certificate);
    let key_file = file(folder.path(), "client.key", &key);
    let base = "host=db.test sslmode=require user=cert_user";
    check(
        &server,
        &format!("{base} sslcert={cert} sslkey={key_file}"),
        folder.path(),
    )
    .await;
    check(&server, base, folder.path()).await;
    check(
        &server,
        &format!(
            "{base} sslcert={cert} sslkey={}/none.key",
            folder.path().display()
        ),
        folder.path(),
    )
    .await;
    let open = folder.path().join("open.key");
    std::fs::write(&open, key).unwrap();
    check(
        &server,
        &format!("{base} sslcert={cert} sslkey={}", open.display()),
        folder.path(),
    )
    .await;
    let with = options(&format!(
        "hostaddr=127.0.0.1 port={} dbname=postgres {base} sslcert={cert} sslkey={key_file}",
        server.port()
    ));
    assert!(pgdriver::connect(&with).await.unwrap().is_encrypted());
}
