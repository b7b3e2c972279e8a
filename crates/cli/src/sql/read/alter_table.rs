//! ALTER TABLE, action by action: one that cannot be read does not hide the others.

use super::alter::all_in_tablespace;
use super::column::{column, constraint};
use crate::sql::action::{Action, Behavior, Change, Descendants, Method, Using};
use crate::sql::cursor::Cursor;
use crate::sql::{LockMode, Relation, StatementKind as Kind};
use sqlparser::tokenizer::Token;

/// Behind `ALTER TABLE`, or `ALTER FOREIGN TABLE`.
pub(super) fn alter_table(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.take("IF EXISTS");
    if cursor.take("ALL IN TABLESPACE") {
        return Some(all_in_tablespace(cursor));
    }
    let (table, extent) = cursor.extent()?;
    alter_relation(&table, extent, cursor)
}

/// Behind the name.
pub(super) fn alter_relation(
    table: &Relation,
    extent: Descendants,
    cursor: &mut Cursor<'_>,
) -> Option<Vec<Action>> {
    let parts = cursor.comma_parts().into_iter();
    cursor.skip_rest();
    Some(parts.map(|part| action(table, extent, part)).collect())
}

fn action(table: &Relation, extent: Descendants, part: Cursor<'_>) -> Action {
    match change(table, part) {
        Some(change) => Action::AlterTable {
            table: table.clone(),
            extent,
            change,
        },
        None => Action::Unread {
            kind: Kind::AlterTable,
            table: Some(table.clone()),
        },
    }
}

fn change(table: &Relation, mut part: Cursor<'_>) -> Option<Change> {
    let change = match part.take_any(&[
        "ADD",
        "DROP",
        "ALTER",
        "RENAME",
        "SET",
        "RESET",
        "VALIDATE CONSTRAINT",
    ]) {
        Some("ADD") => add(&mut part)?,
        Some("DROP") => drop(&mut part)?,
        Some("ALTER") => alter(&mut part)?,
        Some("RENAME") => rename(table, &mut part)?,
        Some("SET") => set(table, &mut part)?,
        Some("RESET") => {
            part.parenthesised()?;
            other(Kind::SetTableOption, LockMode::ShareUpdateExclusive)
        }
        Some(_) => Change::ValidateConstraint { name: part.name()? },
        None => rarer(&mut part)?,
    };
    part.end()?;
    Some(change)
}

fn add(part: &mut Cursor<'_>) -> Option<Change> {
    const CONSTRAINTS: [&str; 7] = [
        "CONSTRAINT",
        "CHECK",
        "UNIQUE",
        "PRIMARY KEY",
        "FOREIGN KEY",
        "EXCLUDE",
        "NOT NULL",
    ];
    if CONSTRAINTS.iter().any(|words| part.at_all(words)) {
        return constraint(part).map(Change::AddConstraint);
    }
    part.take("COLUMN");
    part.take("IF NOT EXISTS");
    column(part).map(Change::AddColumn)
}

fn drop(part: &mut Cursor<'_>) -> Option<Change> {
    if part.take("CONSTRAINT") {
        part.take("IF EXISTS");
        return Some(Change::DropConstraint {
            name: part.name()?,
            behavior: behavior(part),
        });
    }
    part.take("COLUMN");
    part.take("IF EXISTS");
    Some(Change::DropColumn {
        column: part.name()?,
        behavior: behavior(part),
    })
}

fn alter(part: &mut Cursor<'_>) -> Option<Change> {
    if part.take("CONSTRAINT") {
        part.name()?;
        part.skip_rest();
        return Some(other(Kind::AlterConstraint, LockMode::AccessExclusive));
    }
    part.take("COLUMN");
    let column = part.name()?;
    let change = match part.take_any(&[
        "TYPE",
        "SET DATA TYPE",
        "SET",
        "RESET",
        "DROP",
        "ADD GENERATED",
        "RESTART",
        "OPTIONS",
    ])? {
        "TYPE" | "SET DATA TYPE" => alter_type(column, part)?,
        "SET" => alter_set(column, part)?,
        "DROP" => alter_drop(column, part)?,
        "RESET" => {
            part.parenthesised()?;
            other(Kind::SetColumnOption, LockMode::ShareUpdateExclusive)
        }
        "OPTIONS" => {
            part.parenthesised()?;
            other(Kind::SetColumnOption, LockMode::AccessExclusive)
        }
        "RESTART" => {
            part.skip_rest();
            Change::Identity {
                kind: Kind::SetIdentity,
                column,
            }
        }
        _ => {
            part.skip_rest();
            Change::Identity {
                kind: Kind::AddIdentity,
                column,
            }
        }
    };
    Some(change)
}

fn alter_type(column: String, part: &mut Cursor<'_>) -> Option<Change> {
    let to = part.until(|cursor| cursor.at("USING") || cursor.at("COLLATE"));
    let collation = match part.take("COLLATE") {
        true => Some(part.relation()?.name().to_owned()),
        false => None,
    };
    let using = if part.take("USING") {
        using(&column, part)
    } else {
        Using::Nothing
    };
    (!to.is_end()).then(|| Change::AlterType {
        column,
        to: to.text(),
        collation,
        using,
    })
}

fn using(column: &str, part: &mut Cursor<'_>) -> Using {
    let mut cast = *part;
    part.skip_rest();
    let is_cast =
        cast.name().is_some_and(|name| name == column) && cast.take_symbol(&Token::DoubleColon);
    let is_plain = cast
        .rest()
        .iter()
        .all(|token| !matches!(token.token, Token::DoubleColon | Token::Plus));
    if is_cast && is_plain {
        Using::Cast
    } else {
        Using::Expression
    }
}

fn alter_set(column: String, part: &mut Cursor<'_>) -> Option<Change> {
    let choices = [
        "NOT NULL",
        "DEFAULT",
        "EXPRESSION AS",
        "STATISTICS",
        "STORAGE",
        "COMPRESSION",
    ];
    let change = match part.take_any(&choices) {
        Some("NOT NULL") => return Some(Change::SetNotNull { column }),
        Some("DEFAULT") => Change::SetDefault { column },
        Some("EXPRESSION AS") => Change::SetExpression { column },
        Some("STATISTICS") => other(Kind::SetColumnOption, LockMode::ShareUpdateExclusive),
        Some(_) => other(Kind::SetColumnOption, LockMode::AccessExclusive),
        None if part
            .take_any(&[
                "GENERATED",
                "INCREMENT",
                "MINVALUE",
                "MAXVALUE",
                "START",
                "RESTART",
                "CACHE",
                "CYCLE",
                "NO",
            ])
            .is_some() =>
        {
            Change::Identity {
                kind: Kind::SetIdentity,
                column,
            }
        }
        None => {
            part.parenthesised()?;
            other(Kind::SetColumnOption, LockMode::ShareUpdateExclusive)
        }
    };
    part.skip_rest();
    Some(change)
}

fn alter_drop(column: String, part: &mut Cursor<'_>) -> Option<Change> {
    let change = match part.take_any(&["NOT NULL", "DEFAULT", "IDENTITY", "EXPRESSION"])? {
        "NOT NULL" => Change::DropNotNull { column },
        "DEFAULT" => Change::DropDefault { column },
        "IDENTITY" => Change::Identity {
            kind: Kind::DropIdentity,
            column,
        },
        _ => Change::DropExpression { column },
    };
    part.take("IF EXISTS");
    Some(change)
}

fn rename(table: &Relation, part: &mut Cursor<'_>) -> Option<Change> {
    if part.take("TO") {
        return Some(Change::RenameTable {
            to: table.sibling(part.name()?),
        });
    }
    if part.take("CONSTRAINT") {
        let name = part.name()?;
        part.expect("TO")?;
        let to = part.name()?;
        return Some(Change::RenameConstraint { name, to });
    }
    part.take("COLUMN");
    let column = part.name()?;
    part.expect("TO")?;
    Some(Change::RenameColumn {
        column,
        to: part.name()?,
    })
}

fn set(table: &Relation, part: &mut Cursor<'_>) -> Option<Change> {
    let choices = [
        "SCHEMA",
        "TABLESPACE",
        "LOGGED",
        "UNLOGGED",
        "ACCESS METHOD",
        "WITHOUT CLUSTER",
        "WITHOUT OIDS",
    ];
    Some(match part.take_any(&choices) {
        Some("SCHEMA") => Change::SetSchema {
            to: Relation::new(part.name()?, table.name()),
        },
        Some("TABLESPACE") => {
            let to = part.name()?;
            part.take("NOWAIT");
            Change::Rewrite {
                kind: Kind::SetTablespace,
                to,
            }
        }
        Some("ACCESS METHOD") => Change::Rewrite {
            kind: Kind::SetAccessMethod,
            to: part.name()?,
        },
        Some(word @ ("LOGGED" | "UNLOGGED")) => Change::Rewrite {
            kind: Kind::SetLogged,
            to: word.to_ascii_lowercase(),
        },
        Some("WITHOUT CLUSTER") => other(Kind::SetTableOption, LockMode::ShareUpdateExclusive),
        Some(_) => other(Kind::SetTableOption, LockMode::AccessExclusive),
        None => {
            let options = part.parenthesised()?;
            other(Kind::SetTableOption, option_lock(options))
        }
    })
}

/// `AlterTableGetRelOptionsLockLevel`: two options need the strongest lock, autovacuum's and fillfactor do not.
fn option_lock(options: Cursor<'_>) -> LockMode {
    let strong = |name: String| {
        name == "user_catalog_table" || name.starts_with("security_") || name == "check_option"
    };
    if options.words().any(strong) {
        LockMode::AccessExclusive
    } else {
        LockMode::ShareUpdateExclusive
    }
}

fn rarer(part: &mut Cursor<'_>) -> Option<Change> {
    let choices = [
        "ATTACH PARTITION",
        "DETACH PARTITION",
        "INHERIT",
        "NO INHERIT",
        "OWNER TO",
        "ENABLE ROW LEVEL SECURITY",
        "DISABLE ROW LEVEL SECURITY",
        "FORCE ROW LEVEL SECURITY",
        "NO FORCE ROW LEVEL SECURITY",
        "ENABLE",
        "DISABLE",
        "REPLICA IDENTITY USING INDEX",
        "REPLICA IDENTITY",
        "CLUSTER ON",
        "OF",
        "NOT OF",
        "OPTIONS",
    ];
    Some(match part.take_any(&choices)? {
        "ATTACH PARTITION" => {
            let partition = part.relation()?;
            let is_default = part.at("DEFAULT");
            part.skip_rest();
            Change::AttachPartition {
                partition,
                is_default,
            }
        }
        "DETACH PARTITION" => {
            let partition = part.relation()?;
            let concurrently = part.take_any(&["CONCURRENTLY", "FINALIZE"]).is_some();
            Change::DetachPartition {
                partition,
                method: if concurrently {
                    Method::Concurrently
                } else {
                    Method::Plain
                },
            }
        }
        "INHERIT" => Change::Inherit {
            kind: Kind::Inherit,
            parent: part.relation()?,
        },
        "NO INHERIT" => Change::Inherit {
            kind: Kind::NoInherit,
            parent: part.relation()?,
        },
        "OWNER TO" => Change::SetOwner { to: part.name()? },
        "CLUSTER ON" => Change::UseIndex {
            kind: Kind::SetTableOption,
            index: part.name()?,
            mode: LockMode::ShareUpdateExclusive,
            on_index: LockMode::ShareUpdateExclusive,
        },
        "REPLICA IDENTITY USING INDEX" => Change::UseIndex {
            kind: Kind::AlterTable,
            index: part.name()?,
            mode: LockMode::AccessExclusive,
            on_index: LockMode::Share,
        },
        words @ ("ENABLE" | "DISABLE") => {
            part.take_any(&["REPLICA", "ALWAYS"]);
            part.take_any(&["TRIGGER", "RULE"])?;
            let name = part.name()?;
            if words == "DISABLE" {
                return Some(Change::DisableTrigger { name });
            }
            other(Kind::SetTriggerState, LockMode::ShareRowExclusive)
        }
        words => {
            part.skip_rest();
            match words {
                "REPLICA IDENTITY" | "OF" | "NOT OF" | "OPTIONS" => {
                    other(Kind::AlterTable, LockMode::AccessExclusive)
                }
                _ => other(Kind::SetRowSecurity, LockMode::AccessExclusive),
            }
        }
    })
}

fn other(kind: Kind, mode: LockMode) -> Change {
    Change::Other { kind, mode }
}

/// `[CASCADE | RESTRICT]`
pub(super) fn behavior(part: &mut Cursor<'_>) -> Behavior {
    match part.take_any(&["CASCADE", "RESTRICT"]) {
        Some("CASCADE") => Behavior::Cascade,
        _ => Behavior::Restrict,
    }
}
