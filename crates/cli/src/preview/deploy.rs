//! When to apply a migration while old and new code run side by side, and why. Pure.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::hazards::{Code, Side};
use crate::sql::Statement;

/// Relative to the deploy of the code that comes with the migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Deploy {
    /// The old code lives with it, the new code needs it.
    Before,
    /// The new code lives without it, the old code would break.
    After,
    /// Both live with it and without it.
    Either,
    /// Old or new code breaks, or nobody can tell.
    Neither,
}

/// What fails while both run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Breaks {
    /// From the commit on, for code that does not know the migration.
    pub(crate) old_code: Vec<String>,
    /// Until the commit, for code that comes with the migration.
    pub(crate) new_code: Vec<String>,
    /// Nobody knows what that means to either.
    pub(crate) unknown: Vec<String>,
}

impl Breaks {
    pub(super) fn of(statements: &[Statement]) -> Self {
        let sides: Vec<&Side> = statements.iter().flat_map(|s| &s.sides).collect();
        let constraints = |code: Code| -> BTreeSet<_> {
            let these = sides.iter().filter(|side| side.code == code);
            these.filter_map(|side| side.constraint.as_ref()).collect()
        };
        let (comes, goes) = (constraints(Code::Old), constraints(Code::New));
        let of = |code: Code| {
            let mut said: Vec<String> = Vec::new();
            for side in sides.iter().filter(|side| side.code == code) {
                // AlterField takes foreign keys off, and puts them back
                let returns = side
                    .constraint
                    .as_ref()
                    .is_some_and(|one| comes.contains(one) && goes.contains(one));
                if !returns && !said.contains(&side.what) {
                    said.push(side.what.clone());
                }
            }
            said
        };
        Self {
            old_code: of(Code::Old),
            new_code: of(Code::New),
            unknown: of(Code::Unknown),
        }
    }

    pub(super) fn deploy(&self, complete: bool) -> Deploy {
        if !complete || !self.unknown.is_empty() {
            return Deploy::Neither;
        }
        match (self.old_code.is_empty(), self.new_code.is_empty()) {
            (true, true) => Deploy::Either,
            (true, false) => Deploy::Before,
            (false, true) => Deploy::After,
            (false, false) => Deploy::Neither,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaks, Deploy};
    use crate::preview::sample;

    fn breaks(sql: &str) -> Breaks {
        Breaks::of(&sample("shop", "0002_x", sql).migrations[0].statements)
    }

    #[track_caller]
    fn check(sql: &str, deploy: Deploy) {
        let breaks = breaks(sql);
        assert_eq!(breaks.deploy(true), deploy, "{sql}: {breaks:?}");
    }

    #[test]
    fn what_the_new_code_needs_goes_before_it() {
        check(
            "CREATE TABLE a (b int REFERENCES c (id)); CREATE INDEX i ON a (b)",
            Deploy::Before,
        );
        check("ALTER TABLE a ADD b int NULL", Deploy::Before);
        check("ALTER TABLE a ADD b int DEFAULT 3 NOT NULL", Deploy::Before);
        check("ALTER TABLE a ALTER b DROP NOT NULL", Deploy::Before);
        // only the new code writes the column
        check(
            "ALTER TABLE a ADD b int NULL; ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES c (id)",
            Deploy::Before,
        );
        check(
            "ALTER TABLE a ADD b int NULL; ALTER TABLE a ADD CONSTRAINT u UNIQUE (b)",
            Deploy::Before,
        );
        check("ALTER TABLE a DROP CONSTRAINT u", Deploy::Before);
    }

    #[test]
    fn what_the_old_code_uses_goes_after_it() {
        check("DROP TABLE a", Deploy::After);
        check("ALTER TABLE a DROP COLUMN b", Deploy::After);
        check("ALTER TABLE a ALTER b SET NOT NULL", Deploy::After);
        check("ALTER TABLE a ADD CONSTRAINT u UNIQUE (b)", Deploy::After);
        check("CREATE UNIQUE INDEX u ON a (b)", Deploy::After);
        check(
            "UPDATE \"a\" SET \"b\" = 1 WHERE \"b\" IS NULL; ALTER TABLE a ALTER b SET NOT NULL",
            Deploy::After,
        );
    }

    #[test]
    fn what_both_live_with_goes_at_any_time() {
        check(
            "CREATE INDEX i ON a (b); COMMENT ON TABLE a IS 'x'",
            Deploy::Either,
        );
        check(
            "SET CONSTRAINTS f IMMEDIATE; ALTER TABLE a DROP CONSTRAINT f; ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES c (id)",
            Deploy::Either,
        );
        check(
            "CREATE TABLE a (b int); DROP TABLE a; ALTER TABLE c ADD x int; ALTER TABLE c DROP x",
            Deploy::Before,
        );
    }

    #[test]
    fn what_neither_lives_with_says_why() {
        let required =
            "ALTER TABLE a ADD b int DEFAULT 3 NOT NULL; ALTER TABLE a ALTER b DROP DEFAULT";
        check(required, Deploy::Neither);
        assert_eq!(
            breaks(required).old_code,
            ["its INSERTs do not name b of public.a, which has no default"]
        );
        check("ALTER TABLE a ADD b int NOT NULL", Deploy::Neither);
        check("ALTER TABLE a RENAME b TO c", Deploy::Neither);
        check("ALTER TABLE a RENAME TO b", Deploy::Neither);
        check("UPDATE a SET b = 1", Deploy::Neither);
        check(
            "UPDATE a SET b = 1 WHERE b IS NULL OR c = 1",
            Deploy::Neither,
        );
        check("FROB a", Deploy::Neither);
        assert!(breaks("UPDATE a SET b = 1").old_code.is_empty());
    }
}
