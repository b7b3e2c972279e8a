//! Findings about the server: what a migration may run into there, or what it would make worse.

use super::Beyond;
use crate::hazards::Severity::{Ask, Note};

pub(super) const TABLE: &[Beyond] = &[
    Beyond {
        code: "no-pg-monitor",
        severity: Note,
        meaning: "the role does not see what other roles' sessions do",
        remedy: "GRANT pg_monitor to the role that migrates: it only reads",
    },
    Beyond {
        code: "server-fact-unknown",
        severity: Note,
        meaning: "a fact about the server could not be read",
        remedy: "the reason says which privilege or time is missing; everything else was read",
    },
    Beyond {
        code: "few-free-connections",
        severity: Ask,
        meaning: "hardly any connection is free: a run takes up to eight",
        remedy: "end idle sessions, or raise the limit that is named, before a migration fails in its middle for want of one",
    },
    Beyond {
        code: "read-only-by-default",
        severity: Ask,
        meaning: "transactions of this role are read-only unless they say otherwise: a migration fails at its first statement",
        remedy: "set default_transaction_read_only = off for the role that migrates",
    },
    Beyond {
        code: "transaction-timeout",
        severity: Ask,
        meaning: "transaction_timeout ends a migration that takes longer, and its connection with it",
        remedy: "ALTER ROLE … SET transaction_timeout = 0 for the role that migrates, or options=-c transaction_timeout=0 in OPTIONS",
    },
    Beyond {
        code: "idle-in-transaction-timeout",
        severity: Ask,
        meaning: "idle_in_transaction_session_timeout is short: Django renders models between statements, up to half a minute in large projects, and the server ends the migration's session meanwhile",
        remedy: "ALTER ROLE … SET idle_in_transaction_session_timeout = '5min' for the role that migrates, or options=-c … in OPTIONS",
    },
    Beyond {
        code: "idle-session-timeout",
        severity: Ask,
        meaning: "idle_session_timeout is short: a migration waits for its locks outside a transaction, and the server ends its session meanwhile",
        remedy: "ALTER ROLE … SET idle_session_timeout = 0 for the role that migrates, or options=-c … in OPTIONS",
    },
    Beyond {
        code: "replica-lag",
        severity: Note,
        meaning: "a replica lags behind, and a migration's WAL comes on top",
        remedy: "find out what holds it up before a rewrite doubles the work; reads from it are as old as the lag",
    },
    Beyond {
        code: "synchronous-standby-missing",
        severity: Ask,
        meaning: "COMMIT waits for a synchronous standby, and not enough are connected: every commit hangs",
        remedy: "bring the standby back, or take it out of synchronous_standby_names",
    },
    Beyond {
        code: "slot-inactive",
        severity: Note,
        meaning: "nobody reads from a replication slot, and the WAL that it keeps only grows",
        remedy: "restart its reader, or, if nobody will come back: SELECT pg_drop_replication_slot('…')",
    },
    Beyond {
        code: "slot-retains-wal",
        severity: Ask,
        meaning: "a replication slot keeps much WAL; a migration that rewrites a table adds its size, and a full disk stops the server",
        remedy: "let its reader catch up, or drop the slot, before a migration that writes much; look at the free space of pg_wal",
    },
    Beyond {
        code: "wraparound-vacuum",
        severity: Ask,
        meaning: "autovacuum works on a table to prevent wraparound: it does not give way, so DDL on the table waits until it ends, and everybody behind it",
        remedy: "migrate that table when it has ended; cancelled, it comes again at once",
    },
    Beyond {
        code: "wraparound-vacuum-due",
        severity: Note,
        meaning: "a table is older than the age at which autovacuum comes to prevent wraparound, and that one does not give way",
        remedy: "VACUUM (FREEZE) the table in a quiet hour before a migration of it",
    },
    Beyond {
        code: "wraparound-near",
        severity: Ask,
        meaning: "a database comes near the end of its transaction ids: the server then takes no more writes",
        remedy: "find what holds VACUUM back (old transactions, prepared ones, slots), end it, and VACUUM that database now",
    },
    Beyond {
        code: "sequence-near-end",
        severity: Ask,
        meaning: "a sequence, or the type of the column that it feeds, has hardly any values left: then every insert fails",
        remedy: "make the column a BigAutoField or BigIntegerField (a rewrite) in time; a sequence on its own: ALTER SEQUENCE … AS bigint",
    },
    Beyond {
        code: "invalid-index",
        severity: Note,
        meaning: "an index that no query uses, left over by a failed CREATE INDEX CONCURRENTLY; writes may still pay for it, and its name is taken",
        remedy: "DROP INDEX CONCURRENTLY, then build it again; or REINDEX INDEX CONCURRENTLY",
    },
    Beyond {
        code: "index-being-built",
        severity: Note,
        meaning: "a session builds an index at this moment: DDL on its table waits for that",
        remedy: "migrate that table when it is done",
    },
    Beyond {
        code: "unvalidated-constraint",
        severity: Note,
        meaning: "a constraint that existing rows may break (NOT VALID)",
        remedy: "ALTER TABLE … VALIDATE CONSTRAINT …, which lets reads and writes go on",
    },
    Beyond {
        code: "history-out-of-order",
        severity: Note,
        meaning: "a migration was recorded before one that it depends on",
        remedy: "harmless once both are applied; rows of django_migrations were edited, or two databases were merged",
    },
];
