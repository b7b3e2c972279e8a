//! Numbers, paths and statements as a person reads them.

use std::path::Path;

/// `12.4 MB`; powers of 1024, as PostgreSQL's pg_size_pretty has them.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if n < 1024 {
        return count(n, "byte");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let unit = UNITS[unit];
    if value < 10.0 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// `0.4 s`, `12 s`, `3 min 05 s`.
pub(crate) fn seconds(s: f64) -> String {
    if s < 0.0005 {
        "0 s".to_owned()
    } else if s < 0.0995 {
        format!("{:.0} ms", s * 1000.0)
    } else if s < 9.95 {
        format!("{s:.1} s")
    } else if s < 119.5 {
        format!("{s:.0} s")
    } else {
        let whole = s.round() as u64;
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

/// `12 s`, `5 min`, `3 h`, `2 d`: how old something is, in its largest unit.
pub(crate) fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `12,345`
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 table`, `3 tables`, `12,345 rows`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {noun}{s}", grouped(n))
}

/// Without the `./` of a path that starts here.
pub(crate) fn path(path: &Path) -> String {
    path.strip_prefix("./")
        .unwrap_or(path)
        .display()
        .to_string()
}

/// SQL with its white space folded, cut where it is too long.
pub(crate) fn one_line(sql: &str, limit: usize) -> String {
    let folded = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    match folded.char_indices().nth(limit) {
        Some((at, _)) => format!("{}…", &folded[..at]),
        None => folded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_one_line_of_a_bounded_length() {
        assert_eq!(one_line("SELECT\n  'é'\t;", 100), "SELECT 'é' ;");
        assert_eq!(one_line("SELECT 'é'", 9), "SELECT 'é…");
        assert_eq!(path(Path::new("./backups/x")), "backups/x");
        assert_eq!(path(Path::new("/a/./x")), "/a/./x");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            (bytes(1).as_str(), bytes(512).as_str()),
            ("1 byte", "512 bytes")
        );
        assert_eq!(bytes(1536), "1.5 kB");
        assert_eq!(bytes(13_000_000), "12 MB");
        assert_eq!(seconds(0.04), "40 ms");
        assert_eq!(seconds(1.25), "1.2 s");
        assert_eq!(seconds(185.0), "3 min 05 s");
        assert_eq!(age(119), "119 s");
        assert_eq!(age(3 * 3600), "3 h");
        assert_eq!(age(9 * 86_400), "9 d");
        assert_eq!(count(1, "row"), "1 row");
        assert_eq!(count(1_234_567, "row"), "1,234,567 rows");
    }
}
