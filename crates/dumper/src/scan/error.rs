//! Why a dump cannot be followed any further.
//!
//! Absent: the file (`VerifyError`) and the server.

/// Why, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{refusal}", at(*.line))]
pub(crate) struct SplitError {
    /// From 1; none where the end is what is wrong.
    pub(crate) line: Option<u64>,
    /// Why.
    pub(crate) refusal: SplitRefusal,
}

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SplitRefusal {
    /// Only pg_dump's own lines for psql are followed: others run programs and read files (CVE-2025-8714).
    #[error("`\\{command}` {reason}")]
    Meta {
        /// Its first word.
        command: String,
        /// Why.
        reason: &'static str,
    },
    /// Longer than a server would take.
    #[error("the statement that begins here is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The protocol ends a statement at a zero byte.
    #[error("a zero byte stands in a statement")]
    Nul,
    /// COPY data that are not in lines.
    #[error("{0}")]
    Copy(&'static str),
    /// An encoding in which a byte of a character may look like a quote or a backslash.
    #[error(
        "client_encoding {0} cannot be split into statements: dump again with pg_dump --encoding=UTF8"
    )]
    Encoding(String),
    /// It ends before its end.
    #[error("{0}")]
    Incomplete(String),
}

fn at(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!("line {line}: "))
}
