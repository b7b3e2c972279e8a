//! PostgreSQL's table locks: their names, their strength, and whom they keep waiting.
//!
//! Source: the table "Conflicting Lock Modes" of the chapter Explicit Locking; unchanged from version 14 to 18.

use super::Relation;
use serde::Serialize;
use strum::{Display, EnumIter};

/// A mode as pg_locks spells it, weakest first. `Display` gives the words of SQL (`ACCESS EXCLUSIVE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Display, EnumIter)]
pub(crate) enum LockMode {
    #[serde(rename = "AccessShareLock")]
    #[strum(to_string = "ACCESS SHARE")]
    AccessShare,
    #[serde(rename = "RowShareLock")]
    #[strum(to_string = "ROW SHARE")]
    RowShare,
    #[serde(rename = "RowExclusiveLock")]
    #[strum(to_string = "ROW EXCLUSIVE")]
    RowExclusive,
    #[serde(rename = "ShareUpdateExclusiveLock")]
    #[strum(to_string = "SHARE UPDATE EXCLUSIVE")]
    ShareUpdateExclusive,
    #[serde(rename = "ShareLock")]
    #[strum(to_string = "SHARE")]
    Share,
    #[serde(rename = "ShareRowExclusiveLock")]
    #[strum(to_string = "SHARE ROW EXCLUSIVE")]
    ShareRowExclusive,
    #[serde(rename = "ExclusiveLock")]
    #[strum(to_string = "EXCLUSIVE")]
    Exclusive,
    #[serde(rename = "AccessExclusiveLock")]
    #[strum(to_string = "ACCESS EXCLUSIVE")]
    AccessExclusive,
}

impl LockMode {
    /// What others cannot do while it is held.
    pub(crate) fn blocks(self) -> Blocks {
        match self {
            Self::AccessShare
            | Self::RowShare
            | Self::RowExclusive
            | Self::ShareUpdateExclusive => Blocks::Nothing,
            Self::Share | Self::ShareRowExclusive | Self::Exclusive => Blocks::Writes,
            Self::AccessExclusive => Blocks::Reads,
        }
    }
}

/// What a statement keeps from other sessions while it holds its locks. Who cannot read cannot write either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Blocks {
    Nothing,
    Writes,
    Reads,
}

/// The strongest mode that a statement takes on a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Lock {
    pub(crate) relation: Relation,
    pub(crate) mode: LockMode,
}
