//! `pg_service.conf`: named sets of keywords, by libpq's rules (`parseServiceFile` in `fe-connect.c`).
//!
//! Absent: LDAP look-ups; a line with one is refused rather than skipped.

use std::collections::BTreeMap;

use super::error::OptionsError;

/// The keywords of `[name]`; none where the file has no such section.
pub(super) fn section(
    text: &str,
    name: &str,
) -> Result<Option<BTreeMap<String, String>>, OptionsError> {
    let mut found = None;
    let mut inside = false;
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(header) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            inside = header.strip_suffix(']') == Some(name);
            found = inside.then(BTreeMap::new);
        } else if let (true, Some(keywords)) = (inside, found.as_mut()) {
            let (key, value) = pair(line, name)?;
            // the first value of a keyword counts
            keywords
                .entry(key.to_owned())
                .or_insert_with(|| value.to_owned());
        }
    }
    Ok(found)
}

fn pair<'a>(line: &'a str, name: &str) -> Result<(&'a str, &'a str), OptionsError> {
    if line.starts_with("ldap") {
        return Err(OptionsError::of(
            "service",
            format!("service \"{name}\": LDAP look-ups are not supported"),
        ));
    }
    match line.split_once('=') {
        Some(("service", _)) => Err(OptionsError::of(
            "service",
            format!("service \"{name}\": nested service specifications"),
        )),
        Some((key, value)) => Ok((key, value)),
        None => Err(OptionsError::of(
            "service",
            format!("syntax error in the definition of service \"{name}\""),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::section;

    const FILE: &str = "# shops\n[shop]\nhost=db1\nport=5433\nhost=db9\n\n  [other]\nhost=db2\n[bad]\nnonsense\n[l]\nldap://x\n";

    #[test]
    fn sections() {
        let shop = section(FILE, "shop").unwrap().unwrap();
        assert_eq!(shop["host"], "db1");
        assert_eq!(shop["port"], "5433");
        assert_eq!(section(FILE, "other").unwrap().unwrap()["host"], "db2");
        assert_eq!(section(FILE, "none").unwrap(), None);
        assert_eq!(
            section(FILE, "bad").unwrap_err().to_string(),
            "syntax error in the definition of service \"bad\""
        );
        assert!(section(FILE, "l").is_err());
    }
}
