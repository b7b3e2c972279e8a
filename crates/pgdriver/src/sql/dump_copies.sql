-- What the sessions $1 are copying.
-- Privileges: a session of the same role, or pg_read_all_stats; else the relation is null.
SELECT p.pid, p.relid::int8 AS oid, p.bytes_processed AS bytes, p.tuples_processed AS rows
  FROM pg_stat_progress_copy p
 WHERE p.pid = ANY ($1::int4[]) AND p.datname = current_database() AND p.relid IS NOT NULL
 ORDER BY p.pid
