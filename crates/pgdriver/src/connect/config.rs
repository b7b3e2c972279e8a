//! [`ConnectOptions`] → tokio-postgres's own configuration, for one address and one attempt.
//!
//! Absent: tokio-postgres's reading of connection strings, which refuses half of libpq's keywords.

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation};

use crate::options::{self, ConnectOptions, Host, Keepalives, Place};
use crate::tls::{self, Attempt};

pub(super) fn of(
    options: &ConnectOptions,
    host: &Host,
    address: Option<IpAddr>,
    attempt: Attempt,
) -> Config {
    let mut config = Config::new();
    match (&host.place, address) {
        (Place::Socket(folder), None) => {
            config.host_path(socket_folder(folder));
        }
        (place, Some(address)) => {
            let name = match place {
                Place::Tcp(name) => name.as_str(),
                Place::Socket(_) => "",
            };
            config
                .host(tls::handshake_name(name, address))
                .hostaddr(address);
        }
        (Place::Tcp(name), None) => {
            config.host(name);
        }
    }
    config
        .port(host.port)
        .user(&options.user)
        .dbname(&options.database);
    config.ssl_mode(match attempt {
        Attempt::Plain => SslMode::Disable,
        Attempt::Encrypted => SslMode::Require,
    });
    if options.tls.direct {
        config.ssl_negotiation(SslNegotiation::Direct);
    }
    config.channel_binding(match (options.channel_binding, attempt) {
        (options::ChannelBinding::Disable, _) => ChannelBinding::Disable,
        (options::ChannelBinding::Prefer, _) => ChannelBinding::Prefer,
        (options::ChannelBinding::Require, _) => ChannelBinding::Require,
    });
    if let Some(password) = options.password_for(host) {
        config.password(password.expose());
    }
    if let Some(text) = &options.options {
        config.options(text);
    }
    if let Some(name) = &options.application_name {
        config.application_name(name);
    }
    if let Some(limit) = options.connect_timeout {
        config.connect_timeout(limit);
    }
    keepalives(&mut config, options.keepalives);
    config
}

/// libpq: `@name` is a socket in Linux's abstract namespace, where the file system has no part.
fn socket_folder(folder: &Path) -> PathBuf {
    match folder.as_os_str().as_bytes().strip_prefix(b"@") {
        Some(name) => PathBuf::from(OsString::from_vec([b"\0", name].concat())),
        None => folder.to_owned(),
    }
}

fn keepalives(config: &mut Config, wanted: Keepalives) {
    config.keepalives(wanted.enabled);
    if let Some(idle) = wanted.idle {
        config.keepalives_idle(idle);
    }
    if let Some(interval) = wanted.interval {
        config.keepalives_interval(interval);
    }
    if let Some(count) = wanted.count {
        config.keepalives_retries(count);
    }
    // libpq sets neither without keepalives
    if let Some(limit) = wanted.tcp_user_timeout.filter(|_| wanted.enabled) {
        config.tcp_user_timeout(limit);
    }
}
