-- Autovacuum workers, of all databases. An active one stands in nobody's way for longer than deadlock_timeout, unless
-- it runs to prevent wraparound. The table is the one that it holds SHARE UPDATE EXCLUSIVE on, of this database only.
-- Privileges: pid, database and table need none (a session with a database and without a user is such a worker); what
-- it does needs pg_monitor (pg_read_all_stats), and without it `visible` is false.
SELECT a.pid,
       a.datname::text AS database,
       l.schema,
       l.name,
       a.query IS DISTINCT FROM '<insufficient privilege>' AS visible,
       a.query ~ '^autovacuum: .*\(to prevent wraparound\)$' AS to_prevent_wraparound,
       a.query::text AS query,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS age,
       p.phase::text AS phase,
       CASE WHEN p.heap_blks_total > 0
            THEN p.heap_blks_scanned::float8 / p.heap_blks_total::float8 END AS scanned
  FROM pg_stat_activity a
  LEFT JOIN pg_stat_progress_vacuum p ON p.pid = a.pid
  LEFT JOIN LATERAL (
    SELECT n.nspname::text AS schema, c.relname::text AS name
      FROM pg_locks k
      JOIN pg_class c ON c.oid = k.relation
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE k.pid = a.pid AND k.locktype = 'relation' AND k.mode = 'ShareUpdateExclusiveLock' AND k.granted
       AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
       AND c.relkind IN ('r', 'm', 't')
     ORDER BY c.relkind = 't', c.oid
     LIMIT 1
  ) l ON true
 WHERE a.backend_type = 'autovacuum worker'
    OR (a.backend_type IS NULL AND a.usesysid IS NULL AND a.datid IS NOT NULL)
 ORDER BY a.pid
