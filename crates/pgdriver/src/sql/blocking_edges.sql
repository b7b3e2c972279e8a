-- Who blocks $1, and who blocks those, to the roots. UNION ends it in a cycle too. Blocker 0 is a prepared
-- transaction; a parallel query is named by its leader.
-- Privileges: none.
WITH RECURSIVE edge(waiter, blocker) AS (
  SELECT $1::int4, b FROM unnest(pg_blocking_pids($1::int4)) AS b
  UNION
  SELECT e.blocker, b FROM edge e, LATERAL unnest(pg_blocking_pids(e.blocker)) AS b WHERE e.blocker <> 0
)
SELECT waiter, blocker FROM edge ORDER BY waiter, blocker
