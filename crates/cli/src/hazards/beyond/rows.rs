//! Findings about the rows that are there now.

use super::Beyond;
use crate::hazards::Severity;

pub(super) const TABLE: &[Beyond] = &[
    Beyond {
        code: "rows-with-null",
        severity: Severity::Ask,
        meaning: "rows have NULL where the statement makes a column NOT NULL: it fails on them",
        remedy: "fill them in a data migration that is applied before",
    },
    Beyond {
        code: "duplicate-rows",
        severity: Severity::Ask,
        meaning: "rows have the same values where the statement makes these unique: it fails on them",
        remedy: "merge or change them in a data migration that is applied before",
    },
    Beyond {
        code: "orphan-rows",
        severity: Severity::Ask,
        meaning: "rows refer to nothing where the statement makes a foreign key: it fails on them",
        remedy: "mend or delete them in a data migration that is applied before",
    },
    Beyond {
        code: "values-too-long",
        severity: Severity::Ask,
        meaning: "texts are longer than the new type allows: the statement fails on them, or cuts them where the cast is spelled out",
        remedy: "shorten them in a data migration that is applied before, or leave the type wider",
    },
    Beyond {
        code: "values-out-of-range",
        severity: Severity::Ask,
        meaning: "numbers are greater or less than the new type allows: the statement fails on them",
        remedy: "change them in a data migration that is applied before, or leave the type wider",
    },
    Beyond {
        code: "rows-without-value",
        severity: Severity::Ask,
        meaning: "a column that is NOT NULL and has no default is added to a table with rows: the statement fails on them",
        remedy: "give the field a default or db_default, or null=True first",
    },
    Beyond {
        code: "rows-not-looked-at",
        severity: Severity::Note,
        meaning: "whether rows stand in the way could not be asked within the time that a preview takes, or not at all",
        remedy: "ask by hand, or rehearse the plan on a copy",
    },
];
