//! TLS: the verdicts that must hold whatever libpq says, and what `tls_matrix` cannot ask of it.

use pgdriver::ConnectErrorKind as Kind;
use xtask::env::Env;
use xtask::servers::{Options, TempServer};

use crate::libpq::certificates::{
    Authority, Shown, alternative, authority, file, issued, revocations, version_1, with_serial,
};
use crate::{MAJORS, options};

fn start(shown: &Shown) -> TempServer {
    let settings = [
        ("ssl", "on"),
        ("ssl_cert_file", "own.crt"),
        ("ssl_key_file", "own.key"),
    ];
    let options = Options {
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        files: vec![
            ("own.crt".to_owned(), shown.chain.clone().into_bytes()),
            ("own.key".to_owned(), shown.key.clone().into_bytes()),
        ],
        hba: None,
    };
    let install = Env::open().unwrap().postgres(MAJORS[0]).unwrap();
    TempServer::start_with(&install, options).unwrap()
}

fn login(server: &TempServer, rest: &str) -> String {
    format!(
        "hostaddr=127.0.0.1 port={} user={} password={} dbname=postgres {rest}",
        server.port(),
        server.user(),
        server.password()
    )
}

async fn verdict(server: &TempServer, rest: &str) -> Result<bool, Kind> {
    pgdriver::connect(&options(&login(server, rest)))
        .await
        .map(|session| session.is_encrypted())
        .map_err(|error| error.kind())
}

#[tokio::test]
async fn what_each_mode_promises() {
    let folder = tempfile::tempdir().unwrap();
    let ours = authority("ours");
    let server = start(&issued(&ours, &alternative("x", &["db.test"])));
    let root = file(folder.path(), "ours.crt", &ours.pem);
    for (rest, expected) in [
        ("host=db.test sslmode=disable", Ok(false)),
        ("host=db.test sslmode=prefer", Ok(true)),
        ("host=db.test sslmode=require", Ok(true)),
        (
            "host=db.test sslmode=verify-full",
            Err(Kind::TlsNotVerified),
        ),
        (
            "host=db.test sslmode=verify-full sslrootcert=ROOT",
            Ok(true),
        ),
        (
            "host=db2.test sslmode=verify-full sslrootcert=ROOT",
            Err(Kind::TlsNotVerified),
        ),
        ("host=db2.test sslmode=verify-ca sslrootcert=ROOT", Ok(true)),
        (
            "host=db.test sslmode=require channel_binding=require",
            Ok(true),
        ),
        // no public authority vouches for it
        ("host=db.test sslrootcert=system", Err(Kind::TlsNotVerified)),
    ] {
        let rest = rest.replace("ROOT", &root);
        assert_eq!(verdict(&server, &rest).await, expected, "{rest}");
    }

    // a statement is cancelled through TLS too
    let dsn = login(&server, "host=db.test sslmode=require");
    let session = pgdriver::connect(&options(&dsn)).await.unwrap();
    let token = session.cancel_token();
    let (asleep, woken) = tokio::join!(session.execute("SELECT pg_sleep(30)"), async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        token.cancel().await
    });
    woken.unwrap();
    assert!(asleep.unwrap_err().is_cancelled());
}

/// What webpki does not read is read by rules of our own: they must say no as well as yes.
#[tokio::test]
async fn a_certificate_of_version_1() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, namesake) = (authority("ours"), authority("ours"));
    let server = start(&version_1(&ours, "db.test"));
    let root = |name: &str, authority: &Authority| file(folder.path(), name, &authority.pem);
    let (right, wrong) = (root("right.crt", &ours), root("wrong.crt", &namesake));
    let refused = Err(Kind::TlsNotVerified);
    for (host, root, expected) in [
        ("db.test", &right, Ok(true)),
        ("db2.test", &right, refused),
        ("db.test", &wrong, refused),
    ] {
        let rest = format!("host={host} sslmode=verify-full sslrootcert={root}");
        assert_eq!(verdict(&server, &rest).await, expected, "{rest}");
    }
}

#[tokio::test]
async fn a_certificate_that_was_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let ours = authority("ours");
    let server = start(&issued(
        &ours,
        &with_serial(alternative("x", &["db.test"]), 7),
    ));
    let root = file(folder.path(), "ours.crt", &ours.pem);
    for (serial, expected) in [(7, Err(Kind::TlsNotVerified)), (8, Ok(true))] {
        let list = file(
            folder.path(),
            "list.crl",
            &revocations(&ours, &[serial], 2090),
        );
        let rest = format!("host=db.test sslmode=verify-full sslrootcert={root} sslcrl={list}");
        assert_eq!(verdict(&server, &rest).await, expected, "{rest}");
    }
}

#[tokio::test]
async fn an_encrypted_key_says_that_it_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let ours = authority("ours");
    let server = start(&issued(&ours, &alternative("x", &["db.test"])));
    let client = issued(&ours, &alternative("postgres", &[]));
    let cert = file(folder.path(), "client.crt", &client.chain);
    let key = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let key = file(folder.path(), "client.key", key);
    let dsn = login(
        &server,
        &format!("host=db.test sslmode=require sslcert={cert} sslkey={key} sslpassword=sesame"),
    );
    let options = options(&dsn);
    assert_eq!(options.ignored(), ["sslpassword"]);
    let error = pgdriver::connect(&options).await.unwrap_err();
    assert_eq!(error.kind(), Kind::BadOptions);
    assert!(
        error.to_string().contains("encrypted") && !format!("{error} {error:?}").contains("sesame"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_without_tls() {
    let install = Env::open().unwrap().postgres(MAJORS[0]).unwrap();
    let server = TempServer::start(&install).unwrap();
    assert_eq!(
        verdict(&server, "host=db.test sslmode=require").await,
        Err(Kind::TlsRefused)
    );
    assert_eq!(
        verdict(&server, "host=db.test sslmode=prefer").await,
        Ok(false)
    );
}
