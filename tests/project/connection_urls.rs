//! A URL in the wrong place, or with a bare @ or / in its password, is refused, and its password is nowhere.
//!
//! Absent: what connects; `connection_secrets` has that.

use super::halt::{files, no_secret};
use crate::support::{Shop, cli, shop, shop_with};

#[track_caller]
fn told_nowhere(shop: &Shop, more: &[&str], code: i32) {
    for command in [
        &["check"][..],
        &["check", "--format", "json"],
        &["locks"],
        &["run"],
    ] {
        let ran = cli(shop).args(command).args(more).run().expect(code);
        no_secret(shop, &ran, "geheim");
    }
    // the run's journal and both its reports were among what was read
    assert!(files(&shop.folder().join(".django-migrate/runs")).len() >= 3);
}

#[test]
fn a_url_of_the_command_line_that_cannot_be_used_is_not_repeated() {
    let shop = shop("5.2", 15);
    for dsn in [
        "postgis://u:geheim@h/shop?sslmode=prefer",
        "postgresql:u:geheim@h/x=1",
        "postgres://u:p@geheim@127.0.0.1:5432/shop",
        "postgres://u:open/geheim@127.0.0.1/shop",
        "postgres://u:1/y?geheim=z@127.0.0.1/shop",
    ] {
        told_nowhere(&shop, &["--dsn", dsn], 2);
    }
}

#[test]
fn a_url_in_the_place_of_a_name_in_djangos_settings_is_not_repeated() {
    for update in [
        "NAME='postgresql://u:geheim@127.0.0.1/shop'",
        "NAME='u:geheim@127.0.0.1/shop'",
        "HOST='postgresql://u:geheim@127.0.0.1/shop'",
    ] {
        let shop = shop_with("5.2", 15, |builder| {
            builder.settings(&format!("DATABASES['default'].update({update})"))
        });
        told_nowhere(&shop, &[], 30);
    }
}
