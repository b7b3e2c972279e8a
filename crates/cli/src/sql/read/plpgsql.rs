//! The body of a DO block in PL/pgSQL: the SQL in it is read like any other. What EXECUTE builds is not known, nor what
//! a branch decides: everything that may run counts as run.
//!
//! Absent: types, variables, and anything that a statement of PL/pgSQL itself means beside the SQL in it.

use super::{actions, query};
use crate::sql::action::{Action, IfExists};
use crate::sql::cursor::{Cursor, tokens};
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// What a body does.
#[derive(Default)]
pub(super) struct Body {
    pub(super) actions: Vec<Action>,
    /// Not everything in it runs, or not once.
    pub(super) branches: bool,
    /// Something in it cannot be read, or is built while it runs.
    pub(super) unknown: bool,
}

/// Words that stand before a statement and say only whether, or how often, it runs.
const STEPS: [&str; 5] = ["BEGIN", "ELSE", "LOOP", "EXCEPTION", "DECLARE"];

pub(super) fn body(text: &str) -> Body {
    let mut body = Body::default();
    let Some(tokens) = tokens(text) else {
        body.unknown = true;
        return body;
    };
    let mut cursor = Cursor::new(&tokens);
    let mut declares = false;
    while !cursor.is_end() {
        let mut part = cursor.until(|cursor| cursor.is_symbol(&Token::SemiColon));
        cursor.take_symbol(&Token::SemiColon);
        if body.part(&mut part, &mut declares).is_none() {
            body.unknown = true;
        }
    }
    body
}

impl Body {
    /// Of another language.
    pub(super) fn unknown() -> Self {
        Self {
            unknown: true,
            ..Self::default()
        }
    }

    /// One statement, with the words before it. `None` where it cannot be read.
    fn part(&mut self, part: &mut Cursor<'_>, declares: &mut bool) -> Option<()> {
        loop {
            if part.take_symbol(&Token::ShiftLeft) {
                part.name()?;
                part.take_symbol(&Token::ShiftRight).then_some(())?;
            } else if let Some(word) = part.take_any(&STEPS) {
                *declares = word == "DECLARE";
                self.branches |= !["BEGIN", "DECLARE"].contains(&word);
            } else if *declares {
                return self.declaration(part);
            } else if part.take_any(&["IF", "ELSIF", "ELSEIF"]).is_some() {
                self.branches = true;
                self.expression_before(part, "THEN")?;
            } else if part.take("CASE") {
                self.branches = true;
                let mut selector = part.until(|cursor| cursor.at("WHEN"));
                self.expression(&mut selector)?;
            } else if part.take("WHEN") {
                // a condition's name reads like a column
                match part.take("SQLSTATE") {
                    true => drop(part.until(|cursor| cursor.at("THEN"))),
                    false => self.expression_up_to(part, "THEN")?,
                }
                part.expect("THEN")?;
            } else if part.take("WHILE") {
                self.branches = true;
                self.expression_before(part, "LOOP")?;
            } else if part.take_any(&["FOR", "FOREACH"]).is_some() {
                self.branches = true;
                part.until(|cursor| cursor.at("IN"));
                part.expect("IN")?;
                let mut over = part.until(|cursor| cursor.at("LOOP"));
                part.expect("LOOP")?;
                self.iterated(&mut over)?;
            } else {
                return self.statement(part);
            }
        }
    }

    /// `name type := expression`, `name CURSOR FOR query`.
    fn declaration(&mut self, part: &mut Cursor<'_>) -> Option<()> {
        part.name()?;
        part.until(|cursor| {
            cursor.at("DEFAULT")
                || cursor.at("FOR")
                || cursor.is_symbol(&Token::Assignment)
                || cursor.is_symbol(&Token::Eq)
        });
        if part.take("FOR") {
            return self.query(part);
        }
        part.advance_one();
        self.expression(part)
    }

    fn statement(&mut self, part: &mut Cursor<'_>) -> Option<()> {
        if part.is_end() || part.at("NULL") || part.at("END") {
            return Some(());
        }
        match part.take_any(&[
            "RETURN QUERY",
            "RETURN NEXT",
            "RETURN",
            "EXIT",
            "CONTINUE",
            "RAISE",
            "ASSERT",
            "PERFORM",
            "GET",
            "OPEN",
            "FETCH",
            "MOVE",
            "CLOSE",
        ]) {
            Some("RETURN QUERY") => self.iterated(part),
            Some("PERFORM") => self.expression(part),
            Some("OPEN") => {
                part.until(|cursor| cursor.at("FOR"));
                part.take("FOR");
                self.iterated(part)
            }
            Some("GET" | "FETCH" | "MOVE" | "CLOSE") => Some(()),
            // what they say is made of expressions, parted by words of their own
            Some(_) => self.calls(part),
            None if part.at("EXECUTE") || part.at("COMMIT") || part.at("ROLLBACK") => None,
            None => match assigned(part) {
                Some(mut value) => self.expression(&mut value),
                None => self.sql(part),
            },
        }
    }

    /// A query, an EXECUTE, an array or the bounds of numbers.
    fn iterated(&mut self, over: &mut Cursor<'_>) -> Option<()> {
        if over.is_end() {
            return Some(());
        }
        if over.at("SELECT") || over.at("WITH") || over.at("VALUES") || over.at("TABLE") {
            return self.query(over);
        }
        if over.at("INSERT") || over.at("UPDATE") || over.at("DELETE") || over.at("MERGE") {
            return self.sql(over);
        }
        over.take("REVERSE");
        over.take("ARRAY");
        if over.at("EXECUTE") {
            return None;
        }
        self.calls(over)
    }

    /// Which functions it calls says enough.
    fn calls(&mut self, part: &Cursor<'_>) -> Option<()> {
        let is_query = part
            .words()
            .any(|word| word == "select" || word == "execute");
        let unharmed = part
            .calls()
            .iter()
            .all(|name| crate::sql::types::is_harmless(name));
        (!is_query && unharmed).then_some(())
    }

    fn expression_before(&mut self, part: &mut Cursor<'_>, word: &str) -> Option<()> {
        self.expression_up_to(part, word)?;
        part.expect(word)
    }

    fn expression_up_to(&mut self, part: &mut Cursor<'_>, word: &str) -> Option<()> {
        let mut depth = 0_usize;
        // CASE … WHEN … THEN … END is an expression, too
        let mut expression = part.until(|cursor| {
            depth += usize::from(cursor.at("CASE"));
            let ends = depth == 0 && cursor.at(word);
            depth -= usize::from(depth > 0 && cursor.at("END"));
            ends
        });
        self.expression(&mut expression)
    }

    /// As PL/pgSQL itself does: by SELECT.
    fn expression(&mut self, part: &mut Cursor<'_>) -> Option<()> {
        if part.is_end() {
            return Some(());
        }
        let mut tokens = vec![TokenWithSpan::wrap(Token::make_keyword("SELECT"))];
        tokens.extend_from_slice(part.rest());
        part.skip_rest();
        self.query(&mut Cursor::new(&tokens))
    }

    fn query(&mut self, part: &mut Cursor<'_>) -> Option<()> {
        let tokens = without_into(part.rest());
        part.skip_rest();
        let query = query::query(Cursor::new(&tokens))?;
        // most expressions touch nothing
        if !query.reads.is_empty()
            || !query.writes.is_empty()
            || !query.calls.is_empty()
            || !query.guards.is_empty()
        {
            self.actions.push(Action::Query(query));
        }
        Some(())
    }

    fn sql(&mut self, part: &mut Cursor<'_>) -> Option<()> {
        let tokens = without_into(part.rest());
        part.skip_rest();
        for action in actions(Cursor::new(&tokens))? {
            match perhaps(action) {
                Some(Action::Unread { .. }) => self.unknown = true,
                Some(action) => self.actions.push(action),
                None => {}
            }
        }
        Some(())
    }
}

/// In a branch that may not run, nothing is surely new.
fn perhaps(mut action: Action) -> Option<Action> {
    match &mut action {
        Action::CreateTable(create) => create.existing = IfExists::Tolerated,
        Action::CreateIndex(create) => create.existing = IfExists::Tolerated,
        Action::CreateView { existing, .. } => *existing = IfExists::Tolerated,
        Action::Created { .. } | Action::CreateType { .. } | Action::CreateDomain { .. } => {
            return None;
        }
        _ => {}
    }
    Some(action)
}

/// The right side of `name := …`, `name[1].field = …`.
fn assigned<'a>(part: &Cursor<'a>) -> Option<Cursor<'a>> {
    let mut rest = *part;
    rest.name()?;
    while !rest.is_symbol(&Token::Assignment) && !rest.is_symbol(&Token::Eq) {
        match rest.rest().first()?.token {
            Token::Period => {
                rest.advance_one();
                rest.name()?;
            }
            Token::LBracket => {
                rest.until(|cursor| cursor.is_symbol(&Token::RBracket));
                rest.take_symbol(&Token::RBracket).then_some(())?;
            }
            _ => return None,
        }
    }
    rest.advance_one();
    Some(rest)
}

/// Without `INTO [STRICT] variables`, which SQL would take for a new table.
fn without_into(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let is = |at: usize, word: &str| Cursor::new(&tokens[at..]).at(word);
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        let names = at > 0 && (is(at - 1, "INSERT") || is(at - 1, "MERGE"));
        if depth == 0 && is(at, "INTO") && !names {
            let mut rest = Cursor::new(&tokens[at + 1..]);
            rest.take("STRICT");
            if rest.list(Cursor::relation).is_none() {
                break;
            }
            return [&tokens[..at], rest.rest()].concat();
        }
    }
    tokens.to_vec()
}

#[cfg(test)]
mod tests {
    use super::body;
    use crate::sql::kind;

    /// The kinds of the statements in a body, and whether something in it is not known.
    #[track_caller]
    fn check(text: &str, kinds: &[&str], unknown: bool) {
        let body = body(text);
        let found: Vec<_> = body
            .actions
            .iter()
            .map(|action| kind::of(std::slice::from_ref(action)).to_string())
            .collect();
        assert_eq!(found, kinds, "{text}");
        assert_eq!(body.unknown, unknown, "{text}");
    }

    #[test]
    fn statements_are_read_wherever_they_stand() {
        check("BEGIN END", &[], false);
        check("BEGIN NULL; END;", &[], false);
        check(
            "BEGIN ALTER TABLE a ADD b int; DROP TABLE c; END",
            &["add_column", "drop_table"],
            false,
        );
        check(
            "BEGIN IF NOT EXISTS (SELECT 1 FROM a) THEN CREATE INDEX i ON a (b); ELSIF c THEN TRUNCATE d; ELSE \
             DELETE FROM e; END IF; END",
            &["select", "create_index", "truncate", "delete"],
            false,
        );
        check(
            "BEGIN CASE a WHEN 1, 2 THEN DROP TABLE b; ELSE LOCK c; END CASE; END",
            &["drop_table", "lock_table"],
            false,
        );
        check(
            "BEGIN IF CASE WHEN a THEN b ELSE c END THEN DROP TABLE d; END IF; END",
            &["drop_table"],
            false,
        );
        check(
            "<<outer>> BEGIN LOOP UPDATE a SET b = 1; EXIT outer WHEN NOT found; END LOOP outer; WHILE c LOOP DROP VIEW d; \
             END LOOP; END",
            &["update", "drop_view"],
            false,
        );
        check(
            "BEGIN FOR r IN SELECT * FROM a LOOP DELETE FROM b WHERE id = r.id; END LOOP; FOR i IN REVERSE 10..1 BY 2 LOOP \
             INSERT INTO c VALUES (i); END LOOP; FOREACH x IN ARRAY y LOOP DROP TYPE d; END LOOP; END",
            &["select", "delete", "insert", "drop_type"],
            false,
        );
        check(
            "BEGIN ALTER TYPE a ADD VALUE 'b'; EXCEPTION WHEN duplicate_object OR SQLSTATE '42710' THEN NULL; WHEN OTHERS \
             THEN DROP TABLE c; END",
            &["alter_type", "drop_table"],
            false,
        );
    }

    #[test]
    fn declarations_and_expressions_are_read_too() {
        check(
            "DECLARE a CONSTANT int NOT NULL := 1; b text DEFAULT 'c'; d e.f%TYPE; g record; h CURSOR FOR SELECT * FROM i; \
             BEGIN a := (SELECT count(*) FROM j); b.c[1] := 2; SELECT k INTO STRICT a FROM l; PERFORM 1 FROM m; RETURN; END",
            &["select", "select", "select", "select"],
            false,
        );
        check(
            "BEGIN INSERT INTO a SELECT * FROM b RETURNING id INTO c; RAISE NOTICE 'd %', e; GET DIAGNOSTICS f = ROW_COUNT; \
             OPEN g FOR SELECT 1 FROM h; FETCH g INTO i; CLOSE g; ASSERT j > 1, 'k'; END",
            &["insert", "select"],
            false,
        );
    }

    #[test]
    fn what_is_built_while_it_runs_is_not_known() {
        check(
            "BEGIN EXECUTE 'DROP TABLE a'; DROP TABLE b; END",
            &["drop_table"],
            true,
        );
        check("BEGIN EXECUTE format('DROP TABLE %I', a); END", &[], true);
        check(
            "BEGIN FOR a IN EXECUTE b LOOP NULL; END LOOP; END",
            &[],
            true,
        );
        check("BEGIN RETURN QUERY EXECUTE a; END", &[], true);
        check("BEGIN OPEN a FOR EXECUTE b; END", &[], true);
        check("BEGIN COMMIT; DROP TABLE a; END", &["drop_table"], true);
        check("BEGIN RAISE NOTICE '%', a(1); END", &[], true);
        check("BEGIN gibberish; DROP TABLE a; END", &["drop_table"], true);
        check("BEGIN PERFORM a(", &[], true);
    }

    /// A function that is not known is said by the action of its query.
    #[test]
    fn calls_are_said() {
        check("BEGIN PERFORM a(1); END", &["select"], false);
        check("BEGIN a := b(1); CALL c(); END", &["select", "call"], false);
    }
}
