-- At most $2 sessions that wait for locks, with their direct blockers: first those who wait for something that $1 has or
-- awaits, then those who have waited longest. Whom $1 blocks in the end is found from these.
-- Privileges: none.
WITH lock AS MATERIALIZED (
  SELECT ROW(l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid,
             l.objsubid) AS what,
         l.pid, l.granted, l.waitstart
    FROM pg_locks l
   WHERE l.pid = $1::int4 OR (NOT l.granted AND l.pid IS NOT NULL)
), waiter AS MATERIALIZED (
  SELECT l.pid,
         extract(epoch FROM clock_timestamp() - min(l.waitstart))::float8 AS waited
    FROM lock l
   WHERE NOT l.granted AND l.pid <> $1::int4
   GROUP BY l.pid
   ORDER BY bool_or(EXISTS (SELECT FROM lock own WHERE own.pid = $1::int4 AND own.what IS NOT DISTINCT FROM l.what)) DESC,
            min(l.waitstart) NULLS LAST
   LIMIT $2::int8
)
SELECT w.pid, w.waited, pg_blocking_pids(w.pid) AS blockers FROM waiter w
