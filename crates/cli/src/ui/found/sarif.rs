//! SARIF 2.1.0, as code scanning takes it: a rule for each code, a result for each finding.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Found, Place, message};
use crate::hazards::{self, Severity, beyond};
use crate::sql::words;

pub(crate) fn sarif(places: &[Place<'_>]) -> Value {
    let rules = rules();
    let mut seen = BTreeMap::new();
    let mut results = Vec::new();
    for place in places {
        for found in &place.findings {
            let mut result = result(place, found, &mut seen);
            let is_it = |rule: &Value| rule["id"] == found.finding.code;
            if let Some(index) = rules.iter().position(is_it) {
                result["ruleIndex"] = json!(index);
            }
            results.push(result);
        }
    }
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "django-migrate",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rules() -> Vec<Value> {
    let hazards = hazards::all().iter().map(|hazard| {
        json!({
            "id": hazard.code,
            "shortDescription": {"text": hazard.title},
            "fullDescription": {"text": format!("{} {}", hazard.happens, hazard.hurts)},
            "help": {"text": hazard.safer, "markdown": hazards::page(hazard)},
            "defaultConfiguration": {"level": level(hazards::severity(hazard.code))},
        })
    });
    let beyond = beyond::all().map(|row| {
        json!({
            "id": row.code,
            "shortDescription": {"text": row.meaning},
            "help": {"text": row.remedy},
            "defaultConfiguration": {"level": level(row.severity)},
        })
    });
    hazards.chain(beyond).collect()
}

/// How often a finding's words came up so far.
type Seen = BTreeMap<String, usize>;

fn result(place: &Place<'_>, found: &Found<'_>, seen: &mut Seen) -> Value {
    let mut result = json!({
        "ruleId": found.finding.code,
        "level": level(found.finding.severity),
        "message": {"text": message(found.finding)},
        "partialFingerprints": {"statement/v1": fingerprint(place, found, seen)},
    });
    let mut location = json!({
        "logicalLocations": [{"fullyQualifiedName": place.of, "name": place.name}],
    });
    if let Some(path) = &place.path {
        let mut physical = json!({"artifactLocation": {"uri": uri(path)}});
        if let Some(region) = region(place, found) {
            physical["region"] = region;
        }
        location["physicalLocation"] = physical;
    }
    result["locations"] = json!([location]);
    result
}

fn region(place: &Place<'_>, found: &Found<'_>) -> Option<Value> {
    let lines = place.region.as_ref()?;
    Some(match &found.within {
        Some(within) => json!({
            "startLine": within.begin.0, "startColumn": within.begin.1,
            "endLine": within.end.0, "endColumn": within.end.1,
        }),
        None => json!({"startLine": lines.first, "endLine": lines.last}),
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Ask => "warning",
        Severity::Stop => "error",
    }
}

/// The same wherever the statement stands and however it is indented; the same statement again has another one.
fn fingerprint(place: &Place<'_>, found: &Found<'_>, seen: &mut Seen) -> String {
    let relation = found.finding.relation.as_ref().map(ToString::to_string);
    let sql = place.sql.map(|sql| words(sql).join(" "));
    let about = relation.or_else(|| sql.is_none().then(|| found.finding.message.clone()));
    let what = [
        place.of.as_str(),
        found.finding.code,
        &about.unwrap_or_default(),
        &sql.unwrap_or_default(),
    ]
    .join("\0");
    let nth = seen.entry(what.clone()).or_default();
    *nth += 1;
    let hash = Sha256::digest(format!("{what}\0{nth}"));
    hash.iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A relative or absolute reference, RFC 3986: what a path may not hold as it is goes by its bytes.
fn uri(path: &str) -> String {
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    path.bytes().fold(scheme.to_owned(), |mut uri, byte| {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            _ => drop(write!(uri, "%{byte:02X}")),
        }
        uri
    })
}
