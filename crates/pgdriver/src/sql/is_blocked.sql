-- Whether $1 waits for a lock that another has or is to have first. A third of the cost of asking what it does.
-- Privileges: none.
SELECT cardinality(pg_blocking_pids($1::int4)) > 0 AS blocked
