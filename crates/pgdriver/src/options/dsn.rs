//! libpq's two forms of connection string, taken apart by libpq's own rules (`conninfo_parse` and
//! `conninfo_uri_parse` in `fe-connect.c`).
//!
//! Absent: defaults, environment and files; the result holds only what the string says.

use std::collections::BTreeMap;

use super::error::OptionsError;
use super::keywords::is_keyword;

type Keywords = BTreeMap<String, String>;

/// Keywords of a URL or of a `key=value` string.
pub(super) fn parse(dsn: &str) -> Result<Keywords, OptionsError> {
    let keywords = match (uri_body(dsn), scheme(dsn)) {
        (Some(body), _) => parse_uri(body)?,
        // of which nothing else may be repeated: somewhere in it stands a password
        (None, Some(scheme)) => {
            return Err(OptionsError::new(format!(
                "a URL of {scheme} is not PostgreSQL's: it begins with postgresql:// or postgres://"
            )));
        }
        (None, None) => parse_pairs(dsn)?,
    };
    match keywords.keys().find(|name| !is_keyword(name)) {
        // after an unquoted password with a space in it, the "name" may be its tail
        Some(_) if keywords.contains_key("password") => Err(OptionsError::new(
            "invalid connection option beside the password (a value with spaces needs single quotes)",
        )),
        Some(name) if has_the_shape_of_a_keyword(name) => Err(OptionsError::of(
            name,
            format!("invalid connection option \"{name}\""),
        )),
        Some(_) => Err(OptionsError::new(
            "invalid connection option, which is no word (is this a URL without its //?)",
        )),
        None => Ok(keywords),
    }
}

fn uri_body(dsn: &str) -> Option<&str> {
    dsn.strip_prefix("postgresql://")
        .or_else(|| dsn.strip_prefix("postgres://"))
}

/// `mysql` of `mysql://…`
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.trim_start().split_once("://")?;
    let first = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-' | '_');
    (first && scheme.chars().all(rest)).then_some(scheme)
}

/// What is not one may be a piece of a URL, or of a password.
fn has_the_shape_of_a_keyword(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

fn parse_pairs(text: &str) -> Result<Keywords, OptionsError> {
    let mut keywords = Keywords::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| c == '=' || c.is_ascii_whitespace())
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        // Only a keyword's shape is repeated: what is not one may be a piece of a password with a space in it.
        let Some(after) = after.trim_start().strip_prefix('=') else {
            return Err(OptionsError::new(match is_keyword(name) {
                true => format!("missing \"=\" after \"{name}\" in connection string"),
                false => {
                    "missing \"=\" in connection string (a value with spaces needs single quotes)"
                        .to_owned()
                }
            }));
        };
        let (value, after) = pair_value(after.trim_start())?;
        keywords.insert(name.to_owned(), value);
        rest = after.trim_start();
    }
    Ok(keywords)
}

/// A value and what follows it: `'…'` or up to white space; a backslash takes the next character as it is.
fn pair_value(text: &str) -> Result<(String, &str), OptionsError> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            c if !quoted && c.is_ascii_whitespace() => return Ok((value, &text[at..])),
            c => value.push(c),
        }
    }
    match quoted {
        true => Err(OptionsError::new(
            "unterminated quoted string in connection string",
        )),
        false => Ok((value, "")),
    }
}

fn parse_uri(body: &str) -> Result<Keywords, OptionsError> {
    let mut keywords = Keywords::new();
    // libpq looks for the @ only up to the first slash, so a password with a slash must be percent-encoded, one with a
    // question mark need not
    let at = body
        .find(['@', '/'])
        .filter(|at| body[*at..].starts_with('@'));
    let (userinfo, body) = match at {
        Some(at) => (Some(&body[..at]), &body[at + 1..]),
        None => (None, body),
    };
    let (body, query) = match body.split_once('?') {
        Some((body, query)) => (body, Some(query)),
        None => (body, None),
    };
    let (hosts, path) = body.split_at(body.find('/').unwrap_or(body.len()));
    // libpq would look for a host of that name: the rest of a password, which would be told then
    if hosts.contains('@') || path.contains('@') {
        return Err(OptionsError::new(
            "an @ stands behind the host's beginning in the URI: in a password write %40 for @ and %2F for /",
        ));
    }
    if userinfo.is_none() && query.is_some_and(has_a_stray_at) {
        return Err(OptionsError::new(
            "an @ stands behind the ? of the URI: in a password write %40 for @ and %2F for /",
        ));
    }
    if let Some(userinfo) = userinfo {
        let (user, password) = match userinfo.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (userinfo, None),
        };
        insert(&mut keywords, "user", user)?;
        insert(&mut keywords, "password", password.unwrap_or(""))?;
    }
    let (names, ports) = hosts_and_ports(hosts)?;
    insert(&mut keywords, "host", &names)?;
    insert(&mut keywords, "port", &ports)?;
    insert(
        &mut keywords,
        "dbname",
        path.strip_prefix('/').unwrap_or(""),
    )?;
    for pair in query
        .unwrap_or("")
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        query_pair(&mut keywords, pair)?;
    }
    Ok(keywords)
}

/// After a password with a bare slash and a question mark, its tail stands where the parameters do.
fn has_a_stray_at(query: &str) -> bool {
    const FREE: [&str; 5] = ["user", "password", "dbname", "application_name", "options"];
    query.split('&').any(|pair| {
        let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
        pair.contains('@') && !FREE.contains(&name)
    })
}

fn query_pair(keywords: &mut Keywords, pair: &str) -> Result<(), OptionsError> {
    let Some((name, value)) = pair.split_once('=') else {
        return Err(OptionsError::new(
            "missing key/value separator \"=\" in URI query parameter",
        ));
    };
    let name = percent_decode(name)?;
    let value = percent_decode(value)?;
    // libpq keeps JDBC's ssl=true
    match (name.as_str(), value.as_str()) {
        ("ssl", "true") => keywords.insert("sslmode".to_owned(), "require".to_owned()),
        _ => keywords.insert(name, value),
    };
    Ok(())
}

fn insert(keywords: &mut Keywords, name: &str, encoded: &str) -> Result<(), OptionsError> {
    if !encoded.is_empty() {
        keywords.insert(name.to_owned(), percent_decode(encoded)?);
    }
    Ok(())
}

/// `a:1,[::1]:2,b` → (`a,::1,b`, `1,2,`); no ports at all is an empty text.
fn hosts_and_ports(hosts: &str) -> Result<(String, String), OptionsError> {
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(rest) => {
                let Some((address, after)) = rest.split_once(']') else {
                    return Err(OptionsError::of(
                        "host",
                        "missing \"]\" after an IPv6 address in the URI",
                    ));
                };
                (address, after.strip_prefix(':').unwrap_or(after))
            }
            None => host.split_once(':').unwrap_or((host, "")),
        };
        names.push(name);
        ports.push(port);
    }
    let ports = if ports.iter().all(|port| port.is_empty()) {
        String::new()
    } else {
        ports.join(",")
    };
    Ok((names.join(","), ports))
}

fn percent_decode(text: &str) -> Result<String, OptionsError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let decoded = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match decoded.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(0) => {
                return Err(OptionsError::new(
                    "forbidden value %00 in percent-encoded value",
                ));
            }
            Some(value) => bytes.push(value),
            None => {
                return Err(OptionsError::new(
                    "invalid percent-encoded token in the URI",
                ));
            }
        }
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| OptionsError::new("the URI does not decode to UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[track_caller]
    fn check(dsn: &str, expected: &[(&str, &str)]) {
        let keywords = parse(dsn).expect(dsn);
        let found: Vec<_> = keywords
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{dsn}");
    }

    #[test]
    fn pairs() {
        check("", &[]);
        check(
            "host=db1 port=5433  dbname=shop",
            &[("host", "db1"), ("port", "5433"), ("dbname", "shop")],
        );
        check("host = db1 user= me", &[("host", "db1"), ("user", "me")]);
        check(
            r"password='it\'s a \\ pass' user=x",
            &[("password", r"it's a \ pass"), ("user", "x")],
        );
        check(r"password=a\ b", &[("password", "a b")]);
        check("password='' user=x", &[("password", ""), ("user", "x")]);
        check(
            "options='-c lock_timeout=1s'",
            &[("options", "-c lock_timeout=1s")],
        );
    }

    #[test]
    fn uris() {
        check("postgresql://", &[]);
        check(
            "postgres://localhost/shop",
            &[("host", "localhost"), ("dbname", "shop")],
        );
        check(
            "postgresql://me:p%40ss@db1:5433/shop?sslmode=require&application_name=a+b",
            &[
                ("user", "me"),
                ("password", "p@ss"),
                ("host", "db1"),
                ("port", "5433"),
                ("dbname", "shop"),
                ("sslmode", "require"),
                ("application_name", "a+b"),
            ],
        );
        check(
            "postgresql://me:why?%2F#@db1?dbname=a/b",
            &[
                ("user", "me"),
                ("password", "why?/#"),
                ("host", "db1"),
                ("dbname", "a/b"),
            ],
        );
        check(
            "postgresql://[2001:db8::1]:5433/shop",
            &[
                ("host", "2001:db8::1"),
                ("port", "5433"),
                ("dbname", "shop"),
            ],
        );
        check(
            "postgresql://a:1,b,[::1]:3/x",
            &[("host", "a,b,::1"), ("port", "1,,3"), ("dbname", "x")],
        );
        check(
            "postgresql://%2Fvar%2Frun/shop",
            &[("host", "/var/run"), ("dbname", "shop")],
        );
        check(
            "postgresql:///shop?host=/tmp&ssl=true",
            &[("dbname", "shop"), ("host", "/tmp"), ("sslmode", "require")],
        );
    }

    #[test]
    fn refused() {
        for (dsn, message) in [
            (
                "shop",
                "missing \"=\" in connection string (a value with spaces needs single quotes)",
            ),
            ("host", "missing \"=\" after \"host\" in connection string"),
            ("hots=db1", "invalid connection option \"hots\""),
            (
                "password='x",
                "unterminated quoted string in connection string",
            ),
            (
                "postgres://a/b?c",
                "missing key/value separator \"=\" in URI query parameter",
            ),
            (
                "postgres://a/b%2",
                "invalid percent-encoded token in the URI",
            ),
            (
                "postgres://a/b%00",
                "forbidden value %00 in percent-encoded value",
            ),
            (
                "postgres://[::1/b",
                "missing \"]\" after an IPv6 address in the URI",
            ),
        ] {
            assert_eq!(parse(dsn).unwrap_err().to_string(), message, "{dsn}");
        }
    }

    #[test]
    fn a_url_that_is_not_understood_is_not_repeated() {
        for (dsn, says) in [
            ("postgis://u:sesame@h/shop?sslmode=prefer", "URL of postgis"),
            ("postgres+psycopg://u:sesame@h/shop", "postgres+psycopg"),
            ("postgre://u:sesame@h/shop?x=1", "URL of postgre"),
            ("postgresql:u:sesame@h/x=1", "which is no word"),
            ("postgres://u:p@sesame@h:5432/shop", "%40 for @"),
            ("postgres://u:open/sesame@h:5432/shop", "%2F for /"),
            ("postgres://u:5432/sesame@h:5432/shop", "%2F for /"),
            ("postgres://u:1/y?sesame=z@h:5432/shop", "%2F for /"),
            ("postgres://u:1/y?sslmode=sesame@h:5432/shop", "%2F for /"),
            ("postgres://u:1/y?sesame=z&a=b@h:5432/shop", "%2F for /"),
        ] {
            let error = parse(dsn).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
            assert!(
                !error.contains("sesame") && !error.contains("open"),
                "{error}"
            );
        }
        check(
            "postgresql://h/shop?user=me@tenant",
            &[("dbname", "shop"), ("host", "h"), ("user", "me@tenant")],
        );
        check(
            "options='-c a.b=http://x' host=h",
            &[("options", "-c a.b=http://x"), ("host", "h")],
        );
    }

    #[test]
    fn a_password_cut_at_a_space_is_not_repeated() {
        for dsn in ["password=open sesame", "password=open sesame=1"] {
            let error = parse(dsn).unwrap_err().to_string();
            assert!(!error.contains("sesame"), "{error}");
        }
    }
}
