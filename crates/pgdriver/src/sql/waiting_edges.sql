-- Every session that waits for a lock, with its direct blockers. Costs more than blocking_edges.sql where many wait.
-- Privileges: none.
SELECT DISTINCT w.pid AS waiter, b AS blocker
  FROM (SELECT DISTINCT l.pid FROM pg_locks l WHERE NOT l.granted AND l.pid IS NOT NULL) w,
       LATERAL unnest(pg_blocking_pids(w.pid)) AS b
 ORDER BY waiter, blocker
