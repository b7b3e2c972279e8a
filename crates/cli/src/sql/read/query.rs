//! Queries: which tables they read and write, with WHERE or without, and which functions they call. sqlparser's tree
//! is walked here and nowhere else.

use super::guard;
use super::plainer::plainer;
use crate::sql::action::{
    Action, CreateTable, IfExists, Query, RowLocks, Rows, Targets, WithData, Write,
};
use crate::sql::cursor::{Cursor, relation_named, relation_of};
use crate::sql::tokens::with_keywords;
use crate::sql::{LockMode, Relation, StatementKind as Kind, types};
use sqlparser::ast::{
    Assignment, AssignmentTarget, Expr, FromTable, FunctionArg, FunctionArgExpr, FunctionArguments,
    Insert, MergeAction, ObjectName, OnInsert, Query as Tree, Select, SelectItem, SetExpr,
    Statement, TableFactor, TableObject, TableWithJoins, Value, Visit, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// A query that stands alone; SELECT … INTO is CREATE TABLE AS.
pub(super) fn statement(cursor: Cursor<'_>) -> Option<Vec<Action>> {
    let mut query = query(cursor)?;
    let Some(table) = query.into.take() else {
        return Some(vec![Action::Query(query)]);
    };
    Some(vec![Action::CreateTable(CreateTable {
        table,
        existing: IfExists::Fails,
        columns: Vec::new(),
        constraints: Vec::new(),
        is_partitioned: false,
        partition_of: None,
        inherits: Vec::new(),
        like: Vec::new(),
        query: Some(query),
        data: WithData::Yes,
    })])
}

/// SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, TABLE, with or without WITH.
pub(super) fn query(cursor: Cursor<'_>) -> Option<Query> {
    let tokens = with_keywords(cursor.rest());
    if is_deep(&tokens) {
        return None;
    }
    let plainer = || parsed(plainer(&tokens));
    let statement = parsed(tokens.clone()).or_else(plainer)?;
    let mut walk = Walk::default();
    if statement.visit(&mut walk).is_break() {
        return None;
    }
    Some(walk.into_query(kind(&statement)?))
}

/// An operator behind an operator is one level more of sqlparser's tree, which recurses when it goes: more of them than
/// this, and there would be no stack.
const DEEPEST: usize = 8000;

fn is_deep(tokens: &[TokenWithSpan]) -> bool {
    let mut open = Vec::new();
    let mut chained = 0;
    for token in tokens {
        match &token.token {
            Token::LParen => open.push(std::mem::take(&mut chained)),
            Token::RParen => chained = open.pop().unwrap_or_default(),
            Token::Comma | Token::Number(..) | Token::SingleQuotedString(_) => {}
            Token::Word(word) if word.keyword == Keyword::NoKeyword => {}
            _ => chained += 1,
        }
        if chained > DEEPEST {
            return true;
        }
    }
    false
}

fn parsed(tokens: Vec<TokenWithSpan>) -> Option<Statement> {
    let dialect = PostgreSqlDialect {};
    let mut parser = Parser::new(&dialect).with_tokens_with_locations(tokens);
    let statement = parser.parse_statement().ok()?;
    (parser.peek_token().token == Token::EOF).then_some(statement)
}

/// Behind DECLARE: a query that FETCH runs later, under the locks that are taken now.
pub(super) fn declare(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.name()?;
    cursor.until(|cursor| cursor.at("FOR"));
    cursor.expect("FOR")?;
    let whole = *cursor;
    cursor.skip_rest();
    Some(vec![Action::Query(Query {
        kind: Kind::Cursor,
        ..query(whole)?
    })])
}

fn nothing(kind: Kind) -> Query {
    Query {
        kind,
        reads: BTreeSet::new(),
        writes: Vec::new(),
        row_locks: RowLocks::None,
        into: None,
        calls: Vec::new(),
        sequences: BTreeSet::new(),
        serials: Vec::new(),
        guards: Vec::new(),
    }
}

/// Behind COPY.
pub(super) fn copy(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    let mut copy = nothing(Kind::Copy);
    if let Some(inner) = cursor.parenthesised() {
        copy = Query {
            kind: Kind::Copy,
            ..query(inner)?
        };
    } else {
        let mut name = *cursor;
        if name.take("BINARY")
            && name
                .name()
                .is_some_and(|name| name != "from" && name != "to")
        {
            cursor.take("BINARY");
        }
        let table = cursor.relation()?;
        cursor.parenthesised();
        match cursor.take_any(&["FROM", "TO"])? {
            "FROM" => copy.writes.push(Write {
                kind: Kind::Insert,
                table,
                rows: Rows::Filtered,
                columns: Vec::new(),
                targets: Targets::Unknown,
            }),
            // read as it is, without a plan
            _ => {
                cursor.skip_rest();
                return Some(super::plain(
                    Kind::Copy,
                    vec![(table, LockMode::AccessShare)],
                ));
            }
        }
    }
    if cursor.words().any(|word| word == "program") {
        copy.calls.push("COPY … PROGRAM".to_owned());
    }
    cursor.skip_rest();
    Some(vec![Action::Query(copy)])
}

fn kind(statement: &Statement) -> Option<Kind> {
    Some(match statement {
        Statement::Insert(_) => Kind::Insert,
        Statement::Update(_) => Kind::Update,
        Statement::Delete(_) => Kind::Delete,
        Statement::Merge(_) => Kind::Merge,
        Statement::Query(query) => match query.body.as_ref() {
            SetExpr::Insert(inner)
            | SetExpr::Update(inner)
            | SetExpr::Delete(inner)
            | SetExpr::Merge(inner) => kind(inner)?,
            _ => Kind::Select,
        },
        _ => return None,
    })
}

#[derive(Default)]
struct Walk {
    relations: BTreeSet<Relation>,
    writes: Vec<Write>,
    /// WITH queries and functions in FROM: names that are no relations.
    not_relations: BTreeSet<Relation>,
    locks_rows: bool,
    into: Option<Relation>,
    sequences: BTreeSet<Relation>,
    serials: Vec<(Relation, String)>,
    calls: Vec<String>,
    guards: Vec<String>,
}

impl Walk {
    fn into_query(mut self, kind: Kind) -> Query {
        for written in self
            .writes
            .iter()
            .map(|write| &write.table)
            .chain(&self.into)
        {
            self.relations.remove(written);
        }
        self.calls.retain(|name| !types::is_harmless(name));
        Query {
            kind,
            reads: self
                .relations
                .difference(&self.not_relations)
                .cloned()
                .collect(),
            writes: self.writes,
            row_locks: if self.locks_rows {
                RowLocks::Taken
            } else {
                RowLocks::None
            },
            into: self.into,
            calls: self.calls,
            sequences: self.sequences,
            serials: self.serials,
            guards: self.guards,
        }
    }

    fn write(&mut self, kind: Kind, table: Option<Relation>, rows: Rows) {
        self.writes.extend(table.map(|table| Write {
            kind,
            table,
            rows,
            columns: Vec::new(),
            targets: Targets::Planned,
        }));
    }

    fn insert(&mut self, insert: &Insert) {
        let TableObject::TableName(name) = &insert.table else {
            return;
        };
        let infers = match &insert.on {
            Some(OnInsert::OnConflict(conflict)) => conflict.conflict_target.is_some(),
            _ => false,
        };
        let values = insert
            .source
            .as_ref()
            .and_then(|source| match source.body.as_ref() {
                SetExpr::Values(values) => values.rows.iter().map(|row| row.len()).min(),
                SetExpr::Select(select) => {
                    let whole = |item: &SelectItem| {
                        matches!(
                            item,
                            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
                        )
                    };
                    (!select.projection.iter().any(whole)).then_some(select.projection.len())
                }
                _ => None,
            });
        let columns = insert
            .columns
            .iter()
            .filter_map(|name| relation(name).map(|name| name.name().to_owned()));
        let columns: Vec<String> = columns.collect();
        let named = columns.clone();
        // DEFAULT VALUES has no source
        let values = match insert.source {
            None => Some(0),
            Some(_) => values,
        };
        let targets = match (infers, columns.is_empty(), values) {
            (true, _, _) => Targets::Planned,
            (false, false, _) => Targets::Columns(columns),
            (false, true, Some(values)) => Targets::First(values),
            (false, true, None) => Targets::Unknown,
        };
        self.writes.extend(relation(name).map(|table| Write {
            kind: Kind::Insert,
            table,
            rows: Rows::Filtered,
            columns: named,
            targets,
        }));
    }
}

impl Visitor for Walk {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Tree) -> ControlFlow<()> {
        self.locks_rows |= !query.locks.is_empty();
        let names = query
            .with
            .iter()
            .flat_map(|with| &with.cte_tables)
            .map(|table| fold(&table.alias.name));
        self.not_relations.extend(names.map(Relation::unqualified));
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        if let Some(into) = &select.into {
            self.into = into.targets.first().and_then(named);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => {
                self.write(
                    Kind::Update,
                    joined(&update.table),
                    rows(update.selection.as_ref()),
                );
                if let Some(write) = self.writes.last_mut() {
                    write.columns = assigned(&update.assignments);
                }
            }
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) =
                    &delete.from;
                self.write(
                    Kind::Delete,
                    from.first().and_then(joined),
                    rows(delete.selection.as_ref()),
                );
            }
            Statement::Merge(merge) => {
                for clause in &merge.clauses {
                    let (kind, rows) = match &clause.action {
                        MergeAction::Insert(_) | MergeAction::DoNothing { .. } => {
                            (Kind::Merge, Rows::Filtered)
                        }
                        MergeAction::Update(_) => (Kind::Update, rows(clause.predicate.as_ref())),
                        MergeAction::Delete { .. } => {
                            (Kind::Delete, rows(clause.predicate.as_ref()))
                        }
                    };
                    self.write(kind, factor(&merge.table), rows);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        self.relations.extend(relation(name));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name,
            args: Some(_),
            ..
        } = table
            && let Some(function) = relation(name)
        {
            self.calls.push(function.name().to_owned());
            self.not_relations.insert(function);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expression {
            let name = relation(&function.name).map(|name| name.name().to_owned());
            match name.as_deref() {
                Some("set_config") => self.guards.extend(configured(&function.args)),
                Some("nextval" | "setval") => {
                    let literals = literals(&function.args);
                    self.sequences
                        .extend(literals.first().and_then(|text| relation_named(text)));
                }
                Some("pg_get_serial_sequence") => {
                    if let [table, column] = literals(&function.args).as_slice() {
                        let table = relation_named(table);
                        self.serials
                            .extend(table.map(|table| (table, column.clone())));
                    }
                }
                _ => {}
            }
            self.calls.extend(name);
        }
        ControlFlow::Continue(())
    }
}

/// The columns that are set.
fn assigned(assignments: &[Assignment]) -> Vec<String> {
    let names = assignments
        .iter()
        .flat_map(|assignment| match &assignment.target {
            AssignmentTarget::ColumnName(name) => std::slice::from_ref(name),
            AssignmentTarget::Tuple(names) => names.as_slice(),
        });
    names
        .filter_map(|name| relation(name).map(|name| name.name().to_owned()))
        .collect()
}

/// The name that an expression is.
fn named(expression: &Expr) -> Option<Relation> {
    match expression {
        Expr::Identifier(name) => Some(relation_of(vec![fold(name)])),
        Expr::CompoundIdentifier(parts) => Some(relation_of(parts.iter().map(fold).collect())),
        _ => None,
    }
}

/// The strings among the arguments, a cast left out.
fn literals(arguments: &FunctionArguments) -> Vec<String> {
    let FunctionArguments::List(list) = arguments else {
        return Vec::new();
    };
    let literal = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => text_of(expression),
        _ => None,
    };
    list.args.iter().filter_map(literal).collect()
}

fn text_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Cast { expr, .. } => text_of(expr),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The setting that set_config() changes, where it bounds the session or where nobody can tell.
fn configured(arguments: &FunctionArguments) -> Option<String> {
    let first = match arguments {
        FunctionArguments::List(list) => list.args.first(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => None,
    };
    match first {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))) => {
            match &value.value {
                Value::SingleQuotedString(name) => {
                    let name = name.to_ascii_lowercase();
                    guard::is_guard(&name).then_some(name)
                }
                _ => Some("a setting".to_owned()),
            }
        }
        _ => Some("a setting".to_owned()),
    }
}

fn rows(selection: Option<&Expr>) -> Rows {
    match selection {
        None => Rows::All,
        Some(Expr::Value(value)) if value.value == Value::Boolean(true) => Rows::All,
        Some(Expr::Nested(inner)) => rows(Some(inner)),
        Some(Expr::BinaryOp {
            left,
            right,
            op: sqlparser::ast::BinaryOperator::Eq,
        }) if matches!(left.as_ref(), Expr::Value(_)) && left == right => Rows::All,
        Some(_) => Rows::Filtered,
    }
}

fn joined(table: &TableWithJoins) -> Option<Relation> {
    factor(&table.relation)
}

fn factor(table: &TableFactor) -> Option<Relation> {
    match table {
        TableFactor::Table { name, .. } => relation(name),
        _ => None,
    }
}

fn relation(name: &ObjectName) -> Option<Relation> {
    let parts: Option<Vec<String>> = name
        .0
        .iter()
        .map(|part| part.as_ident().map(fold))
        .collect();
    parts.map(relation_of)
}

fn fold(name: &sqlparser::ast::Ident) -> String {
    if name.quote_style.is_some() {
        name.value.clone()
    } else {
        name.value.to_ascii_lowercase()
    }
}
