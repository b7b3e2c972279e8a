-- At most $2 processes that wait for locks, with their direct blockers: first those who wait for something that $1 has
-- or awaits, then those who have waited longest. After them, with `waited` null, blockers that wait by way of a parallel
-- worker: PostgreSQL names the leader.
-- `schema` and `name` are of the relation that is waited for; null where the wait is for a row, that is for the end of a
-- transaction.
-- Privileges: none; `leader` of another role's worker needs pg_monitor.
WITH somebody AS MATERIALIZED (
  -- a tenth of the cost of pg_locks, for whoever may see all sessions
  SELECT NOT pg_has_role('pg_read_all_stats', 'USAGE')
         OR EXISTS (SELECT FROM pg_stat_get_backend_idset() AS b WHERE pg_stat_get_backend_wait_event_type(b) = 'Lock')
         AS waits
), lock AS MATERIALIZED (
  SELECT ROW(l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid,
             l.objid, l.objsubid) AS what,
         l.pid, l.granted, l.waitstart, l.database, l.relation
    FROM pg_locks l
   WHERE (SELECT s.waits FROM somebody s) AND (l.pid = $1::int4 OR (NOT l.granted AND l.pid IS NOT NULL))
), waiter AS MATERIALIZED (
  SELECT l.pid,
         coalesce(extract(epoch FROM clock_timestamp() - min(l.waitstart)), 0)::float8 AS waited,
         min(l.relation::int8) FILTER (
           WHERE l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
         )::oid AS relation
    FROM lock l
   WHERE NOT l.granted AND l.pid <> $1::int4
   GROUP BY l.pid
   ORDER BY bool_or(EXISTS (SELECT FROM lock own WHERE own.pid = $1::int4 AND own.what IS NOT DISTINCT FROM l.what)) DESC,
            min(l.waitstart) NULLS LAST
   LIMIT $2::int8
), blocked AS MATERIALIZED (
  SELECT w.pid, w.waited, w.relation, pg_blocking_pids(w.pid) AS blockers,
         (SELECT a.leader_pid FROM pg_stat_get_activity(w.pid) a) AS leader
    FROM waiter w
), leader AS MATERIALIZED (
  SELECT unnest(b.blockers) AS pid FROM blocked b
  EXCEPT
  SELECT unnest(ARRAY[l.pid, 0]) FROM lock l WHERE NOT l.granted
)
SELECT b.pid, b.waited, b.blockers, b.leader, n.nspname::text AS schema, c.relname::text AS name
  FROM blocked b
  LEFT JOIN pg_class c ON c.oid = b.relation
  LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
 UNION ALL
SELECT l.pid, NULL, pg_blocking_pids(l.pid), NULL, NULL, NULL FROM leader l WHERE l.pid <> $1::int4
