//! What an archive expects of the server that it is restored into, read from the statements that ask for it.
//!
//! Absent: whether a server has it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::pg_dump::Version;
use crate::scan::{Word, words};

/// Names that a dump mentions and does not make, unquoted. `PUBLIC`, `CURRENT_USER` and roles of the server's own
/// (`pg_read_all_data`) are not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Needs {
    /// All of them: owners, grantees and others.
    pub roles: BTreeSet<String>,
    /// Of these, whom objects belong to: `--no-owner` does without them.
    pub owners: BTreeSet<String>,
    /// Of these, who is granted something, revoked or not: `--no-privileges` does without them.
    pub grantees: BTreeSet<String>,
    /// Of these, who is named otherwise: in policies, user mappings, memberships. Nothing does without them.
    pub others: BTreeSet<String>,
    /// What CREATE EXTENSION asks for.
    pub extensions: BTreeSet<String>,
    /// What tables, indexes and databases are stored in.
    pub tablespaces: BTreeSet<String>,
    /// The first `client_encoding`.
    pub encoding: Option<String>,
    /// `Dumped from database version`
    pub server_version: Option<Version>,
    /// `Dumped by pg_dump version`
    pub pg_dump_version: Option<Version>,
    /// Databases that a `\connect` goes to: the dump was made with `--create`, or by pg_dumpall.
    pub databases: BTreeSet<String>,
    /// Whether it holds large objects.
    pub large_objects: bool,
    /// Roles and tablespaces that the dump makes itself, as pg_dumpall's does.
    #[serde(skip)]
    made: BTreeSet<String>,
}

/// What a role is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Owner,
    Grantee,
    Other,
}

impl Needs {
    /// Why a dump with these needs is not one database's: what pg_dumpall writes changes the roles and passwords of the
    /// whole server, and fills databases that nobody named.
    pub(crate) fn of_a_server(&self) -> Option<String> {
        let listed =
            |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        if self.databases.len() > 1 {
            return Some(format!(
                "the dump holds more than one database ({}), as pg_dumpall writes them",
                listed(&self.databases)
            ));
        }
        (!self.made.is_empty()).then(|| {
            format!(
                "the dump makes roles or tablespaces of the whole server ({}), as pg_dumpall's does",
                listed(&self.made)
            )
        })
    }

    /// Takes in one statement, or its beginning.
    pub(crate) fn read(&mut self, statement: &[u8]) {
        let end = statement
            .iter()
            .position(|byte| !byte.is_ascii_alphabetic());
        let (first, rest) = statement.split_at(end.unwrap_or(statement.len()));
        let is = |keyword: &str| first.eq_ignore_ascii_case(keyword.as_bytes());
        if is("select") {
            let rest = rest.trim_ascii_start();
            self.large_objects |= rest.starts_with(b"pg_catalog.lo_");
        } else if is("set") {
            self.set(&head(rest, 4));
        } else if is("create") {
            self.create(rest);
        } else if is("alter") {
            self.alter(&outside_parentheses(rest));
        } else if is("grant") || is("revoke") {
            self.grant(&outside_parentheses(rest));
        }
    }

    fn set(&mut self, words: &[Word]) {
        let value = |at: usize| words.get(at).and_then(Word::value).unwrap_or_default();
        match value(0) {
            "session" if value(1) == "authorization" && !words[2..].iter().any(is_default) => {
                self.role(As::Owner, value(2));
            }
            "role" if value(1) != "none" => self.role(As::Other, value(1)),
            "default_tablespace" => self.tablespace(value(2)),
            "client_encoding" if self.encoding.is_none() => {
                self.encoding = Some(value(2).to_owned());
            }
            _ => {}
        }
    }

    fn create(&mut self, rest: &[u8]) {
        let head = head(rest, 3);
        let second = |keyword: &str| head.get(1).is_some_and(|word| word.is(keyword));
        let Some(Word::Bare(kind)) = head.first() else {
            return;
        };
        match kind.as_str() {
            "extension" => {
                let name = words(rest)
                    .skip(1)
                    .find(|word| !["if", "not", "exists"].iter().any(|filler| word.is(filler)));
                self.extensions
                    .extend(name.as_ref().and_then(Word::name).map(str::to_owned));
            }
            "policy" => {
                let words = outside_parentheses(rest);
                let end = words
                    .iter()
                    .position(|word| word.is("using") || word.is("with"));
                self.roles_behind(As::Other, &words[..end.unwrap_or(words.len())], "to");
            }
            "schema" => {
                self.roles_behind(As::Owner, &outside_parentheses(rest), "authorization");
            }
            "user" if second("mapping") => {
                self.roles_behind(As::Other, &outside_parentheses(rest), "for");
            }
            "role" | "user" | "group" => self.make(head.get(1)),
            "tablespace" => {
                self.make(head.get(1));
                self.roles_behind(As::Owner, &outside_parentheses(rest), "owner");
            }
            "table" | "unlogged" | "index" | "unique" | "materialized" | "database" => {
                self.tablespace_in(&outside_parentheses(rest));
            }
            _ => {}
        }
    }

    fn alter(&mut self, words: &[Word]) {
        let starts = |keywords: &[&str]| {
            keywords.len() <= words.len()
                && keywords.iter().zip(words).all(|(it, word)| word.is(it))
        };
        if starts(&["default", "privileges"]) {
            let end = words
                .iter()
                .position(|word| word.is("grant") || word.is("revoke"));
            let (before, after) = words.split_at(end.unwrap_or(words.len()));
            self.roles_behind(As::Grantee, before, "for");
            self.grant(after);
        } else if starts(&["role"]) && words.get(2).is_some_and(|word| word.is("in")) {
            self.role_word(As::Other, &words[1]);
        } else if let [.., owner, to, name] = words
            && owner.is("owner")
            && to.is("to")
        {
            self.role_word(As::Owner, name);
        }
        self.tablespace_in(words);
    }

    fn grant(&mut self, words: &[Word]) {
        let Some(at) = words
            .iter()
            .rposition(|word| word.is("to") || word.is("from"))
        else {
            return;
        };
        let (what, whom) = words.split_at(at);
        let grantee = if what.iter().any(|word| word.is("on")) {
            As::Grantee
        } else {
            self.list(As::Other, what); // GRANT role TO role
            As::Other
        };
        self.list(grantee, &whom[1..]);
        self.roles_behind(grantee, whom, "by");
    }

    fn roles_behind(&mut self, purpose: As, words: &[Word], keyword: &str) {
        if let Some(at) = words.iter().position(|word| word.is(keyword)) {
            self.list(purpose, &words[at + 1..]);
        }
    }

    /// `a, GROUP b`, up to what is no list any more.
    fn list(&mut self, purpose: As, words: &[Word]) {
        let filler = |word: &&Word| !["group", "role", "user"].iter().any(|it| word.is(it));
        let mut words = words.iter().filter(filler);
        loop {
            match words.next() {
                Some(name) => self.role_word(purpose, name),
                None => return,
            }
            if words.next() != Some(&Word::Other(b',')) {
                return;
            }
        }
    }

    fn role_word(&mut self, purpose: As, word: &Word) {
        const KEYWORDS: [&str; 5] = [
            "public",
            "current_user",
            "current_role",
            "session_user",
            "default",
        ];
        if KEYWORDS.iter().any(|keyword| word.is(keyword)) {
            return;
        }
        if let Some(name) = word.name() {
            self.role(purpose, name);
        }
    }

    fn role(&mut self, purpose: As, name: &str) {
        // quoted, it is everybody all the same: gram.y's RoleSpec
        if name.is_empty()
            || name == "public"
            || name.starts_with("pg_")
            || self.made.contains(name)
        {
            return;
        }
        let of_purpose = match purpose {
            As::Owner => &mut self.owners,
            As::Grantee => &mut self.grantees,
            As::Other => &mut self.others,
        };
        of_purpose.insert(name.to_owned());
        self.roles.insert(name.to_owned());
    }

    fn tablespace_in(&mut self, words: &[Word]) {
        let Some(at) = words.iter().position(|word| word.is("tablespace")) else {
            return;
        };
        let mut behind = words[at + 1..]
            .iter()
            .filter(|word| **word != Word::Other(b'='));
        self.tablespace(behind.next().and_then(Word::name).unwrap_or_default());
    }

    fn tablespace(&mut self, name: &str) {
        let own = ["", "pg_default", "pg_global"].contains(&name);
        if !own && !self.made.contains(name) {
            self.tablespaces.insert(name.to_owned());
        }
    }

    fn make(&mut self, name: Option<&Word>) {
        self.made
            .extend(name.and_then(Word::name).map(str::to_owned));
    }
}

fn is_default(word: &Word) -> bool {
    word.is("default")
}

fn head(statement: &[u8], count: usize) -> Vec<Word> {
    words(statement).take(count).collect()
}

/// The words that stand in no parentheses; lists of columns and arguments, conditions and expressions do.
fn outside_parentheses(statement: &[u8]) -> Vec<Word> {
    let mut depth = 0_u32;
    words(statement)
        .filter(|word| {
            match word {
                Word::Other(b'(') => depth += 1,
                Word::Other(b')') => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

#[cfg(test)]
mod tests;
