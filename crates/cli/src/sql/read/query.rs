//! Queries: which tables they read and write, with WHERE or without, and which functions they call. sqlparser's tree
//! is walked here and nowhere else.

use super::guard;
use super::plainer::plainer;
use crate::sql::action::{Action, Query, RowLocks, Rows, Write};
use crate::sql::cursor::{Cursor, relation_of};
use crate::sql::tokens::with_keywords;
use crate::sql::{Relation, StatementKind as Kind, types};
use sqlparser::ast::{
    Expr, FromTable, FunctionArg, FunctionArgExpr, FunctionArguments, MergeAction, ObjectName,
    Query as Tree, Select, SetExpr, Statement, TableFactor, TableObject, TableWithJoins, Value,
    Visit, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

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
        calls: Vec::new(),
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
            }),
            _ => drop(copy.reads.insert(table)),
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
    calls: Vec<String>,
    guards: Vec<String>,
}

impl Walk {
    fn into_query(mut self, kind: Kind) -> Query {
        for write in &self.writes {
            self.relations.remove(&write.table);
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
            calls: self.calls,
            guards: self.guards,
        }
    }

    fn write(&mut self, kind: Kind, table: Option<Relation>, rows: Rows) {
        self.writes
            .extend(table.map(|table| Write { kind, table, rows }));
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
        // SELECT … INTO makes a table; nobody should meet that in a migration, so it stays unread
        if select.into.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Insert(insert) => {
                if let TableObject::TableName(name) = &insert.table {
                    self.write(Kind::Insert, relation(name), Rows::Filtered);
                }
            }
            Statement::Update(update) => {
                self.write(
                    Kind::Update,
                    joined(&update.table),
                    rows(update.selection.as_ref()),
                );
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
            if name.as_deref() == Some("set_config") {
                self.guards.extend(configured(&function.args));
            }
            self.calls.extend(name);
        }
        ControlFlow::Continue(())
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
