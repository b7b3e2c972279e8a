//! A server that speaks another language: Django's driver has only its words, and the class is right all the same.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::halt::halts;
use crate::support::shop_with;

/// Answers every startup packet with this error, as a server does that has no TLS.
fn foreign(sqlstate: &'static str, message: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut packet = [0; 1024];
            if stream.read(&mut packet).unwrap_or(0) == 8 {
                // SSLRequest
                let _ = stream.write_all(b"N");
                let _ = stream.read(&mut packet);
            }
            let fields = format!("SFATAL\0VFATAL\0C{sqlstate}\0M{message}\0\0");
            let length = u32::try_from(fields.len() + 4).unwrap_or(4).to_be_bytes();
            let _ = stream.write_all(&[b"E", &length[..], fields.as_bytes()].concat());
        }
    });
    port
}

#[test]
fn what_it_says_is_shown_and_what_it_means_is_known() {
    for (sqlstate, message, class) in [
        (
            "28P01",
            "Passwort-Authentifizierung für Benutzer »shop« fehlgeschlagen",
            "database-wrong-password",
        ),
        (
            "3D000",
            "la base de données « shop » n'existe pas",
            "database-missing",
        ),
        (
            "53300",
            "申し訳ありませんが、すでにクライアント数が多すぎます",
            "database-busy",
        ),
        (
            "57P03",
            "das Datenbanksystem startet",
            "database-unavailable",
        ),
        (
            "28000",
            "kein pg_hba.conf-Eintrag für Host »127.0.0.1«",
            "database-not-allowed",
        ),
        // of no class of its own
        ("XX000", "etwas ganz anderes", "database-error"),
    ] {
        let port = foreign(sqlstate, message);
        let shop = shop_with("5.2", 15, |builder| {
            builder.settings(&format!("DATABASES['default'].update(PORT={port})"))
        });
        halts(&shop, &["run"], 30, class).says(&[message]);
        halts(&shop, &["status"], 30, class).says(&[message]);
    }
}
