//! Which rules are about something else than others being kept waiting: these neither catch a hazard nor are a false alarm.
//!
//! A rule that is not in the table counts, also one that a later version of a tool brings.

use super::tools::Tool;

/// Why a rule is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Style: types, names, IF EXISTS, one ALTER TABLE instead of two.
    Style,
    /// A timeout is missing, whatever the statement does.
    Timeouts,
    /// Data, or a guarantee for data, is lost.
    Loss,
    /// Code that still runs breaks.
    OldCode,
    /// The statement fails, on its rows or in its transaction.
    Fails,
    /// A safeguard of the session, or a trigger, is switched off.
    Safeguard,
    /// Said to be good to know, not to be acted on.
    Note,
}

pub(super) const ALL: [Why; 7] = [
    Why::Style,
    Why::Timeouts,
    Why::Loss,
    Why::OldCode,
    Why::Fails,
    Why::Safeguard,
    Why::Note,
];

impl Why {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Style => "style",
            Self::Timeouts => "missing timeouts",
            Self::Loss => "loss of data or of a guarantee",
            Self::OldCode => "old code breaks",
            Self::Fails => "the statement fails",
            Self::Safeguard => "safeguards switched off",
            Self::Note => "notes that ask for nothing",
        }
    }
}

const SQUAWK: &[(Why, &[&str])] = &[
    (
        Why::Style,
        &[
            "ban-char-field",
            "ban-create-domain-with-constraint",
            "identifier-too-long",
            "prefer-bigint-over-int",
            "prefer-bigint-over-smallint",
            "prefer-identity",
            "prefer-robust-stmts",
            "prefer-text-field",
            "prefer-timestamp-tz",
            "require-enum-value-ordering",
            "require-table-schema",
            "unused-ignore",
        ],
    ),
    (
        Why::Timeouts,
        &[
            "require-lock-timeout",
            "require-statement-timeout",
            "require-timeout-settings",
        ],
    ),
    (
        Why::Loss,
        &[
            "ban-drop-column",
            "ban-drop-constraint",
            "ban-drop-database",
            "ban-drop-not-null",
            "ban-drop-table",
            "ban-truncate-cascade",
        ],
    ),
    (
        Why::OldCode,
        &[
            "ban-add-column",
            "ban-add-composite-attribute",
            "ban-add-enum-value",
            "ban-alter-database-options",
            "ban-alter-extension",
            "ban-alter-function-options",
            "ban-alter-generated-expression",
            "ban-alter-identity",
            "ban-alter-policy-condition",
            "ban-alter-policy-roles",
            "ban-alter-role-options",
            "ban-alter-row-level-security",
            "ban-alter-sequence-values",
            "ban-alter-system-options",
            "ban-alter-view-options",
            "ban-create-policy",
            "ban-detach-inheritance",
            "ban-drop-default",
            "ban-drop-domain",
            "ban-drop-extension",
            "ban-drop-function",
            "ban-drop-generated-expression",
            "ban-drop-index",
            "ban-drop-policy",
            "ban-drop-schema",
            "ban-drop-sequence",
            "ban-drop-trigger",
            "ban-drop-type",
            "ban-drop-view",
            "ban-new-write-restriction",
            "ban-replace-view-function",
            "ban-replica-identity",
            "ban-revoke",
            "ban-set-default",
            "ban-set-schema",
            "renaming-column",
            "renaming-object",
            "renaming-table",
        ],
    ),
    (Why::Safeguard, &["ban-disable-trigger"]),
    (
        Why::Fails,
        &[
            "adding-required-field",
            "ban-concurrent-index-creation-in-transaction",
            "ban-duplicate-column-assignments",
            "ban-uncommitted-transaction",
            "transaction-nesting",
        ],
    ),
];

const PGSAFE: &[(Why, &[&str])] = &[
    (
        Why::Style,
        &[
            "fk-without-covering-index",
            "identifier-too-long",
            "prefer-bigint-primary-key",
            "prefer-identity",
            "prefer-jsonb",
        ],
    ),
    (Why::Timeouts, &["require-timeout"]),
    (
        Why::Loss,
        &[
            "drop-column",
            "drop-constraint",
            "drop-database",
            "drop-not-null",
            "drop-table",
            "truncate",
        ],
    ),
    (Why::OldCode, &["rename"]),
    (
        Why::Fails,
        &[
            "add-column-not-null-no-default",
            "concurrently-in-transaction",
            "enum-value-used-in-transaction",
        ],
    ),
];

const EUGENE: &[(Why, &[&str])] = &[
    (Why::Style, &["E3", "W12", "W13"]),
    (Why::Timeouts, &["E9"]),
];

const PGFENCE: &[(Why, &[&str])] = &[
    (
        Why::Style,
        &[
            "add-column-json",
            "missing-application-name",
            "prefer-bigint-over-int",
            "prefer-robust-create-index",
            "prefer-robust-create-table",
            "prefer-robust-drop-index",
            "prefer-robust-drop-table",
            "prefer-text-field",
            "prefer-timestamptz",
        ],
    ),
    (
        Why::Timeouts,
        &[
            "missing-idle-timeout",
            "missing-lock-timeout",
            "missing-statement-timeout",
        ],
    ),
    (
        Why::Loss,
        &[
            "delete-without-where",
            "drop-column",
            "drop-table",
            "truncate",
            "truncate-cascade",
            "update-in-migration",
        ],
    ),
    (Why::OldCode, &["rename-column", "rename-table"]),
    (
        Why::Fails,
        &[
            "add-column-not-null-no-default",
            "concurrent-in-transaction",
        ],
    ),
];

const OURS: &[(Why, &[&str])] = &[
    (
        Why::Loss,
        &[
            "cascade",
            "delete-all-rows",
            "destructive-code",
            "drop-column",
            "drop-contents",
            "drop-object",
            "drop-table",
            "narrowing-type-change",
            "truncate",
            "update-all-rows",
        ],
    ),
    (Why::OldCode, &["rename-column", "rename-table"]),
    (
        Why::Fails,
        &[
            "add-column-not-null",
            "column-in-use",
            "dependents-in-the-way",
            "duplicate-rows",
            "enum-value-in-transaction",
            "not-in-transaction",
            "orphan-rows",
            "pending-triggers",
            "rows-not-looked-at",
            "rows-with-null",
            "rows-without-value",
            "unique-default",
            "values-out-of-range",
            "values-too-long",
        ],
    ),
    (
        Why::Safeguard,
        &["disable-trigger", "guard-changed", "transaction-control"],
    ),
    (
        Why::Note,
        &[
            "alter-sequence",
            "detach-partition",
            "drop-foreign-key",
            "drop-index",
            "foreign-key-locks-parent",
            "lock-table",
        ],
    ),
];

pub(super) fn left_out(tool: Tool) -> &'static [(Why, &'static [&'static str])] {
    match tool {
        Tool::Squawk => SQUAWK,
        Tool::Pgsafe => PGSAFE,
        Tool::Eugene => EUGENE,
        Tool::Pgfence => PGFENCE,
        Tool::Ours => OURS,
    }
}

pub(super) fn counts(tool: Tool, rule: &str) -> bool {
    !left_out(tool)
        .iter()
        .any(|(_, rules)| rules.contains(&rule))
}
