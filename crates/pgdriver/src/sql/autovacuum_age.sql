-- Whether what the autovacuum workers $1 vacuum is old enough for that to be to prevent wraparound, as the server itself
-- decides when a worker begins (a lack of multixact members, which lowers its mark, is left out). Ages only grow: a false
-- is certain, a true may be a worker that began before its table was so old.
-- Privileges: none.
SELECT l.pid,
       bool_or(age(c.relfrozenxid) > least(xid.mark, current_setting('autovacuum_freeze_max_age')::int8)
               OR mxid_age(c.relminmxid) > least(multi.mark, current_setting('autovacuum_multixact_freeze_max_age')::int8))
         AS old
  FROM pg_locks l
  JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'm', 't')
  LEFT JOIN LATERAL (
       SELECT o.option_value::int8 AS mark FROM pg_options_to_table(c.reloptions) o
        WHERE o.option_name = 'autovacuum_freeze_max_age') xid ON true
  LEFT JOIN LATERAL (
       SELECT o.option_value::int8 AS mark FROM pg_options_to_table(c.reloptions) o
        WHERE o.option_name = 'autovacuum_multixact_freeze_max_age') multi ON true
 WHERE l.pid = ANY ($1::int4[]) AND l.granted AND l.locktype = 'relation' AND l.mode = 'ShareUpdateExclusiveLock'
   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
 GROUP BY l.pid
