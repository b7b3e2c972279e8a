//! Column definitions and constraints, as CREATE TABLE and ALTER TABLE … ADD have them.

use crate::sql::action::{Column, Constraint, KeySource, Nullability, Rule, Validity, Value};
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
        nullability: Nullability::Null,
        constraints: Vec::new(),
    };
    while !cursor.is_end() {
        option(cursor, &mut column)?;
    }
    (!column.type_name.is_empty()).then_some(column)
}

fn at_option(cursor: &Cursor<'_>) -> bool {
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
        "DEFAULT" => column.value = default(cursor),
        "GENERATED" => column.value = generated(cursor)?,
        "UNIQUE" => {
            nulls_distinct(cursor);
            index_options(cursor)?;
            add(Rule::Unique(KeySource::Columns));
        }
        "PRIMARY KEY" => {
            column.nullability = Nullability::NotNull;
            index_options(cursor)?;
            column.constraints.push(Constraint {
                name,
                rule: Rule::PrimaryKey(KeySource::Columns),
                validity: Validity::Validated,
            });
        }
        "REFERENCES" => add(references(cursor, Vec::new())?),
        "CHECK" => {
            cursor.parenthesised()?;
            add(Rule::Check);
        }
        "COLLATE" => drop(cursor.relation()?),
        "STORAGE" | "COMPRESSION" => drop(cursor.name()?),
        "OPTIONS" => drop(cursor.parenthesised()?),
        _ => {}
    }
    Some(())
}

fn default(cursor: &mut Cursor<'_>) -> Value {
    // `DEFAULT NULL` and `DEFAULT NOT x` begin with words that end an expression elsewhere
    let mut expression = *cursor;
    let first = expression.take_any(&["NOT", "NULL"]);
    let rest = expression.until(at_option);
    *cursor = expression;
    match first {
        Some("NULL") => Value::Nothing,
        _ => types::default_value(&rest.calls()),
    }
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
    cursor.parenthesised();
    loop {
        match cursor.take_any(&["MATCH", "ON DELETE", "ON UPDATE"]) {
            None => return Some(Rule::ForeignKey { columns, to }),
            Some("MATCH") => drop(cursor.name()?),
            Some(_) => {
                cursor.take_any(&[
                    "NO ACTION",
                    "RESTRICT",
                    "CASCADE",
                    "SET NULL",
                    "SET DEFAULT",
                ])?;
                cursor.parenthesised();
            }
        }
    }
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
            _ => {}
        }
    }
    Some(Constraint {
        name,
        rule,
        validity,
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
        "CHECK" => {
            cursor.parenthesised()?;
            Some(Rule::Check)
        }
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
        "NOT NULL" => {
            cursor.name()?;
            Some(Rule::NotNull)
        }
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
        cursor.name()?;
        return Some(KeySource::Index);
    }
    nulls_distinct(cursor);
    cursor.parenthesised()?;
    index_options(cursor)?;
    Some(KeySource::Columns)
}
