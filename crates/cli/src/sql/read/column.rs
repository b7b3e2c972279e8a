//! Column definitions and constraints, as CREATE TABLE and ALTER TABLE … ADD have them.

use crate::sql::action::{
    CheckTime, Column, Constraint, Descendants, KeySource, Nullability, OnChange, Rule, Validity,
    Value,
};
use crate::sql::cursor::Cursor;
use crate::sql::types;

/// What ends a type or a default expression: the words with which a column's options begin.
const OPTIONS: [&str; 14] = [
    "CONSTRAINT",
    "NOT NULL",
    "NULL",
    "DEFAULT",
    "GENERATED",
    "UNIQUE",
    "PRIMARY KEY",
    "REFERENCES",
    "CHECK",
    "COLLATE",
    "STORAGE",
    "COMPRESSION",
    "DEFERRABLE",
    "OPTIONS",
];

/// `name type [options]`, to the end of the cursor.
pub(super) fn column(cursor: &mut Cursor<'_>) -> Option<Column> {
    let name = cursor.name()?;
    let type_name = cursor.until(at_option).text();
    let mut column = Column {
        name,
        value: if types::is_serial(&type_name) {
            Value::Serial
        } else {
            Value::Nothing
        },
        type_name,
        collation: None,
        calls: Vec::new(),
        sequence: None,
        nullability: Nullability::Null,
        constraints: Vec::new(),
    };
    while !cursor.is_end() {
        option(cursor, &mut column)?;
    }
    (!column.type_name.is_empty()).then_some(column)
}

pub(super) fn at_option(cursor: &Cursor<'_>) -> bool {
    OPTIONS.iter().any(|words| cursor.at_all(words))
}

fn option(cursor: &mut Cursor<'_>, column: &mut Column) -> Option<()> {
    let name = if cursor.take("CONSTRAINT") {
        Some(cursor.name()?)
    } else {
        None
    };
    let mut add = |rule| {
        column.constraints.push(Constraint {
            name: name.clone(),
            rule,
            validity: Validity::Validated,
            check_time: CheckTime::Statement,
            extent: Descendants::Included,
        });
    };
    let choices = [
        "NOT NULL",
        "NULL",
        "DEFAULT",
        "GENERATED",
        "UNIQUE",
        "PRIMARY KEY",
        "REFERENCES",
        "CHECK",
        "COLLATE",
        "STORAGE",
        "COMPRESSION",
        "NOT DEFERRABLE",
        "DEFERRABLE",
        "INITIALLY DEFERRED",
        "INITIALLY IMMEDIATE",
        "NO INHERIT",
        "OPTIONS",
        "NOT ENFORCED",
        "ENFORCED",
    ];
    match cursor.take_any(&choices)? {
        "NOT NULL" => column.nullability = Nullability::NotNull,
        "DEFAULT" => default(cursor, column),
        "GENERATED" => column.value = generated(cursor)?,
        "UNIQUE" => {
            nulls_distinct(cursor);
            index_options(cursor)?;
            add(Rule::Unique(KeySource::Columns(Vec::new())));
        }
        "PRIMARY KEY" => {
            column.nullability = Nullability::NotNull;
            index_options(cursor)?;
            add(Rule::PrimaryKey(KeySource::Columns(Vec::new())));
        }
        "REFERENCES" => add(references(cursor, Vec::new())?),
        "CHECK" => {
            add(check(cursor)?);
        }
        "COLLATE" => column.collation = Some(cursor.relation()?.name().to_owned()),
        "INITIALLY DEFERRED" => {
            if let Some(constraint) = column.constraints.last_mut() {
                constraint.check_time = CheckTime::Commit;
            }
        }
        "STORAGE" | "COMPRESSION" => drop(cursor.name()?),
        "OPTIONS" => drop(cursor.parenthesised()?),
        _ => {}
    }
    Some(())
}

fn default(cursor: &mut Cursor<'_>, column: &mut Column) {
    // `DEFAULT NULL` and `DEFAULT NOT x` begin with words that end an expression elsewhere
    let mut expression = *cursor;
    let first = expression.take_any(&["NOT", "NULL"]);
    let rest = expression.until(at_option);
    *cursor = expression;
    if first != Some("NULL") {
        column.calls = rest.calls();
        column.value = types::default_value(&column.calls);
        column.sequence = rest.named_by("nextval").pop();
    }
}

/// Behind CHECK.
fn check(cursor: &mut Cursor<'_>) -> Option<Rule> {
    let mut inside = cursor.parenthesised()?;
    let words = inside.names();
    while let (Some(inner), true) = (inside.parenthesised(), inside.is_end()) {
        inside = inner;
    }
    let column = inside.name();
    let proves = inside.take("IS NOT NULL") && inside.is_end();
    Some(Rule::Check {
        proves_not_null: column.filter(|_| proves),
        words,
    })
}

fn generated(cursor: &mut Cursor<'_>) -> Option<Value> {
    cursor.take_any(&["ALWAYS", "BY DEFAULT"])?;
    cursor.expect("AS")?;
    if cursor.take("IDENTITY") {
        cursor.parenthesised();
        return Some(Value::Identity);
    }
    cursor.parenthesised()?;
    // without a word it is VIRTUAL from PostgreSQL 18 on, an error before
    Some(if cursor.take("STORED") {
        Value::GeneratedStored
    } else {
        cursor.take("VIRTUAL");
        Value::GeneratedVirtual
    })
}

/// Behind REFERENCES.
fn references(cursor: &mut Cursor<'_>, columns: Vec<String>) -> Option<Rule> {
    let to = cursor.table()?;
    let to_columns = cursor
        .parenthesised()
        .and_then(|mut names| names.list(Cursor::name));
    let (mut on_update, mut on_delete) = (OnChange::Refused, OnChange::Refused);
    loop {
        match cursor.take_any(&["MATCH", "ON DELETE", "ON UPDATE"]) {
            None => break,
            Some("MATCH") => drop(cursor.name()?),
            Some(event) => {
                let action = cursor.take_any(&[
                    "NO ACTION",
                    "RESTRICT",
                    "CASCADE",
                    "SET NULL",
                    "SET DEFAULT",
                ])?;
                cursor.parenthesised();
                let refused = ["NO ACTION", "RESTRICT"].contains(&action);
                let on = match event {
                    "ON DELETE" => &mut on_delete,
                    _ => &mut on_update,
                };
                *on = if refused {
                    OnChange::Refused
                } else {
                    OnChange::Written
                };
            }
        }
    }
    Some(Rule::ForeignKey {
        columns,
        to,
        to_columns: to_columns.unwrap_or_default(),
        on_update,
        on_delete,
    })
}

fn nulls_distinct(cursor: &mut Cursor<'_>) {
    cursor.take_any(&["NULLS NOT DISTINCT", "NULLS DISTINCT"]);
}

/// INCLUDE, WITH and USING INDEX TABLESPACE.
fn index_options(cursor: &mut Cursor<'_>) -> Option<()> {
    loop {
        match cursor.take_any(&["INCLUDE", "WITH", "USING INDEX TABLESPACE"]) {
            None => return Some(()),
            Some("USING INDEX TABLESPACE") => drop(cursor.name()?),
            Some(_) => drop(cursor.parenthesised()?),
        }
    }
}

/// `[CONSTRAINT name] rule [options]`, to the end of the cursor.
pub(super) fn constraint(cursor: &mut Cursor<'_>) -> Option<Constraint> {
    let name = if cursor.take("CONSTRAINT") {
        Some(cursor.name()?)
    } else {
        None
    };
    let rule = rule(cursor)?;
    let mut validity = Validity::Validated;
    let (mut check_time, mut extent) = (CheckTime::Statement, Descendants::Included);
    let choices = [
        "NOT VALID",
        "NOT DEFERRABLE",
        "DEFERRABLE",
        "INITIALLY DEFERRED",
        "INITIALLY IMMEDIATE",
        "NO INHERIT",
        "NOT ENFORCED",
        "ENFORCED",
    ];
    while !cursor.is_end() {
        match cursor.take_any(&choices)? {
            "NOT VALID" | "NOT ENFORCED" => validity = Validity::NotValid,
            "INITIALLY DEFERRED" => check_time = CheckTime::Commit,
            "NO INHERIT" => extent = Descendants::Left,
            _ => {}
        }
    }
    Some(Constraint {
        name,
        rule,
        validity,
        check_time,
        extent,
    })
}

fn rule(cursor: &mut Cursor<'_>) -> Option<Rule> {
    match cursor.take_any(&[
        "CHECK",
        "UNIQUE",
        "PRIMARY KEY",
        "FOREIGN KEY",
        "EXCLUDE",
        "NOT NULL",
    ])? {
        "CHECK" => check(cursor),
        "UNIQUE" => key(cursor).map(Rule::Unique),
        "PRIMARY KEY" => key(cursor).map(Rule::PrimaryKey),
        "FOREIGN KEY" => {
            let columns = cursor
                .parenthesised()?
                .list(Cursor::name)
                .unwrap_or_default();
            cursor.expect("REFERENCES")?;
            references(cursor, columns)
        }
        "NOT NULL" => Some(Rule::NotNull {
            column: cursor.name()?,
        }),
        _ => {
            if cursor.take("USING") {
                cursor.name()?;
            }
            cursor.parenthesised()?;
            index_options(cursor)?;
            if cursor.take("WHERE") {
                cursor.parenthesised()?;
            }
            Some(Rule::Exclude)
        }
    }
}

/// Behind UNIQUE and PRIMARY KEY.
fn key(cursor: &mut Cursor<'_>) -> Option<KeySource> {
    if cursor.take("USING INDEX") {
        return cursor.name().map(KeySource::Index);
    }
    nulls_distinct(cursor);
    let columns = cursor.parenthesised()?.comma_parts();
    // WITHOUT OVERLAPS stands behind the last one
    let columns = columns.into_iter().filter_map(|mut column| column.name());
    index_options(cursor)?;
    Some(KeySource::Columns(columns.collect()))
}
