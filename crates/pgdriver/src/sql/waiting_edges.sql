-- Every session that waits for a lock, with its direct blockers; and theirs, since a parallel query is named by its
-- leader, while the one that waits is a worker. Costs more than blocking_edges.sql where many wait.
-- Privileges: none.
WITH somebody AS MATERIALIZED (
  -- a tenth of the cost of pg_locks, for whoever may see all sessions
  SELECT NOT pg_has_role('pg_read_all_stats', 'USAGE')
         OR EXISTS (SELECT FROM pg_stat_get_backend_idset() AS b WHERE pg_stat_get_backend_wait_event_type(b) = 'Lock')
         AS waits
), waiter AS MATERIALIZED (
  SELECT DISTINCT l.pid FROM pg_locks l WHERE (SELECT s.waits FROM somebody s) AND NOT l.granted AND l.pid IS NOT NULL
), edge AS MATERIALIZED (
  SELECT DISTINCT w.pid AS waiter, b AS blocker FROM waiter w, LATERAL unnest(pg_blocking_pids(w.pid)) AS b
), leader AS MATERIALIZED (
  SELECT e.blocker AS pid FROM edge e WHERE e.blocker <> 0 EXCEPT SELECT w.pid FROM waiter w
)
SELECT e.waiter, e.blocker FROM edge e
 UNION
SELECT l.pid, b FROM leader l, LATERAL unnest(pg_blocking_pids(l.pid)) AS b
 ORDER BY 1, 2
