-- What the backends $1 that wait for others' transactions build: CREATE INDEX and REINDEX CONCURRENTLY wait so.
-- The table is told by the lock that the build keeps on it from its first transaction to its last, the index by that on
-- the index, which is written to while it is INVALID; the rest by the server's own account of its progress.
-- Privileges: none for table and index; phase and whom it waits for need a session of the same role, or pg_monitor.
WITH lock AS MATERIALIZED (
  SELECT l.pid, l.relation, l.mode
    FROM pg_locks l
   WHERE l.pid = ANY ($1::int4[]) AND l.granted AND l.locktype = 'relation'
     AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
), told AS (
  SELECT i.pid, i.command::text, i.phase::text, nullif(i.relid, 0) AS relid, nullif(i.index_relid, 0) AS index_relid,
         i.lockers_done, i.lockers_total, nullif(i.current_locker_pid, 0)::int4 AS locker
    FROM pg_stat_progress_create_index i
   WHERE i.pid = ANY ($1::int4[])
)
SELECT b.pid, b.command, b.phase, b.lockers_done, b.lockers_total, b.locker,
       (SELECT n.nspname || '.' || c.relname
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'm')
           AND (c.oid = b.relid
                OR b.relid IS NULL AND c.oid IN (SELECT l.relation FROM lock l
                                                  WHERE l.pid = b.pid AND l.mode = 'ShareUpdateExclusiveLock'))
         ORDER BY c.oid LIMIT 1) AS table_name,
       (SELECT n.nspname || '.' || c.relname
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_index x ON x.indexrelid = c.oid
         WHERE c.oid = b.index_relid
            OR b.index_relid IS NULL AND NOT x.indisvalid
               AND c.oid IN (SELECT l.relation FROM lock l WHERE l.pid = b.pid)
         ORDER BY c.oid LIMIT 1) AS index_name
  FROM told b
