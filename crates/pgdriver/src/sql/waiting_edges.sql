-- The 200 that have waited longest for a lock, with their direct blockers; with theirs, where those wait too, up to 50 on
-- each of two further levels; and those of blockers that do not wait, since a parallel query is named by its leader, while
-- the one that waits is a worker. A queue of a thousand would be half a million edges. `waiting` is how many wait in all;
-- `is_open`: the blocker waits, and was not asked.
-- Privileges: none.
WITH somebody AS MATERIALIZED (
  -- a tenth of the cost of pg_locks, for whoever may see all sessions
  SELECT NOT pg_has_role('pg_read_all_stats', 'USAGE')
         OR EXISTS (SELECT FROM pg_stat_get_backend_idset() AS b WHERE pg_stat_get_backend_wait_event_type(b) = 'Lock')
         AS waits
), waiter AS MATERIALIZED (
  SELECT l.pid, min(l.waitstart) AS since
    FROM pg_locks l WHERE (SELECT s.waits FROM somebody s) AND NOT l.granted AND l.pid IS NOT NULL GROUP BY l.pid
), longest AS MATERIALIZED (
  SELECT w.pid FROM waiter w ORDER BY w.since NULLS LAST, w.pid LIMIT 200
), edge AS MATERIALIZED (
  SELECT DISTINCT w.pid AS waiter, b AS blocker FROM longest w, LATERAL unnest(pg_blocking_pids(w.pid)) AS b
), second AS MATERIALIZED (
  SELECT w.pid FROM waiter w
   WHERE w.pid IN (SELECT e.blocker FROM edge e) AND w.pid NOT IN (SELECT l.pid FROM longest l)
   ORDER BY w.since NULLS LAST, w.pid LIMIT 50
), second_edge AS MATERIALIZED (
  SELECT DISTINCT w.pid AS waiter, b AS blocker FROM second w, LATERAL unnest(pg_blocking_pids(w.pid)) AS b
), third AS MATERIALIZED (
  SELECT w.pid FROM waiter w
   WHERE w.pid IN (SELECT e.blocker FROM second_edge e)
     AND w.pid NOT IN (SELECT l.pid FROM longest l UNION ALL SELECT s.pid FROM second s)
   ORDER BY w.since NULLS LAST, w.pid LIMIT 50
), asked AS MATERIALIZED (
  SELECT l.pid FROM longest l UNION ALL SELECT s.pid FROM second s UNION ALL SELECT t.pid FROM third t
), every_edge AS MATERIALIZED (
  SELECT e.waiter, e.blocker FROM edge e
   UNION ALL
  SELECT e.waiter, e.blocker FROM second_edge e
   UNION ALL
  (SELECT DISTINCT w.pid, b FROM third w, LATERAL unnest(pg_blocking_pids(w.pid)) AS b)
), leader AS MATERIALIZED (
  SELECT e.blocker AS pid FROM every_edge e WHERE e.blocker <> 0 EXCEPT SELECT w.pid FROM waiter w
), found AS (
  SELECT e.waiter, e.blocker FROM every_edge e
   UNION
  SELECT l.pid, b FROM leader l, LATERAL unnest(pg_blocking_pids(l.pid)) AS b
)
SELECT f.waiter, f.blocker,
       (SELECT count(*) FROM waiter) AS waiting,
       f.blocker IN (SELECT w.pid FROM waiter w EXCEPT SELECT a.pid FROM asked a) AS is_open
  FROM found f
 ORDER BY 1, 2
