//! What is known of PostgreSQL's types and functions without asking a server.

use super::action::{Knowledge, Using, Value};

/// `serial` and its like: a default of nextval.
pub(super) fn is_serial(type_name: &str) -> bool {
    [
        "serial",
        "serial2",
        "serial4",
        "serial8",
        "bigserial",
        "smallserial",
    ]
    .contains(&type_name)
}

/// Functions of pg_catalog that are immutable or stable (pg_proc.provolatile `i` or `s`), and words that stand before
/// a parenthesis without being functions.
const NOT_VOLATILE: [&str; 62] = [
    "abs",
    "age",
    "and",
    "any",
    "array",
    "array_append",
    "array_length",
    "array_to_json",
    "btrim",
    "cast",
    "ceil",
    "char_length",
    "character_length",
    "coalesce",
    "concat",
    "concat_ws",
    "convert_from",
    "current_database",
    "current_setting",
    "current_time",
    "current_timestamp",
    "date_part",
    "date_trunc",
    "decode",
    "encode",
    "exists",
    "extract",
    "floor",
    "format",
    "greatest",
    "in",
    "json_build_array",
    "json_build_object",
    "jsonb_build_array",
    "jsonb_build_object",
    "least",
    "left",
    "length",
    "localtime",
    "localtimestamp",
    "lower",
    "lpad",
    "make_date",
    "make_interval",
    "md5",
    "not",
    "now",
    "nullif",
    "or",
    "position",
    "replace",
    "right",
    "round",
    "row",
    "sha256",
    "statement_timestamp",
    "substring",
    "to_char",
    "to_jsonb",
    "transaction_timestamp",
    "trim",
    "upper",
];

/// Functions that are volatile, so that a default of them is computed for each row.
const VOLATILE: [&str; 12] = [
    "clock_timestamp",
    "gen_random_bytes",
    "gen_random_uuid",
    "nextval",
    "random",
    "random_normal",
    "setval",
    "timeofday",
    "uuid_generate_v1",
    "uuid_generate_v4",
    "uuidv4",
    "uuidv7",
];

/// What a default does to the rows that exist, by the functions that it calls. One that is not known is taken for
/// volatile: a rewrite that does not happen is a question too many, the other way round an outage.
pub(super) fn default_value(calls: &[String]) -> Value {
    let volatile = |name: &&String| !is_steady(name);
    match calls.iter().find(volatile) {
        None => Value::Default,
        Some(function) => Value::VolatileDefault {
            function: function.clone(),
            known: if VOLATILE.contains(&function.as_str()) {
                Knowledge::Known
            } else {
                Knowledge::Assumed
            },
        },
    }
}

/// A type with a modifier: `interval(0)`, `numeric(8, 2)`.
fn is_typed_literal(name: &str) -> bool {
    [
        "varchar",
        "char",
        "character",
        "numeric",
        "decimal",
        "bit",
        "varbit",
        "interval",
        "time",
        "timestamp",
        "timestamptz",
    ]
    .contains(&name)
}

/// Functions with which migrations read and write and whose effect a text shows: everything else in a query is said
/// to be unknown.
const HARMLESS: [&str; 46] = [
    "avg",
    "array_agg",
    "bool_and",
    "bool_or",
    "cardinality",
    "chr",
    "ascii",
    "clock_timestamp",
    "count",
    "currval",
    "dense_rank",
    "first_value",
    "gen_random_uuid",
    "generate_series",
    "initcap",
    "json_agg",
    "jsonb_agg",
    "jsonb_array_elements",
    "jsonb_each",
    "jsonb_set",
    "jsonb_strip_nulls",
    "jsonb_typeof",
    "lag",
    "last_value",
    "lastval",
    "lead",
    "max",
    "min",
    "mod",
    "nextval",
    "pg_get_serial_sequence",
    "power",
    "rank",
    "regexp_matches",
    "regexp_replace",
    "row_number",
    "row_to_json",
    "rpad",
    "set_config",
    "setval",
    "split_part",
    "string_agg",
    "strpos",
    "sum",
    "unnest",
    "uuid_generate_v4",
];

/// The function does nothing beside what its query shows.
pub(super) fn is_harmless(function: &str) -> bool {
    HARMLESS.contains(&function)
        || NOT_VOLATILE.contains(&function)
        || VOLATILE.contains(&function)
        || is_typed_literal(function)
}

/// What a change of a column's type does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TypeChange {
    pub(super) storage: Storage,
    pub(super) fit: Fit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    /// The table's file stays.
    Kept,
    /// The file is written anew, or nobody knows that it is not.
    Rewritten,
}

/// What becomes of values that the new type cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// There are none, or the statement fails on them.
    Whole,
    /// They are cut or rounded without a word.
    Cuts,
}

/// The old type and the new, domains looked through.
pub(super) struct Bases {
    /// None where nobody knows.
    pub(super) from: Option<String>,
    pub(super) to: String,
    /// The session's time zone is UTC: a timestamp and a timestamptz are the same bytes.
    pub(super) is_utc: bool,
}

pub(super) fn change(bases: &Bases, using: Using) -> TypeChange {
    let to = Type::parse(&bases.to);
    let Some(from) = bases.from.as_deref().map(Type::parse) else {
        // a cast that is spelled out cuts in silence; only what it can cut is asked about
        let cuts = using != Using::Nothing && to.is_bounded();
        return TypeChange {
            storage: Storage::Rewritten,
            fit: if cuts { Fit::Cuts } else { Fit::Whole },
        };
    };
    let same_bytes = bases.is_utc && is_same_in_utc(&from, &to);
    let kept = using != Using::Expression && (keeps_storage(&from, &to) || same_bytes);
    let fits = from == to || kept || !cuts(&from, &to, using);
    TypeChange {
        storage: if kept {
            Storage::Kept
        } else {
            Storage::Rewritten
        },
        fit: if fits { Fit::Whole } else { Fit::Cuts },
    }
}

/// Source: TimestampTimestampTzRequiresRewrite, since PostgreSQL 12.
fn is_same_in_utc(from: &Type, to: &Type) -> bool {
    let pair = (from.base.as_str(), to.base.as_str());
    let is_pair = matches!(
        pair,
        ("timestamp", "timestamptz") | ("timestamptz", "timestamp")
    );
    is_pair && !from.is_array && !to.is_array && from.modifiers == to.modifiers
}

/// Indexes of both types compare by the same operators, so that an index need not be built anew.
pub(super) fn same_operators(from: &str, to: &str) -> bool {
    let (from, to) = (Type::parse(from), Type::parse(to));
    let class = |of: &Type| {
        match of.base.as_str() {
            "text" | "varchar" => "text",
            "cidr" | "inet" => "inet",
            other => other,
        }
        .to_owned()
    };
    from.is_array == to.is_array && class(&from) == class(&to)
}

/// What the values of a narrower type may not be more than.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Characters.
    Length(u32),
    Range(i64, i64),
    /// Precision and scale.
    Digits(u32, u32),
}

/// What an old value has to keep to in order to become one of the new type; none where every one does, or where nobody here
/// knows.
pub(crate) fn bound(from: &str, to: &str) -> Option<Bound> {
    let (from, to) = (Type::parse(from), Type::parse(to));
    if from.is_array || to.is_array {
        return None;
    }
    let range = |of: &Type| match of.base.as_str() {
        "smallint" => Some((i64::from(i16::MIN), i64::from(i16::MAX))),
        "integer" => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        "bigint" => Some((i64::MIN, i64::MAX)),
        _ => None,
    };
    const TEXTS: [&str; 4] = ["varchar", "text", "citext", "char"];
    if from.is(&TEXTS) && to.is(&["varchar", "char"]) {
        let length = *to.modifiers.first()?;
        let fits = from.modifiers.first().is_some_and(|old| *old <= length);
        return (!fits).then_some(Bound::Length(length));
    }
    if let (Some(old), Some((least, most))) = (range(&from), range(&to)) {
        return (old.1 > most).then_some(Bound::Range(least, most));
    }
    let is_number = range(&from).is_some() || from.is(&["numeric", "double precision", "real"]);
    if is_number && to.is(&["numeric"]) {
        let precision = *to.modifiers.first()?;
        let new_scale = scale(&to.modifiers[1..]);
        let fits = from.is(&["numeric"])
            && from.modifiers.first().is_some_and(|old| {
                old - scale(&from.modifiers[1..]) <= precision - new_scale
                    && scale(&from.modifiers[1..]) <= new_scale
            });
        return (!fits).then_some(Bound::Digits(precision, new_scale));
    }
    if let (true, Some((least, most))) = (
        from.is(&["numeric", "double precision", "real"]),
        range(&to),
    ) {
        return Some(Bound::Range(least, most));
    }
    None
}

/// Values of one are values of the other, as far as they are not too long or too great.
pub(crate) fn same_family(from: &str, to: &str) -> bool {
    let (from, to) = (Type::parse(from), Type::parse(to));
    let family = |of: &Type| {
        match of.base.as_str() {
            "varchar" | "text" | "char" => "text",
            "smallint" | "integer" | "bigint" | "numeric" => "number",
            other => other,
        }
        .to_owned()
    };
    from.is_array == to.is_array && family(&from) == family(&to)
}

/// The types that a sequence may have.
pub(super) fn is_integer(type_name: &str) -> bool {
    Type::parse(type_name).is(&["smallint", "integer", "bigint"])
}

/// One of PostgreSQL's functions that give the same value for every row of a statement.
pub(super) fn is_steady(function: &str) -> bool {
    NOT_VOLATILE.contains(&function) || is_typed_literal(function)
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Type {
    /// The name that PostgreSQL shows, without modifiers.
    base: String,
    modifiers: Vec<u32>,
    is_array: bool,
}

impl Type {
    fn parse(text: &str) -> Self {
        let text = text.trim().to_ascii_lowercase();
        let (head, rest) = text.split_once('(').unwrap_or((&text, ""));
        let (inside, tail) = rest.split_once(')').unwrap_or(("", ""));
        let is_array = text.ends_with(']') || text.ends_with(" array");
        let name = format!(
            "{} {}",
            head.split('[').next().unwrap_or_default().trim(),
            tail.split('[').next().unwrap_or_default().trim()
        );
        Self {
            base: canonical(name.trim()).to_owned(),
            modifiers: inside
                .split(',')
                .filter_map(|part| part.trim().parse().ok())
                .collect(),
            is_array,
        }
    }

    fn is(&self, bases: &[&str]) -> bool {
        !self.is_array && bases.contains(&self.base.as_str())
    }

    /// Values of other types may not fit, and would be cut or rounded rather than refused.
    fn is_bounded(&self) -> bool {
        !self.modifiers.is_empty()
            || self.is(&[
                "char", "smallint", "integer", "real", "date", "time", "boolean",
            ])
    }
}

/// One name for each type that has several.
fn canonical(name: &str) -> &str {
    match name.strip_prefix("pg_catalog.").unwrap_or(name) {
        "character varying" => "varchar",
        "character" | "bpchar" => "char",
        "int" | "int4" | "serial" | "serial4" => "integer",
        "int8" | "bigserial" | "serial8" => "bigint",
        "int2" | "smallserial" | "serial2" => "smallint",
        "decimal" => "numeric",
        "bool" => "boolean",
        "float8" | "float" => "double precision",
        "float4" => "real",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        "time without time zone" => "time",
        "time with time zone" => "timetz",
        "bit varying" => "varbit",
        other => other,
    }
}

/// The pairs that PostgreSQL 15 and 18 were seen to change without a new file.
fn keeps_storage(from: &Type, to: &Type) -> bool {
    if from.is_array || to.is_array {
        return from == to;
    }
    let length = |of: &Type| of.modifiers.first().copied();
    match (from.base.as_str(), to.base.as_str()) {
        ("varchar" | "text" | "citext", "text" | "citext") => true,
        ("text" | "citext", "varchar") => to.modifiers.is_empty(),
        ("varchar", "varchar")
        | ("varbit", "varbit")
        | ("timestamp", "timestamp")
        | ("timestamptz", "timestamptz")
        | ("time", "time")
        | ("interval", "interval") => match (length(from), length(to)) {
            (_, None) => true,
            (Some(old), Some(new)) => new >= old,
            (None, Some(_)) => false,
        },
        ("numeric", "numeric") => match (from.modifiers.as_slice(), to.modifiers.as_slice()) {
            (_, []) => true,
            ([old, old_scale @ ..], [new, new_scale @ ..]) => {
                new >= old && scale(old_scale) == scale(new_scale)
            }
            ([], _) => false,
        },
        ("cidr", "inet") => true,
        _ => from == to,
    }
}

fn scale(modifiers: &[u32]) -> u32 {
    modifiers.first().copied().unwrap_or(0)
}

/// An assignment cast refuses text that is too long and numbers that are too great, but rounds fractions and forgets the
/// time of a day; a cast that is spelled out also cuts text.
fn cuts(from: &Type, to: &Type, using: Using) -> bool {
    const TEXTS: [&str; 4] = ["varchar", "text", "citext", "char"];
    const FRACTIONS: [&str; 3] = ["numeric", "double precision", "real"];
    const WHOLE: [&str; 3] = ["smallint", "integer", "bigint"];
    let cuts_text =
        using != Using::Nothing && to.is(&["varchar", "char"]) && !to.modifiers.is_empty();
    if cuts_text && from.is(&TEXTS) {
        let shorter = match (from.modifiers.first(), to.modifiers.first()) {
            (Some(old), Some(new)) => new < old,
            _ => true,
        };
        return shorter;
    }
    let rounds = from.is(&FRACTIONS) && to.is(&WHOLE)
        || from.is(&["numeric"]) && to.is(&["numeric"]) && scale_of(to) < scale_of(from)
        || from.is(&["double precision"]) && to.is(&["real", "numeric"])
        || from.is(&["numeric"]) && to.is(&["real", "double precision"]);
    let forgets = from.is(&["timestamp", "timestamptz"]) && to.is(&["date", "time", "timetz"])
        || from.is(&["timestamp", "timestamptz", "time"])
            && !to.modifiers.is_empty()
            && from.base == to.base
        || from.is(&["interval"]) && to.is(&["time"]);
    let collapses = to.is(&["boolean"]) && from.is(&WHOLE);
    cuts_text || rounds || forgets || collapses || using == Using::Expression
}

/// Digits behind the point; without a modifier there is no limit.
fn scale_of(numeric: &Type) -> u32 {
    if numeric.modifiers.is_empty() {
        u32::MAX
    } else {
        scale(&numeric.modifiers[1..])
    }
}

/// Types of PostgreSQL and of the extensions that Django projects use: none of them is a domain with a constraint.
const KNOWN: [&str; 66] = [
    "bigint",
    "bit",
    "boolean",
    "box",
    "box2d",
    "box3d",
    "bytea",
    "char",
    "cidr",
    "circle",
    "citext",
    "date",
    "datemultirange",
    "daterange",
    "double precision",
    "geography",
    "geometry",
    "halfvec",
    "hstore",
    "inet",
    "int4multirange",
    "int4range",
    "int8multirange",
    "int8range",
    "integer",
    "interval",
    "json",
    "jsonb",
    "jsonpath",
    "line",
    "lquery",
    "lseg",
    "ltree",
    "ltxtquery",
    "macaddr",
    "macaddr8",
    "money",
    "name",
    "numeric",
    "nummultirange",
    "numrange",
    "oid",
    "path",
    "pg_lsn",
    "point",
    "polygon",
    "raster",
    "real",
    "regclass",
    "smallint",
    "sparsevec",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "timetz",
    "tsmultirange",
    "tsquery",
    "tsrange",
    "tstzmultirange",
    "tstzrange",
    "tsvector",
    "uuid",
    "varbit",
    "varchar",
    "vector",
];

/// The type is no domain; what is not known may be one.
pub(super) fn is_known(type_name: &str) -> bool {
    let parsed = Type::parse(type_name);
    let base = parsed
        .base
        .strip_prefix("public.")
        .unwrap_or(&parsed.base)
        .trim_matches('"');
    KNOWN.contains(&base) || base.starts_with("interval ")
}
