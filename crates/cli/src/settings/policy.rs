//! `[[tool.django-migrate.policy]]` and `[[tool.django-migrate.waivers]]` of pyproject.toml.
//!
//! Whatever is not understood is refused with its place: a rule that is silently nothing would be a false comfort.
//! Absent: what they do (`policy`).

use serde::Deserialize;
use wildmatch::WildMatch;

use super::layers::distance;
use crate::exit::Class;
use crate::failure::Failure;
use crate::hazards::{self, Severity, beyond};
use crate::names::MigrationId;
use crate::policy::{Policy, Rule, Scope, TablePattern, Waiver};

/// The keys of the section that are lists of tables.
pub(super) const KEYS: [&str; 2] = ["policy", "waivers"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    #[serde(default)]
    code: OneOrMore,
    #[serde(default)]
    app: OneOrMore,
    #[serde(default)]
    table: OneOrMore,
    smaller_than: Option<String>,
    larger_than: Option<String>,
    severity: Severity,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WaiverText {
    code: String,
    migration: Option<String>,
    statement: Option<String>,
    sql: Option<String>,
    reason: String,
    expires: toml::Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    #[default]
    None,
    One(String),
    More(Vec<String>),
}

impl From<OneOrMore> for Vec<String> {
    fn from(said: OneOrMore) -> Self {
        match said {
            OneOrMore::None => Self::new(),
            OneOrMore::One(one) => vec![one],
            OneOrMore::More(more) => more,
        }
    }
}

/// What the two lists say; either may be missing. Errors name the place as `waivers[2]`, from 1.
pub(super) fn policy(
    policy: Option<toml::Value>,
    waivers: Option<toml::Value>,
) -> Result<Policy, Failure> {
    Ok(Policy {
        rules: each("policy", policy, rule)?,
        waivers: each("waivers", waivers, waiver)?,
    })
}

fn each<T, R: for<'de> Deserialize<'de>>(
    key: &str,
    list: Option<toml::Value>,
    of: fn(R, &str) -> Result<T, String>,
) -> Result<Vec<T>, Failure> {
    let entries = match list {
        None => Vec::new(),
        Some(toml::Value::Array(entries)) => entries,
        Some(_) => {
            return Err(refused(key, format!("write [[tool.django-migrate.{key}]]")));
        }
    };
    let entry = |(n, entry): (usize, toml::Value)| {
        let place = format!("{key}[{}]", n + 1);
        let said = entry
            .try_into::<R>()
            .map_err(|e| refused(&place, e.message().to_owned()))?;
        of(said, &place).map_err(|why| refused(&place, why))
    };
    entries.into_iter().enumerate().map(entry).collect()
}

fn refused(place: &str, why: impl std::fmt::Display) -> Failure {
    Failure::new(
        Class::Settings,
        format!("tool.django-migrate.{place} in pyproject.toml: {why}"),
    )
}

fn rule(said: RuleText, _: &str) -> Result<Rule, String> {
    let codes: Vec<String> = said.code.into();
    for code in &codes {
        is_code(code)?;
        if let Some(least) = hazards::least(code).filter(|least| said.severity < *least) {
            return Err(format!("{code} is never less than {least}"));
        }
    }
    let bytes = |text: Option<String>| text.as_deref().map(bytes).transpose();
    let tables: Vec<String> = said.table.into();
    let rule = Rule {
        codes,
        apps: said.app.into(),
        tables: tables
            .iter()
            .map(|table| TablePattern(WildMatch::new(table)))
            .collect(),
        smaller_than: bytes(said.smaller_than)?,
        larger_than: bytes(said.larger_than)?,
        severity: said.severity,
    };
    match (rule.larger_than, rule.smaller_than) {
        (Some(least), Some(most)) if least >= most => {
            Err("nothing is larger_than and smaller_than these".to_owned())
        }
        _ => Ok(rule),
    }
}

fn waiver(said: WaiverText, place: &str) -> Result<Waiver, String> {
    is_code(&said.code)?;
    if hazards::least(&said.code) == Some(Severity::Stop) {
        return Err(format!("{} cannot work: no waiver helps", said.code));
    }
    if said.reason.trim().is_empty() {
        return Err("say a reason".to_owned());
    }
    let scope = match (said.migration, said.statement, said.sql) {
        (Some(migration), None, sql) => Scope::Migration {
            id: migration_id(&migration)?,
            sql,
        },
        (None, Some(statement), None) => Scope::Statement(statement),
        (None, Some(_), Some(_)) => {
            return Err("`statement` is the hash already: leave `sql` out".to_owned());
        }
        (Some(_), Some(_), _) => return Err("say migration or statement, not both".to_owned()),
        (None, None, _) => {
            return Err(
                "say migration = \"app.0001_name\", or statement = \"its hash\"".to_owned(),
            );
        }
    };
    Ok(Waiver {
        code: said.code,
        scope,
        reason: said.reason,
        expires: date(&said.expires)?,
        place: place.to_owned(),
    })
}

fn is_code(code: &str) -> Result<(), String> {
    let hazards = hazards::all().iter().map(|hazard| hazard.code);
    let known = || hazards.clone().chain(beyond::all().map(|row| row.code));
    if known().any(|one| one == code) {
        return Ok(());
    }
    let nearest = known().min_by_key(|one| distance(one, code));
    Err(format!(
        "`{code}` is no code; the nearest is {}",
        nearest.unwrap_or_default()
    ))
}

fn migration_id(text: &str) -> Result<MigrationId, String> {
    match text.split_once('.') {
        Some((app, name)) if !app.is_empty() && !name.is_empty() && !name.contains('.') => {
            Ok(MigrationId::new(app, name))
        }
        _ => Err(format!("`{text}` is no migration: write app.0001_name")),
    }
}

/// A date of TOML, or its text.
fn date(value: &toml::Value) -> Result<jiff::civil::Date, String> {
    let text = match value {
        toml::Value::Datetime(date) => date.to_string(),
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.parse()
        .map_err(|_| format!("expires = {text} is no date: write expires = 2027-01-31"))
}

/// As pg_size_bytes() reads it: powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: Option<u64> = text[..digits].parse().ok();
    let power = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => Some(0),
        "kb" => Some(1),
        "mb" => Some(2),
        "gb" => Some(3),
        "tb" => Some(4),
        _ => None,
    };
    let size = number
        .zip(power)
        .and_then(|(number, power)| number.checked_mul(1024_u64.checked_pow(power)?));
    size.ok_or_else(|| format!("`{text}` is no size: write 500 kB, 20 MB, 3 GB"))
}

#[cfg(test)]
mod tests {
    use super::super::Layers;
    use super::bytes;

    fn refused(section: &str) -> String {
        Layers::of(&[], section).unwrap_err().message
    }

    const WAIVER: &str = "[[tool.django-migrate.waivers]]\ncode = \"add-check\"\nmigration = \"shop.0002_x\"\n\
                          reason = \"read it\"\nexpires = 2027-01-31\n";

    #[test]
    fn rules_and_waivers_are_read() {
        let text = format!(
            "{WAIVER}\n[[tool.django-migrate.policy]]\ncode = [\"create-index\", \"add-check\"]\napp = \"shop\"\n\
             table = \"public.shop_*\"\nsmaller_than = \"20 MB\"\nseverity = \"note\"\n"
        );
        let layers = Layers::of(&[], &text).unwrap();
        let policy = layers.policy();
        assert_eq!(policy.rules[0].smaller_than, Some(20 << 20));
        assert_eq!(policy.waivers[0].expires.to_string(), "2027-01-31");
        assert_eq!(policy.waivers[0].place, "waivers[1]");
    }

    #[test]
    fn whatever_is_not_understood_is_refused_by_its_place() {
        let rule = |lines: &str| refused(&format!("[[tool.django-migrate.policy]]\n{lines}\n"));
        let cases = [
            (
                rule("code = \"add-chek\"\nseverity = \"note\""),
                "nearest is add-check",
            ),
            (
                rule("code = \"drop-column\"\nseverity = \"note\""),
                "never less than ask",
            ),
            (
                rule("code = \"not-in-transaction\"\nseverity = \"ask\""),
                "never less than stop",
            ),
            (
                rule("cod = \"add-check\"\nseverity = \"note\""),
                "unknown field `cod`",
            ),
            (rule("code = \"add-check\""), "missing field `severity`"),
            (
                rule("smaller_than = \"big\"\nseverity = \"note\""),
                "is no size",
            ),
            (rule("severity = \"quiet\""), "unknown variant `quiet`"),
            (
                refused("[tool.django-migrate]\npolicy = 3\n"),
                "write [[tool.django-migrate.policy]]",
            ),
            (refused(&WAIVER.replace("read it", " ")), "say a reason"),
            (
                refused(&WAIVER.replace("2027-01-31", "\"soon\"")),
                "no date",
            ),
            (
                refused(&WAIVER.replace("shop.0002_x", "0002")),
                "is no migration",
            ),
            (
                refused(&WAIVER.replace("add-check", "no-way-back")),
                "no waiver helps",
            ),
            (
                refused(&WAIVER.replace("expires = 2027-01-31", "")),
                "missing field `expires`",
            ),
            (
                refused(&WAIVER.replace("migration = \"shop.0002_x\"\n", "")),
                "say migration",
            ),
        ];
        for (message, part) in cases {
            assert!(message.contains(part), "{part}: {message}");
            assert!(message.contains("tool.django-migrate."), "{message}");
        }
    }

    #[test]
    fn sizes_are_read_as_the_server_reads_them() {
        assert_eq!(bytes("8192"), Ok(8192));
        assert_eq!(bytes("10 kB"), Ok(10_240));
        assert_eq!(bytes("1GB"), Ok(1 << 30));
        assert!(bytes("1.5 GB").is_err() && bytes("99999999 TB").is_err() && bytes("").is_err());
    }
}
