-- Bytes of tables with TOAST, without indexes. Looks at their files, each under a lock that is released at once. Those
-- that somebody has or wants ACCESS EXCLUSIVE on are left out: nobody stands in that queue for a number.
-- Privileges: none.
WITH free AS MATERIALIZED (
  SELECT o.oid
    FROM unnest($1::oid[]) o(oid)
   WHERE NOT EXISTS (
           SELECT FROM pg_locks l
            WHERE l.locktype = 'relation' AND l.relation = o.oid AND l.mode = 'AccessExclusiveLock'
              AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
         )
)
SELECT f.oid::int8 AS oid, pg_table_size(f.oid::regclass)::int8 AS bytes
  FROM free f
