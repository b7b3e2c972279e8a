-- Where the log stands: written, or on a standby replayed.
-- Privileges: EXECUTE on both functions, which PUBLIC has.
SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text AS lsn
